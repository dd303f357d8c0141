"""Poses of a picture's people for the regions that are asked for, and what a pose keeps."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from vidpose.inference.crop import CropRegion
from vidpose.inference.one_stage import Everybody
from vidpose.inference.pose import Pose, pose_box, poses_of

MODEL = cast("Any", SimpleNamespace(aspect=0.5, padding=2.0, scored=None, skeleton=None))
MODEL.skeleton = SimpleNamespace(num_keypoints=4)


def _everybody(*boxes: tuple[float, float, float, float]) -> Everybody:
    """The keypoints of person n are (n, n, 0.9)."""
    keypoints = np.zeros((len(boxes), 4, 3), np.float32)
    keypoints[..., :2] = np.arange(len(boxes))[:, None, None]
    keypoints[..., 2] = 0.9
    table = np.array(boxes, np.float64).reshape(-1, 4)
    return Everybody(table, np.ones(len(boxes)), keypoints)


def test_a_region_gets_the_person_whose_own_region_it_overlaps_most() -> None:
    """Of shape 1/2 and padded twice, the boxes' own regions are (80, 60, 80, 160), ..."""
    found = _everybody((100, 100, 40, 80), (140, 100, 40, 80), (400, 100, 40, 80))
    regions = [CropRegion(115, 60, 80, 160), CropRegion(82, 60, 80, 160)]
    poses = poses_of(found, regions, MODEL)
    assert [pose.keypoints[0, 0] for pose in poses] == [1.0, 0.0]
    assert all(pose.kernels is None for pose in poses)


@pytest.mark.parametrize(("x", "there"), [(100.0, True), (116.0, False)])
def test_a_region_far_from_all_people_has_a_pose_that_is_not_seen(x: float, there: bool) -> None:
    """The own region is (50, 20, 80, 160); IoU 30 / 130 is enough, 14 / 146 is not."""
    (pose,) = poses_of(_everybody((70, 60, 40, 80)), [CropRegion(x, 20, 80, 160)], MODEL)
    if there:
        assert pose.keypoints[0].tolist() == pytest.approx([0.0, 0.0, 0.9])
    else:
        assert pose.keypoints.tolist() == [[x + 40, 100, 0.0]] * 4
        assert pose.score == 0.0


def test_a_picture_without_people_has_a_pose_in_the_middle_of_each_region() -> None:
    regions = [CropRegion(10, 20, 40, 80), CropRegion(0, 0, 20, 40)]
    one, other = poses_of(_everybody(), regions, MODEL)
    assert one.keypoints.tolist() == [[30, 60, 0.0]] * 4
    assert other.keypoints.tolist() == [[10, 20, 0.0]] * 4


def test_the_box_has_a_margin_on_every_side_and_holds_the_better_half_of_the_unseen() -> None:
    """Two are seen, so the box holds those from the median, 0.2, on; margin 6 % of 100 pixels."""
    keypoints = np.array(
        [[10, 20, 0.9], [50, 120, 0.9], [30, 40, 0.2], [400, 0, 0.1], [0, 900, 0.0]], np.float32
    )
    assert pose_box(keypoints) == pytest.approx((10.5 - 6, 20.5 - 6, 40 + 12, 100 + 12))
    keypoints[:, :2] = 7  # all in one place: a margin of one pixel
    assert pose_box(keypoints) == pytest.approx((6.5, 6.5, 2, 2))


def test_a_pose_without_keypoints_keeps_place_kernels_and_its_own_scored_ones() -> None:
    keypoints = np.array(
        [[1, 2, 0.8], [3, 4, 0.6], [5, 6, 0.4], [7, 8, 0.2], [9, 9, 1.0]], np.float32
    )
    kernels, former = np.ones((5, 2, 1, 1), np.float32), np.zeros((5, 2, 1, 1), np.float32)
    pose = Pose.of(keypoints, kernels, np.array([0, 1, 2, 3]))
    assert pose.score == pytest.approx(0.7)  # the last one is not scored
    less = pose.without(np.array([True, False, False, False, False]), former)
    assert less.keypoints[:, 2].tolist() == pytest.approx([0.0, 0.6, 0.4, 0.2, 1.0])
    assert less.score == pytest.approx(0.5)
    assert less.box == pose.box
    assert less.kernels is not None
    assert less.kernels[:, 0, 0, 0].tolist() == [0, 1, 1, 1, 1]
    assert pose.keypoints[0, 2] == pytest.approx(0.8)  # the pose itself stays as it was


def test_a_shifted_pose_moves_keypoints_and_box_alike() -> None:
    keypoints = np.array([[1, 2, 0.8], [3, 5, 0.6], [5, 6, 0.4]], np.float32)
    pose = Pose.of(keypoints)
    moved = pose.shifted(np.array([10.0, -20.0]))
    assert moved.keypoints[:, :2].tolist() == [[11, -18], [13, -15], [15, -14]]
    assert moved.keypoints[:, 2].tolist() == pose.keypoints[:, 2].tolist()
    assert moved.box == pytest.approx((pose.box[0] + 10, pose.box[1] - 20, *pose.box[2:]))
