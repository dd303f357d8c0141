"""JHMDB's official layout, its counting from 1, its boxes, and splits that never mix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clip_folders import write_jhmdb, write_jhmdb_labels, write_jhmdb_mask, write_splits
from vidpose.data.clips import frame_fault, is_at_hand, label_fault
from vidpose.data.datasets.jhmdb import (
    SPLITS,
    open_split,
    open_unsplit,
    read_clip,
    read_split,
    unlabelled,
)
from vidpose.errors import DataError

PARTS = {"a_catch_1": (1, 2, 1), "b_catch_1": (2, 1, 1), "b_catch_2": (2, 1, 2)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in PARTS:
        write_jhmdb(tmp_path, "catch", name)
    return write_splits(tmp_path, PARTS)


def test_joints_are_counted_from_0_and_boxes_hold_the_mask(root: Path) -> None:
    clip = read_clip(root, "catch", "a_catch_1")
    assert clip.keypoints.shape == (3, 15, 3)
    np.testing.assert_array_equal(clip.keypoints[1, 4], [60, 50, 1])
    # Columns 30 to 92, rows 20 to 83.
    np.testing.assert_array_equal(clip.boxes, [[30, 20, 63, 64]] * 3)
    assert clip.frames[0] == root / "Rename_Images" / "catch" / "a_catch_1" / "00001.png"
    assert clip.official_boxes
    assert is_at_hand(clip)
    assert label_fault(clip) is None
    assert frame_fault(clip) is None


def test_joints_of_a_frame_belong_together(tmp_path: Path) -> None:
    """pos_img is coordinate x joint x frame."""
    coordinate, joint, frame = np.meshgrid([1, 2], np.arange(15), np.arange(2), indexing="ij")
    write_jhmdb_labels(tmp_path, "catch", "x", 100 * coordinate + 5 * joint + frame)
    keypoints = read_clip(tmp_path, "catch", "x").keypoints
    np.testing.assert_array_equal(keypoints[1, 3, :2], [100 + 15 + 1 - 1, 200 + 15 + 1 - 1])


def test_joints_outside_the_image_are_not_visible_but_keep_their_position(tmp_path: Path) -> None:
    positions = np.full((2, 15, 1), 100.0)
    positions[0, 3], positions[0, 4], positions[1, 5], positions[0, 6] = 321, 320, 0.2, 1
    keypoints = read_clip_of(tmp_path, positions)
    assert keypoints[0, 2:8, 2].tolist() == [1, 0, 1, 0, 1, 1]
    assert keypoints[0, 3, 0] == 320


def read_clip_of(root: Path, positions: np.ndarray) -> np.ndarray:
    write_jhmdb_labels(root, "catch", "x", positions)
    return read_clip(root, "catch", "x").keypoints


def test_without_a_mask_the_joints_stand_in_openly(tmp_path: Path) -> None:
    positions = np.full((2, 15, 2), 41.0)
    positions[:, 2] = 61
    write_jhmdb_labels(tmp_path, "catch", "x", positions)
    clip = read_clip(tmp_path, "catch", "x")
    np.testing.assert_array_equal(clip.boxes[0], [40, 40, 21, 21])
    assert not clip.official_boxes
    assert "no puppet mask" in clip.boxes_from


def test_an_empty_mask_repeats_the_box_before(tmp_path: Path) -> None:
    write_jhmdb(tmp_path, "catch", "x", frames=2, mask=False)
    mask = np.zeros((96, 128, 2), np.uint8)
    mask[10:20, 30:50, 0] = 3
    write_jhmdb_mask(tmp_path, "catch", "x", mask)
    assert read_clip(tmp_path, "catch", "x").boxes.tolist() == [[30, 10, 20, 10]] * 2


def test_a_mask_of_another_length_is_refused(tmp_path: Path) -> None:
    write_jhmdb(tmp_path, "catch", "x", frames=3, mask=False)
    write_jhmdb_mask(tmp_path, "catch", "x", np.ones((96, 128, 2), np.uint8))
    with pytest.raises(DataError, match=r"puppet_mask\.mat: .* 3 frames"):
        read_clip(tmp_path, "catch", "x")


@pytest.mark.parametrize("positions", [np.ones((2, 13, 4)), np.ones((15, 2, 4)), "text"])
def test_labels_of_another_layout_are_refused(tmp_path: Path, positions: Any) -> None:
    write_jhmdb_labels(tmp_path, "catch", "x", positions)
    with pytest.raises(DataError, match=r"joint_positions\.mat"):
        read_clip(tmp_path, "catch", "x")


@pytest.mark.parametrize("split", SPLITS)
def test_no_clip_is_in_the_training_and_the_test_part_of_a_split(root: Path, split: str) -> None:
    train = open_split(root, split, "train", "jhmdb")
    test = open_split(root, split, "test", "jhmdb")
    number = int(split) - 1
    assert set(train.names) == {name for name, parts in PARTS.items() if parts[number] == 1}
    assert set(test.names) == {name for name, parts in PARTS.items() if parts[number] == 2}
    assert not set(train.names) & set(test.names)
    assert test.split == f"{split} test"


def test_every_clip_that_is_tested_is_trained_on_in_another_split(root: Path) -> None:
    """Why splits must not be joined: joined, every test clip here would be a training clip."""
    trained = {name for s in SPLITS for name in open_split(root, s, "train", "jhmdb").names}
    assert trained == set(PARTS)


def test_splits_cannot_be_joined_or_asked_for_together(root: Path) -> None:
    one, two = (open_split(root, s, "test", "jhmdb") for s in ("1", "2"))
    with pytest.raises(TypeError):
        one + two  # type: ignore[operator]
    for split in ("all", "123", "", "none"):
        with pytest.raises(DataError, match="no split"):
            open_split(root, split, "test", "jhmdb")
    with pytest.raises(TypeError):
        open_split(root)  # type: ignore[call-arg]  # there is no default split


def test_a_clip_in_both_parts_of_a_split_is_refused(root: Path) -> None:
    path = root / "splits" / "catch_test_split_2.txt"
    path.write_text(path.read_text() + "a_catch_1.avi 1\n")
    with pytest.raises(DataError, match="a_catch_1 is in the training AND in the test part"):
        read_split(root, "2", "jhmdb")


def test_sub_jhmdb_has_its_own_split_files(root: Path) -> None:
    with pytest.raises(DataError, match="sub_splits is missing"):
        open_split(root, "1", "test", "sub_jhmdb")
    write_splits(root, {"b_catch_2": (2, 1, 2)}, folder="sub_splits")
    assert open_split(root, "1", "test", "sub_jhmdb").names == ("b_catch_2",)
    assert open_split(root, "2", "test", "sub_jhmdb").names == ()


def test_damaged_split_files_are_refused_by_line(root: Path) -> None:
    path = root / "splits" / "catch_test_split_1.txt"
    path.write_text("a_catch_1.avi 1\n\nb_catch_1.avi 3\n")
    with pytest.raises(DataError, match=r"split_1\.txt, line 3"):
        read_split(root, "1", "jhmdb")
    (root / "splits" / "catch_test_split_3.txt").unlink()
    with pytest.raises(DataError, match="no files CLASS_test_split_3"):
        read_split(root, "3", "jhmdb")


def test_without_splits_all_clips_are_at_hand_but_no_figure_is_comparable(root: Path) -> None:
    clips = open_unsplit(root, "jhmdb")
    assert set(clips.names) == set(PARTS)
    assert not clips.comparable
    with pytest.raises(DataError, match=r"jhmdb\.is\.tue\.mpg\.de"):
        open_unsplit(root / "nowhere", "jhmdb")


def test_an_incomplete_list_has_no_official_count(root: Path) -> None:
    assert open_split(root, "1", "test", "jhmdb").official is None


def test_a_listed_clip_without_labels_is_named(root: Path) -> None:
    path = root / "joint_positions" / "catch" / "b_catch_1" / "joint_positions.mat"
    path.unlink()
    with pytest.raises(DataError, match=r"b_catch_1/joint_positions\.mat is missing"):
        list(open_split(root, "1", "test", "jhmdb"))
    assert [folder.name for folder in unlabelled(root)] == ["b_catch_1"]


def test_the_clip_at_hand(shared_data: Path) -> None:
    if not (shared_data / "jhmdb" / "joint_positions").is_dir():
        pytest.skip("JHMDB's labels are packed there")
    (clip,) = open_unsplit(shared_data / "jhmdb", "jhmdb")
    assert len(clip) == 40
    assert frame_fault(clip) is None
    assert label_fault(clip) is None
