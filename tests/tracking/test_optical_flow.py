"""The Simple Baselines tracker: what moves, and the tracker on staged frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from staged import TRAITS, StagedFrame, pose

from vidpose.inference.pose import Pose
from vidpose.tracking import SmoothingSettings, TrackerSettings
from vidpose.tracking.base import TrackerSetup
from vidpose.tracking.optical_flow import QUEUE, FlowTracker, extent_box, moved_pose


def tracker(max_people: int | None = None, **settings: float) -> FlowTracker:
    return FlowTracker(
        TrackerSetup(TRAITS, TrackerSettings(**settings), SmoothingSettings(), max_people)
    )


def ids(
    one: FlowTracker, time: float, people: Sequence[Pose], detected: Sequence[Pose] | None = None
) -> dict[int, float]:
    """Left edge of the box of each id in the next frame."""
    return {s.id: s.pose.box[0] for s in one.advance(StagedFrame(people, detected), time)}


def test_joints_move_with_the_field_also_outside_the_picture() -> None:
    """The small picture has half the image's size, so a cell of flow is two pixels."""
    field = np.zeros((60, 100, 2), np.float32)
    field[:, :50], field[:, 50:] = (3.0, 1.0), (-2.0, 0.0)
    before = pose(20)
    before.keypoints[0, :2] = (-40.0, 50.0)
    before.keypoints[1, :2] = (150.0, 50.0)
    way = moved_pose(before, field, 0.5).keypoints[:, :2] - before.keypoints[:, :2]
    assert way[0] == pytest.approx([6.0, 2.0])
    assert way[1] == pytest.approx([-4.0, 0.0])
    assert way[2:] == pytest.approx(np.tile([6.0, 2.0], (15, 1)))


def test_the_box_is_the_seen_joints_extent_and_15_percent() -> None:
    keypoints = np.zeros((4, 3), np.float32)
    keypoints[:, :2] = [(100, 100), (200, 100), (100, 300), (900, 900)]
    keypoints[:3, 2] = 0.9
    assert extent_box(keypoints) == pytest.approx((93.0, 85.5, 115.0, 230.0))
    keypoints[:, 2] = 0.0
    assert extent_box(keypoints)[2] == pytest.approx(1.15 * 800)


def test_a_person_the_detector_misses_is_found_by_the_flow() -> None:
    one = tracker()
    for index in range(20):
        person = pose(60.0 + 5 * index)
        missed = index % 4 != 0
        found = ids(one, index / 25, [person], detected=[] if missed else None)
        assert found == {1: pytest.approx(person.box[0])}


def test_a_person_who_left_is_not_carried_on() -> None:
    one = tracker()
    assert list(ids(one, 0.0, [pose(100)])) == [1]
    for index in range(1, 10):
        assert ids(one, index / 25, []) == {}


def test_people_who_pass_keep_their_ids() -> None:
    """While their poses are at one place only one of them is seen."""
    one = tracker()
    for index in range(40):
        left, right = pose(20 + 6 * index, score=0.95), pose(280 - 6 * index, y=30, height=160)
        found = ids(one, index / 25, [left, right])
        assert found.items() <= {1: left.box[0], 2: right.box[0]}.items()
        assert len(found) == 2 or abs(left.box[0] - right.box[0]) < 30


def test_one_pose_belongs_to_one_person() -> None:
    """Two people, and in the next frame one pose between them: one id, not two on one."""
    one = tracker()
    assert sorted(ids(one, 0.0, [pose(100), pose(150)])) == [1, 2]
    found = one.advance(StagedFrame([pose(124)]), 0.04)
    assert len(found) == 1


def test_two_boxes_on_one_person_are_one_person() -> None:
    one = tracker()
    for index in range(10):
        twice = [pose(100), pose(102, height=124, score=0.8)]
        assert list(ids(one, index / 25, [pose(100)], detected=twice)) == [1]


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_how_far_a_person_may_jump_depends_on_the_size(factor: float) -> None:
    """After a gap nothing is moved by the flow, and OKS alone decides."""
    for part, expected in ((0.06, 1), (0.5, 2)):
        one, height = tracker(max_gap=0.0), 60 * factor
        ids(one, 0.0, [pose(100, height=height)])
        found = ids(one, 0.1, [pose(100 + part * height, height=height)])
        assert list(found) == [expected]


def test_empty_frames_are_safe_and_the_queue_bridges_them() -> None:
    one = tracker()
    assert ids(one, 0.0, []) == {}
    assert list(ids(one, 0.1, [pose(100)])) == [1]
    for index in range(2, 10):
        assert ids(one, index / 10, []) == {}
    assert list(ids(one, 1.0, [pose(102)])) == [1]
    assert list(ids(one, 4.0, [pose(102)])) == [2]


def test_the_queue_is_bounded() -> None:
    one = tracker()
    for index in range(2 * QUEUE):
        ids(one, index / 25, [pose(100 + index)])
    (member,) = one._members.values()
    assert len(member.queue) == QUEUE


def test_no_more_people_than_asked_for_and_the_first_stay() -> None:
    one = tracker(max_people=1)
    assert list(ids(one, 0.0, [pose(100)])) == [1]
    assert list(ids(one, 0.1, [pose(250, score=0.99), pose(100)])) == [1]


@pytest.mark.parametrize(
    ("joint", "cell"),
    [
        ((-40.0, 50.0), (25, 0)),
        ((1000.0, 50.0), (25, 99)),
        ((60.0, -9.0), (0, 30)),
        ((60.0, 500.0), (59, 30)),
        ((60.0, 50.0), (25, 30)),
        ((1.0, 2.0), (1, 0)),
    ],
)
def test_a_joint_moves_as_the_nearest_cell_of_the_field(
    joint: tuple[float, float], cell: tuple[int, int]
) -> None:
    """Pixel x of the image is at (x + 0.5) / 2 - 0.5 of a picture half as large."""
    field = np.random.default_rng(0).normal(0, 3, (60, 100, 2)).astype(np.float32)
    before = pose(20)
    before.keypoints[0, :2] = joint
    moved = moved_pose(before, field, 0.5)
    assert moved.keypoints[0, :2] - joint == pytest.approx(2 * field[cell], abs=1e-3)
    assert moved.box == extent_box(moved.keypoints)
    assert moved.score == before.score


def test_a_new_image_size_starts_with_new_people() -> None:
    one = tracker()
    ids(one, 0.0, [pose(100)])
    (found,) = one.advance(StagedFrame([pose(100)], size=(300, 500)), 0.04)
    assert found.id == 2
    (again,) = one.advance(StagedFrame([pose(100)], size=(300, 500)), 0.08)
    assert again.id == 2
