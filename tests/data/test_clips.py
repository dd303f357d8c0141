"""Labelled clips: what fits together, and the faults that are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stills_folders import write_image
from vidpose.data.clips import (
    LabelledClip,
    fill_boxes,
    frame_fault,
    is_at_hand,
    label_fault,
    pixel_extent,
)
from vidpose.errors import DataError
from vidpose.skeleton import PENN_13


def clip(folder: Path, frames: int = 3) -> LabelledClip:
    paths = tuple(folder / f"{n + 1:06d}.jpg" for n in range(frames))
    boxes = np.tile(np.float32([1, 2, 30, 40]), (frames, 1))
    return LabelledClip("0001", paths, np.ones((frames, 13, 3), np.float32), boxes, PENN_13)


def test_parts_of_another_length_are_refused() -> None:
    keypoints, boxes = np.ones((3, 13, 3), np.float32), np.ones((3, 4), np.float32)
    paths = (Path("1.jpg"), Path("2.jpg"))
    with pytest.raises(DataError, match=r"2 frames .* got \(3, 13, 3\)"):
        LabelledClip("a", paths, keypoints, boxes, PENN_13)
    with pytest.raises(DataError, match="need boxes"):
        LabelledClip("a", paths, keypoints[:2], boxes, PENN_13)
    with pytest.raises(DataError, match="need boxes"):
        LabelledClip("a", paths, keypoints[:2], boxes[:2], PENN_13, head_boxes=boxes)
    with pytest.raises(DataError, match="no frames"):
        LabelledClip("a", (), keypoints[:0], boxes[:0], PENN_13)


def test_a_missing_frame_and_one_too_many_are_faults(tmp_path: Path) -> None:
    labelled = clip(tmp_path / "0001")
    assert not is_at_hand(labelled)
    for path in labelled.frames[:2]:
        write_image(path)
    assert is_at_hand(labelled)
    fault = frame_fault(labelled)
    assert fault is not None
    assert "3 frames are labelled, 2 of them are there" in fault
    assert "000003.jpg" in fault
    write_image(labelled.frames[2])
    assert frame_fault(labelled) is None
    write_image(tmp_path / "0001" / "000004.jpg")
    fault = frame_fault(labelled)
    assert fault is not None
    assert "holds 4 images" in fault
    assert frame_fault(labelled, whole_folder=False) is None


def test_visible_joints_without_a_position_are_faults_and_others_are_not(tmp_path: Path) -> None:
    labelled = clip(tmp_path)
    labelled.keypoints[1, 4] = (np.nan, np.nan, 0)
    assert label_fault(labelled) is None
    labelled.keypoints[1, 4, 2] = 1
    fault = label_fault(labelled)
    assert fault is not None
    assert "left_elbow in frame 1" in fault


def test_empty_boxes_are_faults(tmp_path: Path) -> None:
    labelled = clip(tmp_path)
    labelled.boxes[2, 2] = 0
    fault = label_fault(labelled)
    assert fault is not None
    assert "1 boxes are empty; the first is in frame 2" in fault


def test_boxes_are_filled_from_before_and_at_the_start_from_after() -> None:
    boxes = np.float32([[0, 0, 1, 9], [5, 5, 9, 9], [0, 0, np.nan, 9], [7, 7, 9, 9]])
    assert fill_boxes(boxes)[:, 0].tolist() == [5, 5, 5, 7]
    nothing = np.zeros((2, 4), np.float32)
    assert fill_boxes(nothing).tolist() == nothing.tolist()


def test_extent_covers_the_pixels_of_the_joints() -> None:
    points = np.float32([[[10, 20, 1], [13, 29, 0], [np.nan, np.nan, 0]]])
    assert pixel_extent(points).tolist() == [[10, 20, 4, 10]]
    assert pixel_extent(points[:, 2:]).tolist() == [[0, 0, 0, 0]]
