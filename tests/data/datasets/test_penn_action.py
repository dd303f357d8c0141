"""Penn Action's label files: the official layout, its known faults, and the cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from vidpose.data.datasets.penn_action import (
    JOINTS,
    PennTrack,
    frame_path,
    open_clips,
    read_track,
    read_tracks,
    unlabelled,
)
from vidpose.errors import DataError


def write_label(root: Path, name: str, frames: int, **changes: Any) -> Path:
    """An official label file: joint k of frame t at (10 k + t, 20 k + t), all visible."""
    joints, time = np.meshgrid(np.arange(13.0), np.arange(frames))
    fields: dict[str, Any] = {
        "action": "golf_swing",
        "pose": "front",
        "x": 10 * joints + time + 5,
        "y": 20 * joints + time + 5,
        "visibility": np.ones((frames, 13), np.uint8),
        "train": 1,
        "bbox": np.tile([10.0, 20, 110, 220], (frames, 1)) + time[:, :1],
        "dimensions": np.array([360, 480, frames], np.uint16),
        "nframes": np.uint8(frames),
    }
    fields |= changes
    path = root / "labels" / f"{name}.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {key: value for key, value in fields.items() if value is not None})
    return path


def test_reads_an_official_file(tmp_path: Path) -> None:
    track = read_track(write_label(tmp_path, "0007", 4))

    assert (track.name, track.action, track.viewpoint, track.train) == (
        "0007",
        "golf_swing",
        "front",
        True,
    )
    assert len(track) == 4
    np.testing.assert_array_equal(track.keypoints[3, 2], [28, 48, 1])
    np.testing.assert_array_equal(track.boxes[1], [11, 21, 100, 200])
    assert frame_path(tmp_path, track, 0) == tmp_path / "frames" / "0007" / "000001.jpg"


def test_missing_last_box_repeats_the_one_before(tmp_path: Path) -> None:
    boxes = np.array([[10.0, 20, 110, 220], [11.0, 21, 111, 221]])
    track = read_track(write_label(tmp_path, "1865", 3, bbox=boxes))

    np.testing.assert_array_equal(track.boxes[:, 0], [10, 11, 11])


def test_empty_boxes_are_filled_from_their_neighbours(tmp_path: Path) -> None:
    boxes = np.array([[0.0, 0, 0, 0], [10, 20, 110, 220], [1, 1, 1, 1], [12, 22, 112, 222]])
    track = read_track(write_label(tmp_path, "0374", 4, bbox=boxes))

    np.testing.assert_array_equal(track.boxes[:, 0], [10, 10, 10, 12])


def test_joints_in_the_corner_have_no_position_but_occluded_ones_do(tmp_path: Path) -> None:
    visible = np.ones((2, 13), np.uint8)
    visible[:, :2] = 0
    x, y = np.full((2, 13), 50.0), np.full((2, 13), 60.0)
    x[:, 0] = y[:, 0] = 1.0
    track = read_track(write_label(tmp_path, "0001", 2, x=x, y=y, visibility=visible))

    np.testing.assert_array_equal(track.labelled[0, :3], [False, True, True])
    np.testing.assert_array_equal(track.keypoints[0, :3, 2], [0, 0, 1])


def test_splits_go_by_the_official_flag(tmp_path: Path) -> None:
    write_label(tmp_path, "0001", 2, train=-1)
    write_label(tmp_path, "0002", 3, train=1)

    def names(split: Any) -> list[str]:
        return [track.name for track in read_tracks(tmp_path, split=split)]

    assert names("train") == ["0002"]
    assert names("test") == ["0001"]
    assert names("all") == ["0001", "0002"]


def test_cache_gives_the_same_and_notices_changed_labels(tmp_path: Path) -> None:
    root, cache = tmp_path / "penn", tmp_path / "cache"
    write_label(root, "0001", 2)
    write_label(root, "0002", 5, train=-1)
    direct = read_tracks(root)
    for _ in range(2):  # written, then read
        cached = read_tracks(root, cache_dir=cache)
        for one, other in zip(direct, cached, strict=True):
            assert (one.name, one.action, one.train) == (other.name, other.action, other.train)
            np.testing.assert_array_equal(one.keypoints, other.keypoints)
            np.testing.assert_array_equal(one.labelled, other.labelled)
            np.testing.assert_array_equal(one.boxes, other.boxes)
    assert len(list(cache.iterdir())) == 1

    write_label(root, "0002", 6, train=-1)
    assert [len(track) for track in read_tracks(root, cache_dir=cache)] == [2, 6]


@pytest.mark.parametrize(
    "changes",
    [
        {"visibility": None},
        {"x": np.ones((2, 12)), "y": np.ones((2, 12)), "visibility": np.ones((2, 12))},
        {"visibility": np.ones((3, 13))},
        {"bbox": np.ones((2, 3))},
    ],
)
def test_files_of_another_layout_are_refused_by_name(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    path = write_label(tmp_path, "0001", 2, **changes)

    with pytest.raises(DataError, match=r"0001\.mat"):
        read_track(path)


def test_a_file_that_is_no_mat_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "0001.mat"
    path.write_bytes(b"no labels here")

    with pytest.raises(DataError, match=r"0001\.mat"):
        read_track(path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = write_label(tmp_path, "0001", 30)
    path.write_bytes(path.read_bytes()[:-200])

    with pytest.raises(DataError, match=r"0001\.mat"):
        read_track(path)


def test_a_folder_without_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no labels/\*\.mat"):
        read_tracks(tmp_path)


@pytest.fixture(scope="module")
def official(shared_data: Path) -> tuple[PennTrack, ...]:
    return read_tracks(shared_data / "penn_action" / "Penn_Action")


def test_the_official_label_files(official: tuple[PennTrack, ...]) -> None:
    tracks = official

    assert len(tracks) == 2326
    assert sum(len(track) for track in tracks) == 163_841
    assert sum(track.train for track in tracks) == 1258
    assert all((track.boxes[:, 2:] > 1).all() for track in tracks)
    for name, frames in (("1865", 73), ("1154", 72)):
        track = next(track for track in tracks if track.name == name)
        assert len(track) == len(track.boxes) == frames
        np.testing.assert_array_equal(track.boxes[-1], track.boxes[-2])


@pytest.mark.parametrize(("viewpoint", "sign"), [("front", -1), ("back", 1)])
def test_the_first_joint_of_a_pair_is_the_persons_right(
    official: tuple[PennTrack, ...], viewpoint: str, sign: int
) -> None:
    """Facing the camera, a person's right is on the image's left."""
    right, left = JOINTS.index("right_hip"), JOINTS.index("left_hip")
    sides = []
    for track in official:
        both = (track.keypoints[:, [right, left], 2] > 0).all(axis=1)
        if track.viewpoint == viewpoint and both.any():
            apart = track.keypoints[both, right, 0] - track.keypoints[both, left, 0]
            sides.append(np.sign(np.median(apart)))

    assert sign * np.mean(sides) > 0.5


def test_clips_are_in_vidposes_pixels_and_keep_the_size_of_their_boxes(tmp_path: Path) -> None:
    visible = np.ones((2, 13), np.uint8)
    visible[:, :2] = 0
    x, y = np.full((2, 13), 50.0), np.full((2, 13), 60.0)
    x[:, 0] = y[:, 0] = 1.0
    write_label(tmp_path, "0001", 2, train=-1, x=x, y=y, visibility=visible)
    (clip,) = open_clips(tmp_path, "test")
    np.testing.assert_array_equal(clip.keypoints[0, 2], [49, 59, 1])
    np.testing.assert_array_equal(clip.keypoints[0, 1], [49, 59, 0])
    assert np.isnan(clip.keypoints[0, 0, :2]).all()
    np.testing.assert_array_equal(clip.boxes[0], [9, 19, 100, 200])
    assert clip.frames[1] == tmp_path / "frames" / "0001" / "000002.jpg"


def test_clips_of_a_split(tmp_path: Path) -> None:
    write_label(tmp_path, "0001", 2, train=-1)
    write_label(tmp_path, "0002", 2, train=1)
    assert open_clips(tmp_path, "train").names == ("0002",)
    assert open_clips(tmp_path, "test").names == ("0001",)
    assert open_clips(tmp_path, "test").official == 1068
    with pytest.raises(DataError, match="no split 'val': choose one of train, test"):
        open_clips(tmp_path, "val")


def test_a_damaged_label_file_is_told_when_its_clip_is_read(tmp_path: Path) -> None:
    write_label(tmp_path, "0001", 2, train=-1)
    (tmp_path / "labels" / "0003.mat").write_bytes(b"no labels here")
    clips = open_clips(tmp_path, "test")
    assert clips.names == ("0001", "0003")
    assert clips.read("0001").name == "0001"
    with pytest.raises(DataError, match=r"0003\.mat"):
        clips.read("0003")


def test_images_without_labels_are_found(tmp_path: Path) -> None:
    write_label(tmp_path, "0001", 2)
    for name in ("0001", "0007"):
        (tmp_path / "frames" / name).mkdir(parents=True)
    assert [folder.name for folder in unlabelled(tmp_path)] == ["0007"]
