"""Pose Flow: flows by hand, and the tracker on staged frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from staged import TRAITS, StagedFrame, pose

from vidpose.inference.pose import Pose
from vidpose.tracking import SmoothingSettings, TrackerSettings
from vidpose.tracking.base import TrackerSetup
from vidpose.tracking.orb_matching import Matches, PointMatcher, shared
from vidpose.tracking.pose_flow import (
    WINDOW,
    Node,
    PoseFlowTracker,
    build_flows,
    claimed_ids,
    in_boxes,
    in_poses,
    pose_iou,
)


def tracker(max_people: int | None = None, **settings: float) -> PoseFlowTracker:
    return PoseFlowTracker(
        TrackerSetup(TRAITS, TrackerSettings(**settings), SmoothingSettings(), max_people)
    )


def ids(one: PoseFlowTracker, time: float, people: Sequence[Pose]) -> dict[int, float]:
    """Left edge of the box of each id in the next frame."""
    return {s.id: s.pose.box[0] for s in one.advance(StagedFrame(people), time)}


def nodes(*frames: int, ids: Sequence[int | None] = ()) -> list[Node]:
    names = ids or [None] * len(frames)
    return [Node(pose(0), frame, frame / 25, id) for frame, id in zip(frames, names, strict=True)]


def test_flows_collect_the_greatest_sum_together() -> None:
    """0 and 1, then 2 and 3. The best single link is 0-2 (.9), but 0-3 and 1-2 are worth more."""
    links = np.zeros((4, 4))
    links[0, 2], links[0, 3], links[1, 2], links[1, 3] = 0.9, 0.8, 0.7, 0.1
    made = nodes(1, 1, 2, 2)
    assert build_flows(made, links) == [[made[0], made[3]], [made[1], made[2]]]


def test_a_flow_passes_through_every_pose_on_its_way_and_bridges_a_gap() -> None:
    links = np.zeros((4, 4))
    links[0, 1], links[0, 2], links[1, 2], links[2, 3] = 0.5, 0.6, 0.5, 0.2
    made = nodes(1, 2, 3, 9)
    assert build_flows(made, links) == [made]
    assert build_flows([], np.zeros((0, 0))) == []


def test_a_flow_keeps_the_id_that_most_of_it_had_and_no_two_the_same() -> None:
    one = nodes(1, 2, 3, 4, ids=[1, 1, 1, 2])
    two = nodes(1, 2, 3, 4, ids=[None, 1, 1, 2])
    assert claimed_ids([two, one, nodes(4)]) == [2, 1, None]
    assert claimed_ids([]) == []


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_similarity_of_poses_does_not_depend_on_their_size(factor: float) -> None:
    here, there = pose(10), pose(16)
    large = [pose(factor * x, factor * 60, factor * 120) for x in (10, 16)]
    assert 0.2 < pose_iou([here], [there])[0, 0] < 0.8
    assert pose_iou(large[:1], large[1:]) == pytest.approx(pose_iou([here], [there]), rel=0.02)
    assert pose_iou([here], [here, pose(200)]) == pytest.approx(np.array([[1.0, 0.0]]))


def test_matched_points_follow_the_picture_and_are_counted_in_regions() -> None:
    matcher = PointMatcher()
    assert len(matcher.advance(StagedFrame([pose(100)]).image).before) == 0
    found = matcher.advance(StagedFrame([pose(110)]).image)
    way = np.median(found.after - found.before, axis=0)
    assert way == pytest.approx([10, 0], abs=0.5)
    assert len(matcher.advance(np.zeros((60, 80, 3), np.uint8)).after) == 0
    before = np.array([[1] * 6 + [0] * 2, [0] * 8], bool)
    after = np.array([[1] * 3 + [0] * 3 + [1] * 2, [0] * 8], bool)
    share = shared(before, after)
    assert share[0, 0] == pytest.approx(3 / 8)
    assert share[0, 1] == 0.0
    assert np.isnan(share[1, 1])


def test_people_who_pass_keep_their_ids() -> None:
    one = tracker()
    for index in range(40):
        left, right = pose(20 + 6 * index, score=0.95), pose(280 - 6 * index, y=30, height=160)
        found = ids(one, index / 25, [left, right])
        assert found == {1: left.box[0], 2: right.box[0]}


def test_a_flow_that_doubles_another_is_suppressed() -> None:
    """Two boxes on one person in every frame: one id, and no number is lost on the other."""
    one = tracker()
    for index in range(15):
        x = 60.0 + 3 * index
        assert list(ids(one, index / 25, [pose(x), pose(x + 1, score=0.8)])) == [1]
        assert len(one._nodes) == len(one._links) == index + 1  # the double is forgotten
    assert sorted(ids(one, 0.6, [pose(105), pose(300)])) == [1, 2]


def test_flows_that_meet_for_a_moment_are_two_people() -> None:
    """For three frames both poses are at one place; the median over the window knows better."""
    one = tracker()
    for index in range(30):
        apart = abs(index - 15) >= 2
        left = pose(40 + 8.0 * index) if apart else pose(160)
        right = pose(280 - 8.0 * index, y=54)
        found = ids(one, index / 25, [left, right])
        assert len(found) == 2
    assert sorted(found) == [1, 2]


def test_empty_frames_are_safe_and_a_person_comes_back() -> None:
    one = tracker()
    assert ids(one, 0.0, []) == {}
    assert list(ids(one, 0.1, [pose(100)])) == [1]
    for index in range(2, 10):
        assert ids(one, index / 10, []) == {}
    assert list(ids(one, 1.0, [pose(104)])) == [1]
    assert list(ids(one, 4.0, [pose(104)])) == [2]  # after more than the grace time


def test_a_window_of_frames_is_all_that_is_kept() -> None:
    one = tracker()
    for index in range(3 * WINDOW):
        ids(one, index / 25, [pose(50 + index), pose(250 - index / 2)])
    assert len(one._nodes) <= 2 * WINDOW
    assert one._links.shape == (len(one._nodes),) * 2


def test_weak_poses_go_on_but_do_not_begin() -> None:
    one = tracker()
    assert ids(one, 0.0, [pose(100, score=0.35)]) == {}
    assert list(ids(one, 0.1, [pose(100)])) == [1]
    assert list(ids(one, 0.2, [pose(100, score=0.35)])) == [1]
    assert ids(one, 0.3, [pose(100, score=0.2)]) == {}


def test_no_more_people_than_asked_for_and_the_first_stay() -> None:
    one = tracker(max_people=1)
    assert list(ids(one, 0.0, [pose(100)])) == [1]
    assert list(ids(one, 0.1, [pose(250, score=0.99), pose(100)])) == [1]
    assert list(ids(one, 0.2, [pose(250, score=0.99)])) == [2]


def dots(*confidence: float, x: float = 0.0) -> Pose:
    """Joints 100 px apart in a box of 200 x 100, so that squares are 40 px wide."""
    keypoints = np.array([(x + 100 * k, 50, c) for k, c in enumerate(confidence)], np.float32)
    return Pose(keypoints, 0.9, (0.0, 0.0, 200.0, 100.0))


def test_the_overlap_of_joints_is_that_of_the_best_seven() -> None:
    """Squares 40 px wide, 10 px apart, overlap by 30 / 50; joints must be seen in both."""
    here, moved = dots(*[0.9] * 9), dots(*[0.9] * 8, 0.2, x=10)
    assert pose_iou([here], [moved])[0, 0] == pytest.approx(0.6)
    few = dots(*[0.9] * 3, *[0.2] * 6, x=10)
    assert pose_iou([here, few], [few])[:, 0] == pytest.approx([3 * 0.6 / 7, 3 / 7])
    assert pose_iou([dots(0.9, 0.9)], [dots(0.25, 0.24)])[0, 0] == pytest.approx(0.5)


def test_points_lie_in_boxes_and_in_the_squares_of_seen_joints() -> None:
    one = [dots(0.9, 0.1)]
    points = np.array([(-0.5, -0.5), (199.4, 99.4), (199.6, 50), (50, 99.6), (-0.6, 50)])
    assert in_boxes(one, points).tolist() == [[True, True, False, False, False]]
    points = np.array([(-20, 30), (19.9, 69.9), (20, 50), (0, 29.9), (0, 70), (100, 50)])
    assert in_poses(one, points).tolist() == [[True, True, False, False, False, False]]


def test_similarity_weighs_points_and_overlaps() -> None:
    """Weights 1, 2, 1, 2; points count for poses of the previous frame only, where there are
    enough; a link is the similarity times the later pose's confidence."""
    one = tracker()
    old, new = dots(0.9, 0.9), dots(0.9, 0.9, x=10)
    new = replace(new, box=(50.0, 0.0, 200.0, 100.0), score=0.5)
    points = np.column_stack([np.linspace(2, 198, 50), np.full(50, 50.0)])
    matches = Matches(points, points)
    shares = []
    for regions in (in_boxes, in_poses):
        first, second = regions([old], points)[0], regions([new], points)[0]
        shares.append((first & second).sum() / (first | second).sum())
    overlaps = [150 / 250, 0.6]
    expected = (shares[0] + 2 * overlaps[0] + shares[1] + 2 * overlaps[1]) / 6
    none = Matches(np.zeros((0, 2)), np.zeros((0, 2)))
    one._add([old], 0.0, none)
    one._add([new], 0.1, matches)
    assert one._links == pytest.approx(np.array([[0, 0.5 * expected], [0, 0]]))
    one._add([new], 0.2, none)
    assert one._links[0, 2] == pytest.approx(0.5 * (2 * overlaps[0] + 2 * overlaps[1]) / 4)
    assert one._links[1, 2] == pytest.approx(0.5)


def test_a_new_image_size_starts_with_new_people() -> None:
    one = tracker()
    assert list(ids(one, 0.0, [pose(100)])) == [1]
    assert list(ids(one, 0.04, [pose(100)])) == [1]
    for time in (0.08, 0.12):
        (found,) = one.advance(StagedFrame([pose(100)], size=(300, 500)), time)
        assert found.id == 2
    assert len(one._nodes) == 2
