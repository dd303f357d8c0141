"""PoseTrack's AP against cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from vidpose.metrics.posetrack import PoseTrackFrame, posetrack_ap, posetrack_groups, voc_ap
from vidpose.skeleton import POSETRACK_15

K = POSETRACK_15.num_keypoints
HEADS = [[0.0, 0, 30, 40]]  # size 30, so joints within 15 px are right


def person(x: float, score: float = 1.0) -> np.ndarray:
    """All joints at (x, 0), labelled, or predicted with this score."""
    return np.tile([x, 0.0, score], (K, 1))


def frame(truth: list[np.ndarray], predicted: list[np.ndarray]) -> PoseTrackFrame:
    return PoseTrackFrame(
        np.array(truth).reshape(-1, K, 3),
        np.array(HEADS * len(truth)).reshape(-1, 4),
        np.array(predicted).reshape(-1, K, 3),
    )


def test_area_of_a_curve_with_a_dent() -> None:
    """Right, wrong, right of 4: precisions 1, 1/2, 2/3; the dent is filled up to 2/3."""
    assert voc_ap([0.9, 0.8, 0.7], [True, False, True], 4) == pytest.approx(0.25 + 0.25 * 2 / 3)
    assert voc_ap([0.7, 0.8, 0.9], [True, False, True], 4) == pytest.approx(0.25 + 0.25 * 2 / 3)
    assert voc_ap([0.8, 0.9], [True, False], 1) == pytest.approx(0.5)
    assert voc_ap([], [], 3) == 0.0
    assert np.isnan(voc_ap([0.5], [False], 0))


def test_a_joint_is_right_within_half_a_head_size() -> None:
    found = person(100)
    found[0, 0], found[1, 0] = 115.0, 115.01
    ap = posetrack_ap([frame([person(100)], [found])], POSETRACK_15)
    assert ap[POSETRACK_15.keypoints[0]] == 1.0
    assert ap[POSETRACK_15.keypoints[1]] == 0.0


def test_a_second_prediction_of_the_same_person_is_wrong() -> None:
    """The better fit is assigned, though the other one has the greater score."""
    worse = person(100, score=0.9)
    worse[5:, 0] = 300
    ap = posetrack_ap([frame([person(100)], [worse, person(100, score=0.5)])], POSETRACK_15)
    assert ap["nose"] == pytest.approx(0.5)  # the wrong one comes first
    assert ap["left_ankle"] == pytest.approx(0.5)


def test_each_person_gets_the_own_prediction_and_frames_are_pooled() -> None:
    both = frame([person(0), person(500)], [person(501, 0.8), person(1, 0.9)])
    unlabelled = frame([], [person(0, 0.85)])  # it is unknown whether that is right
    elsewhere = frame([person(0)], [person(300, 0.85)])
    missed = frame([person(0)], [])
    ap = posetrack_ap([both, unlabelled, elsewhere, missed], POSETRACK_15)
    # Right .9, wrong .85, right .8, of four labelled: 1/4 + 1/4 * 2/3.
    assert ap["nose"] == pytest.approx(1 / 4 + 1 / 6)


def test_joints_without_label_or_prediction() -> None:
    truth, found = person(0), person(0)
    truth[0, 2] = 0
    found[1] = np.nan
    ap = posetrack_ap([frame([truth], [found])], POSETRACK_15)
    assert np.isnan(ap["nose"])
    assert ap["upper_neck"] == 0.0
    assert ap["head_top"] == 1.0


def test_head_is_the_mean_of_three_joints_and_total_of_all() -> None:
    ap = dict.fromkeys(POSETRACK_15.keypoints, 1.0) | {"nose": 0.4, "left_knee": 0.5}
    groups = posetrack_groups(ap)
    assert groups["head"] == pytest.approx(0.8)
    assert groups["knee"] == pytest.approx(0.75)
    assert groups["total"] == pytest.approx((13 + 0.4 + 0.5) / 15)
