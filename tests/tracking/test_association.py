"""OKS of pairs of poses, and the similarity to people who were out of sight."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from driven import pose, turned

from vidpose.inference.pose import Pose
from vidpose.skeleton import COCO_17
from vidpose.tracking.association import (
    boxes_of,
    nearness,
    pairwise_oks,
    reid_similarity,
    reidentify,
    without_duplicates,
)

EQUAL = (0.1,) * 17  # variances of (2 * 0.1)^2


def seen_only(person: Pose, seen: int) -> Pose:
    keypoints = person.keypoints.copy()
    keypoints[seen:, 2] = 0.2
    return replace(person, keypoints=keypoints)


def expected_oks(distance: float, area: float) -> float:
    return math.exp(-(distance**2) / (2 * 0.04 * area))


def test_oks_of_equal_far_and_half_seen_poses() -> None:
    here, far, low = pose(100), pose(400), pose(100)
    low.keypoints[3:, 2] = 0.0
    values = pairwise_oks([here, far], [here, far, low], COCO_17.sigmas)
    assert values == pytest.approx(np.array([[1, 0, 1], [0, 1, 0]]), abs=0.01)
    upper, lower = pose(100), pose(100)
    upper.keypoints[11:, 2] = 0.0
    lower.keypoints[:13, 2] = 0.0
    assert pairwise_oks([upper], [lower], COCO_17.sigmas)[0, 0] == 0.0


def test_the_area_is_the_mean_of_both_boxes() -> None:
    small, large = pose(100), replace(pose(130), box=(0.0, 0.0, 300.0, 200.0))
    area = (small.box[2] * small.box[3] + 60000) / 2
    there, back = (pairwise_oks([a], [b], EQUAL)[0, 0] for a, b in ((small, large), (large, small)))
    assert there == back == pytest.approx(expected_oks(30, area))


@pytest.mark.parametrize(
    ("unseen", "widening"), [(0.0, 0.1), (0.2, 0.1), (0.5, 0.15), (1.0, 0.3), (9.0, 0.3)]
)
def test_a_prediction_gets_vaguer_with_the_time_unseen(unseen: float, widening: float) -> None:
    """By 0.3 of the sides a second, 0.1 at least, for a second at most; on both sides of a box."""
    there, near = pose(100), pose(140)
    _, _, w, h = there.box
    oks = expected_oks(40, w * h * (1 + 2 * widening) ** 2)
    assert pairwise_oks([near], [there], EQUAL, [unseen])[0, 0] == pytest.approx(oks)
    grown = (1 + 2 * widening) * w, (1 + 2 * widening) * h
    found = 1.2 * w, 1.2 * h
    wide = min(found[0], (grown[0] + found[0]) / 2 - 40, grown[0])
    both = wide * min(found[1], grown[1])
    areas = grown[0] * grown[1], found[0] * found[1]
    overlap = both / (min(areas) if unseen < 0.5 else sum(areas) - both)  # of who is just lost
    value = reid_similarity([near], [there], EQUAL, [unseen])[0, 0]
    assert value == pytest.approx((oks + overlap) / 2)


@pytest.mark.parametrize(("common", "expected"), [(4, 1.0), (3, 0.0)])
def test_half_of_what_is_seen_of_either_must_be_seen_of_both(common: int, expected: float) -> None:
    """Eight keypoints are seen of the one, and of those `common` of the other."""
    first, second = seen_only(pose(100), 8), pose(100)
    second.keypoints[common:8, 2] = 0.0
    assert pairwise_oks([first], [second], EQUAL)[0, 0] == expected
    assert pairwise_oks([second], [first], EQUAL)[0, 0] == expected


def test_a_keypoint_counts_from_a_confidence_of_a_quarter() -> None:
    weak, moved = pose(100), pose(100)
    weak.keypoints[0, 2] = 0.25
    moved.keypoints[0, :2] += 1000
    assert pairwise_oks([weak], [moved], EQUAL)[0, 0] == pytest.approx(16 / 17)
    weak.keypoints[0, 2] = 0.24
    assert pairwise_oks([weak], [moved], EQUAL)[0, 0] == pytest.approx(1.0)


def test_duplicates_of_known_and_of_better_poses_are_left_out() -> None:
    known = [pose(100)]
    poses = [pose(300), pose(101), pose(303), pose(500), pose(99)]
    assert without_duplicates(poses, known, COCO_17.sigmas, 0.5) == [0, 3]
    assert without_duplicates(poses, [], COCO_17.sigmas, 0.5) == [0, 1, 3]
    same = pairwise_oks([poses[2]], [poses[0]], COCO_17.sigmas)[0, 0]
    assert without_duplicates(poses[:3:2], [], COCO_17.sigmas, same) == [0]  # from the threshold on


def test_a_person_found_from_the_other_side_is_a_duplicate() -> None:
    poses = [turned(pose(101)), pose(300), turned(pose(303))]
    assert without_duplicates(poses, [pose(100)], COCO_17.sigmas, 0.5) == [0, 1, 2]
    flips = COCO_17.flip_index
    assert without_duplicates(poses, [pose(100)], COCO_17.sigmas, 0.5, flips) == [1]


def test_similarity_of_no_poses() -> None:
    assert pairwise_oks([], [pose(0)], EQUAL).shape == (0, 1)
    assert pairwise_oks([pose(0)], [], EQUAL).shape == (1, 0)
    assert reid_similarity([], [pose(0)], EQUAL, [0.0]).shape == (0, 1)
    assert boxes_of([]).shape == (0, 4)
    assert boxes_of([pose(0), pose(9)]).shape == (2, 4)


def test_nearness_is_in_lengths_of_the_smaller_of_the_body_and_the_person_lost() -> None:
    here = pose(100)
    length = max(here.box[2:])
    places = [here, here.shifted(np.array([length / 2, 0.0])), pose(100 + 2 * length)]
    sizes = [length, length, length]
    assert nearness([here], places, sizes)[0] == pytest.approx([1.0, 0.5, -1.0], abs=1e-3)
    assert nearness([here], places, [length, length / 4, 9 * length])[0] == pytest.approx(
        [1.0, -1.0, -1.0], abs=1e-3
    )
    assert nearness([], places, sizes).shape == (0, 3)
    assert nearness([here], [], []).shape == (1, 0)


def test_a_lost_person_is_one_pose_only_the_most_similar() -> None:
    """The second pose is a body's length away at most, but the first is the person."""
    size = max(pose(100).box[2:])
    poses = [pose(100), pose(240)]

    def found(unseen: float, poses: list[Pose]) -> list[tuple[int, int]]:
        return reidentify(
            poses, [pose(105)], COCO_17.sigmas, unseen=[unseen], sizes=[size], threshold=0.25
        )

    assert found(0.2, poses) == [(0, 0)]
    assert found(0.2, poses[1:]) == [(0, 0)]
    assert found(0.6, poses[1:]) == []
