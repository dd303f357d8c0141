"""Windows of labelled video: joints where the picture shows them, one draw each, no test clip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from clip_folders import (
    write_jhmdb,
    write_jhmdb_labels,
    write_penn,
    write_posetrack,
    write_splits,
)
from vidpose.data.clips import LabelledClip
from vidpose.data.datasets import penn_action
from vidpose.data.loaders.video_clips import (
    VideoClips,
    VideoConfig,
    kept_out_videos,
    labelled,
    require_joints,
    training_clips,
)
from vidpose.errors import DataError
from vidpose.skeleton import COCO_17, JHMDB_15, PENN_13, map_keypoints

T = 3
SIZE = (128, 128)
LEFT, RIGHT = PENN_13.keypoints.index("left_wrist"), PENN_13.keypoints.index("right_wrist")


@pytest.fixture
def dots(tmp_path: Path) -> LabelledClip:
    """Eight frames in which a red dot is the left wrist and a blue one the right; both move, and
    the green channel is the frame's number."""
    paths, keypoints, boxes = [], np.full((8, 13, 3), np.nan, np.float32), []
    keypoints[..., 2] = 0
    for frame in range(8):
        image = np.zeros((240, 320, 3), np.uint8)
        image[..., 1] = 20 * frame
        keypoints[frame, LEFT] = 180 + 3 * frame, 100, 1
        keypoints[frame, RIGHT] = 150, 120 + 2 * frame, 0  # occluded, but guessed
        for joint, channel in ((LEFT, 2), (RIGHT, 0)):
            x, y = keypoints[frame, joint, :2].astype(int)
            image[y - 1 : y + 2, x - 1 : x + 2, channel] = 255
        paths.append(tmp_path / f"{frame:06d}.png")
        cv2.imwrite(str(paths[-1]), image)
        boxes.append([120 + 2 * frame, 70, 90, 100])
    return LabelledClip("dots", tuple(paths), keypoints, np.array(boxes, np.float32), PENN_13)


def centre_of(channel: np.ndarray) -> np.ndarray:
    rows, columns = np.mgrid[: channel.shape[0], : channel.shape[1]]
    weight = channel.astype(float)
    return np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()


def test_joints_are_where_the_picture_shows_them(dots: LabelledClip) -> None:
    """Turned, scaled or mirrored; in the mirror the left wrist's dot is the right one's."""
    clips = VideoClips([dots], T, SIZE, PENN_13, 5, 40, (0.71, 1.25))
    mirrored = 0
    for index in range(12):
        item = clips[index]
        images, points = item["images"].numpy(), item["keypoints"].numpy()
        assert images.shape == (T, 3, *SIZE)
        assert images.dtype == np.uint8
        red = [centre_of(images[t, 0]) for t in range(T)]
        blue = [centre_of(images[t, 2]) for t in range(T)]
        left, right = points[:, LEFT, :2], points[:, RIGHT, :2]
        swapped = np.abs(left - red).max() > 2
        mirrored += swapped
        if swapped:
            left, right = right, left
        np.testing.assert_allclose(left, red, atol=0.4)
        np.testing.assert_allclose(right, blue, atol=0.4)
        assert (points[:, [LEFT, RIGHT], 2] == 1).all()  # the occluded one has a target too
        assert points[..., 2].sum() == 2 * T
    assert 2 <= mirrored <= 10


def test_boxes_grow_with_their_pictures(dots: LabelledClip) -> None:
    """The longer side of a box, 100 pixels, in crops as large as the box alone, and scaled."""
    item = VideoClips([dots], T, SIZE, PENN_13, 0, in_order=True)[0]
    across = np.linalg.norm(
        item["keypoints"][:, LEFT, :2] - item["keypoints"][:, RIGHT, :2], axis=1
    )
    true = np.linalg.norm(dots.keypoints[2:5, LEFT, :2] - dots.keypoints[2:5, RIGHT, :2], axis=1)
    np.testing.assert_allclose(item["box_size"], 100 * across / true, rtol=1e-5)
    scaled = VideoClips([dots], T, SIZE, PENN_13, 0, 0, (0.5, 0.5))[0]["box_size"]
    np.testing.assert_allclose(scaled, 2 * item["box_size"], rtol=1e-5)


def test_windows_are_frames_running_and_all_are_drawn(dots: LabelledClip) -> None:
    clips = VideoClips([dots], T, SIZE, PENN_13, 0)
    firsts = set()
    for index in range(60):
        green = clips[index]["images"][:, 1].flatten(1).amax(1).numpy()
        numbers = (green / 20).round().astype(int)
        np.testing.assert_array_equal(numbers, numbers[0] + np.arange(T))
        firsts.add(int(numbers[0]))
    assert firsts == set(range(6))


def test_one_draw_for_a_window(dots: LabelledClip) -> None:
    """Scale, angle and mirroring from image to crop are the same in all frames."""
    clips = VideoClips([dots], 8, SIZE, PENN_13, 3, 40, (0.71, 1.25))
    way = dots.keypoints[:, LEFT, :2] - dots.keypoints[:, RIGHT, :2]
    true = way[:, 0] + 1j * way[:, 1]
    seen = []
    for index in range(8):
        points = clips[index]["keypoints"].numpy()
        across = points[:, LEFT, :2] - points[:, RIGHT, :2]
        found = across[:, 0] + 1j * across[:, 1]
        ratios = [found / true, found / true.conj(), -found / true, -found / true.conj()]
        ratio = min(ratios, key=lambda one: float(np.abs(one - one[0]).max()))
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-3)
        seen.append(abs(ratio[0]))
        # Side of the crop at factor 1: 1.25 x the box's longer side, 100.
        assert abs(ratio[0]) * 1.001 >= 128 / 125 / 1.25
        assert abs(ratio[0]) <= 1.001 * 128 / 125 / 0.71
    assert np.ptp(seen) > 0.1


def test_items_are_functions_of_seed_and_number(dots: LabelledClip) -> None:
    one, two = (VideoClips([dots] * 2, T, SIZE, PENN_13, 7, 40, (0.7, 1.2)) for _ in range(2))
    other = VideoClips([dots] * 2, T, SIZE, PENN_13, 8, 40, (0.7, 1.2))
    one[3]
    for key, value in one[4].items():
        assert value.equal(two[4][key])
    assert not one[4]["keypoints"].equal(other[4]["keypoints"])


def test_in_order_is_the_middle_as_it_is(dots: LabelledClip) -> None:
    item = VideoClips([dots], 4, SIZE, PENN_13, 0, in_order=True)[0]
    np.testing.assert_array_equal(
        (item["images"][:, 1].flatten(1).amax(1) / 20).round().numpy(), [2, 3, 4, 5]
    )
    # Frame 2: the box's middle (169, 120) in edge coordinates is the crop's, 125 px a side.
    x = (180 + 6 + 0.5 - 169) * 128 / 125 + 64 - 0.5
    y = (100 + 0.5 - 120) * 128 / 125 + 64 - 0.5
    np.testing.assert_allclose(item["keypoints"][0, LEFT, :2], [x, y], atol=1e-3)


def test_joints_outside_the_image_or_without_a_place_are_not_labelled() -> None:
    points = np.array([[5, 5, 1], [5, 5, 0], [-3, 5, 1], [5, 12, 0], [np.nan, np.nan, 0]])
    np.testing.assert_array_equal(
        labelled(points.astype(np.float32), (10, 20))[:, 2], [1, 1, 0, 0, 0]
    )
    assert np.isfinite(labelled(points.astype(np.float32), (10, 20))).all()


def test_another_skeleton_is_mapped(dots: LabelledClip) -> None:
    own = VideoClips([dots], T, SIZE, PENN_13, 1)[0]["keypoints"].numpy()
    mapped = VideoClips([dots], T, SIZE, COCO_17, 1)[0]["keypoints"].numpy()
    expected = map_keypoints(own, PENN_13, COCO_17)
    np.testing.assert_array_equal(mapped[..., 2], expected[..., 2])
    known = mapped[..., 2] > 0
    np.testing.assert_array_equal(mapped[known], expected[known])
    assert np.isfinite(mapped).all()


def test_a_skeleton_that_the_labels_cannot_give_is_refused() -> None:
    require_joints(JHMDB_15, PENN_13)
    with pytest.raises(DataError, match=r"coco17: clips labelled with penn13 have no nose, .*ear"):
        require_joints(PENN_13, COCO_17)


def _penn(root: Path, **changes: Any) -> VideoConfig:
    return VideoConfig(set="penn_action", path=root, **changes)


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(penn_action, "SPLITS", {"train": 2, "test": 1})


@pytest.mark.usefixtures("complete")
def test_a_complete_training_part_and_its_kept_out_clips(tmp_path: Path) -> None:
    write_penn(tmp_path, "0001", train=1)
    write_penn(tmp_path, "0002", train=1)
    write_penn(tmp_path, "0003", train=-1)
    config = _penn(tmp_path)
    assert [clip.name for clip in training_clips(config, T)] == ["0001", "0002"]
    assert [clip.name for clip in kept_out_videos(config, T, 100)] == ["0003"]


@pytest.mark.usefixtures("complete")
def test_what_is_missing_is_said_and_may_be_allowed(tmp_path: Path) -> None:
    write_penn(tmp_path, "0001", train=1)
    with pytest.raises(DataError, match=r"labels of 1 of 2 clips are missing; .*incomplete=true"):
        training_clips(_penn(tmp_path), T)
    write_penn(tmp_path, "0002", train=1, images=False)
    with pytest.raises(DataError, match=r"images of 1 of 2 clips are missing, the first .*0002"):
        training_clips(_penn(tmp_path), T)
    found = training_clips(_penn(tmp_path, incomplete=True), T)
    assert [clip.name for clip in found] == ["0001"]
    with pytest.raises(DataError, match=r"nothing to learn from: .* none of them has 5 frames"):
        training_clips(_penn(tmp_path, incomplete=True), 5)
    assert kept_out_videos(_penn(tmp_path), T, 100) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"x": np.where(np.arange(13) == 4, np.nan, 61.0) * np.ones((4, 1))},
            "4 joints are marked",
        ),
        ({"bbox": np.zeros((4, 4))}, "4 boxes are empty"),
    ],
)
def test_faults_are_refused_even_where_much_is_missing(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    write_penn(tmp_path, "0001", train=1)
    write_penn(tmp_path, "0002", train=1, **changes)
    with pytest.raises(DataError, match=f"clip 0002: {said}"):
        training_clips(_penn(tmp_path, incomplete=True), T)


def test_another_number_of_images_is_refused(tmp_path: Path) -> None:
    write_penn(tmp_path, "0001", train=1)
    (tmp_path / "frames" / "0001" / "000004.jpg").unlink()
    with pytest.raises(DataError, match=r"clip 0001: 4 frames are labelled, 3 of them are there"):
        training_clips(_penn(tmp_path, incomplete=True), T)


def test_jhmdb_by_split_never_its_test_clips(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_jhmdb(tmp_path, "catch", name)
    write_splits(tmp_path, {"a": (1, 2, 1), "b": (2, 1, 1), "c": (1, 1, 1)}, folder="sub_splits")
    for split, training, test in (("1", ["a"], ["b"]), ("2", ["b"], ["a"]), ("3", ["a", "b"], [])):
        config = VideoConfig(set="sub_jhmdb", path=tmp_path, split=split, incomplete=True)
        assert [clip.name for clip in training_clips(config, T)] == training
        assert [clip.name for clip in kept_out_videos(config, T, 9)] == test
    config = VideoConfig(set="sub_jhmdb", path=tmp_path, split="1")
    with pytest.raises(DataError, match=r"labels of 1 of 2 clips are missing"):  # those of c
        training_clips(config, T)


def test_jhmdb_without_masks_or_with_a_few_clips_is_not_complete(tmp_path: Path) -> None:
    write_jhmdb(tmp_path, "catch", "a")
    write_splits(tmp_path, {"a": (1, 1, 1)})
    config = VideoConfig(set="jhmdb", path=tmp_path, split="2")
    with pytest.raises(DataError, match="not the whole set"):
        training_clips(config, T)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vidpose.data.datasets.jhmdb._OFFICIAL", {"jhmdb": 1})
        assert len(training_clips(config, T)) == 1
        (tmp_path / "puppet_mask" / "catch" / "a" / "puppet_mask.mat").unlink()
        with pytest.raises(DataError, match=r"boxes of 1 clips are missing \(puppet_mask/\)"):
            training_clips(config, T)


def test_joints_of_jhmdb_outside_the_image_have_no_target(tmp_path: Path) -> None:
    write_jhmdb(tmp_path, "catch", "a")
    positions = np.full((2, 15, 3), 60.0)
    positions[0, 4] = -5
    write_jhmdb_labels(tmp_path, "catch", "a", positions)
    write_splits(tmp_path, {"a": (1, 1, 1)})
    config = VideoConfig(set="jhmdb", path=tmp_path, split="1", incomplete=True)
    item = VideoClips(training_clips(config, T), T, (64, 64), JHMDB_15, 0, in_order=True)[0]
    assert (item["keypoints"][:, 4, 2] == 0).all()
    assert item["keypoints"][..., 2].sum() == 14 * T


def test_posetrack_learns_from_its_training_videos(tmp_path: Path) -> None:
    person = {
        "keypoints": [40.0, 40, 1] * 17, "bbox": [20, 20, 50, 50], "track_id": 1,
    }  # fmt: skip
    labels = [{**person, "image_id": number} for number in range(3)]
    write_posetrack(tmp_path, "000001_x", labels)
    (tmp_path / "annotations" / "val").rename(tmp_path / "annotations" / "train")
    config = VideoConfig(set="posetrack18", path=tmp_path, incomplete=True)
    assert len(training_clips(config, T)) == 1
    assert kept_out_videos(config, T, 9) == []
    with pytest.raises(DataError, match="not the whole set"):
        training_clips(VideoConfig(set="posetrack18", path=tmp_path), T)


@pytest.mark.parametrize(
    ("name", "split"),
    [("penn_action", "test"), ("penn_action", "1"), ("jhmdb", "train"), ("sub_jhmdb", "none")],
)
def test_no_split_but_the_training_ones(name: str, split: str) -> None:
    with pytest.raises(ValidationError, match=f"split of {name}"):
        VideoConfig.model_validate({"set": name, "path": "x", "split": split})


def test_a_split_may_be_written_as_a_number() -> None:
    assert VideoConfig.model_validate({"set": "jhmdb", "path": "x", "split": 2}).split == "2"
