"""PoseTrack18: people followed through videos whose frames are labelled in part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clip_folders import write_posetrack
from vidpose.data.datasets.posetrack18 import open_clips
from vidpose.errors import DataError
from vidpose.skeleton import POSETRACK_15


def label(image: int, track: int, **changes: Any) -> dict[str, Any]:
    """Place k of 17 at (10 k + image, 5 k), ears empty."""
    points = np.column_stack([10.0 * np.arange(17) + image, 5.0 * np.arange(17), np.ones(17)])
    points[3:5] = 0
    return {
        "image_id": image,
        "track_id": track,
        "bbox": [1.0, 2, 30, 40],
        "bbox_head": [5.0, 6, 7, 8],
        "keypoints": points.ravel().tolist(),
        **changes,
    }


def test_a_clip_is_one_person_in_the_labelled_frames(tmp_path: Path) -> None:
    labels = [label(2, 0), label(0, 0), label(1, 3), label(1, 4, keypoints=[])]
    clips = open_clips(write_posetrack(tmp_path, "000342_mpii_test", labels), "val")
    assert clips.names == ("000342_mpii_test_0", "000342_mpii_test_3")
    clip = clips.read("000342_mpii_test_0")
    assert [path.name for path in clip.frames] == ["000000.jpg", "000002.jpg"]
    assert all(path.exists() for path in clip.frames)
    wrist = POSETRACK_15.keypoints.index("left_wrist")
    assert clip.keypoints[:, wrist].tolist() == [[90, 45, 1], [92, 45, 1]]
    assert clip.keypoints[0, 1].tolist() == [10, 5, 1]
    assert clip.boxes.tolist() == [[1, 2, 30, 40]] * 2
    assert clip.head_boxes is not None
    assert not clips.whole_folders
    assert clips.official is None  # one video of 170


def test_joints_without_label_and_missing_boxes(tmp_path: Path) -> None:
    entry = label(0, 1)
    del entry["bbox"], entry["bbox_head"]
    entry["keypoints"][3 * 16 : 3 * 17] = [0, 0, 0]
    (clip,) = open_clips(write_posetrack(tmp_path, "a", [entry]), "val")
    assert np.isnan(clip.keypoints[0, 14, :2]).all()
    assert clip.keypoints[0, 14, 2] == 0
    assert clip.boxes.tolist() == [[0, 0, 151, 76]]
    assert clip.head_boxes is None


def test_bad_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no \*\.json there; .*posetrack\.net"):
        open_clips(tmp_path, "val")
    write_posetrack(tmp_path, "a", [label(9, 1)])  # an image that is not listed
    with pytest.raises(DataError, match=r"a\.json: not a label file of PoseTrack18"):
        open_clips(tmp_path, "val")
    write_posetrack(tmp_path, "a", [label(0, 1, keypoints=[1.0, 2.0, 1.0])])
    with pytest.raises(DataError, match="track a_1: damaged"):
        list(open_clips(tmp_path, "val"))
