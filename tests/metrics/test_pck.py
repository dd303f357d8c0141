"""PCK against cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vidpose.metrics.pck import (
    Pck,
    box_size,
    head_box_size,
    head_segment_size,
    hits,
    pck,
    torso_size,
)
from vidpose.skeleton import COCO_17, JHMDB_15, LSP_14, Skeleton

NAMES = ("nose", "left_wrist", "right_wrist")
SWAPS = ((1, 2),)
ALL = np.ones((1, 3), bool)


def pose(skeleton: Skeleton, **joints: tuple[float, float]) -> NDArray[np.float64]:
    points = np.zeros((1, skeleton.num_keypoints, 2))
    for name, position in joints.items():
        points[0, skeleton.keypoints.index(name)] = position
    return points


def test_distance_equal_to_the_limit_is_a_hit_only_where_the_comparison_includes_it() -> None:
    truth = np.zeros((1, 3, 2))
    predicted = np.array([[[6.0, 8.0], [6.0, 8.01], [0.0, 9.99]]])
    size = [50.0]  # 0.2 * 50 = 10 pixels
    assert hits(predicted, truth, size).tolist() == [[True, False, True]]
    assert hits(predicted, truth, size, inclusive=False).tolist() == [[False, False, True]]


def test_micro_weighs_joints_by_their_labels_and_macro_does_not() -> None:
    truth = np.zeros((3, 2, 2))
    predicted = np.zeros((3, 2, 2))
    predicted[:, 1] = 100
    labelled = np.array([[True, True], [True, False], [True, False]])
    score = pck(predicted, truth, labelled, [10.0] * 3, ("nose", "left_wrist"))
    assert score.per_joint.tolist() == [1.0, 0.0]
    assert score.counts.tolist() == [3, 1]
    assert score.micro == pytest.approx(3 / 4)
    assert score.macro == pytest.approx(1 / 2)


def test_joint_without_labels_is_left_out_of_both_means() -> None:
    labelled = np.array([[True, False, True]])
    score = pck(np.zeros((1, 3, 2)), np.zeros((1, 3, 2)), labelled, [10.0], NAMES)
    assert np.isnan(score.per_joint[1])
    assert score.micro == score.macro == 1.0
    nothing = pck(np.zeros((1, 3, 2)), np.zeros((1, 3, 2)), ~ALL, [10.0], NAMES)
    assert np.isnan(nothing.micro)
    assert np.isnan(nothing.macro)


def test_people_without_a_unit_of_length_do_not_count() -> None:
    score = pck(np.zeros((2, 3, 2)), np.zeros((2, 3, 2)), np.ones((2, 3), bool), [np.nan, 9], NAMES)
    assert score.counts.tolist() == [1, 1, 1]


def test_missing_prediction_is_a_miss() -> None:
    predicted = np.zeros((1, 3, 2))
    predicted[0, 0] = np.nan
    assert pck(predicted, np.zeros((1, 3, 2)), ALL, [9.0], NAMES).per_joint.tolist() == [0, 1, 1]


def test_exchanged_sides_miss_strictly_and_hit_when_tolerated() -> None:
    truth = np.array([[[0.0, 0.0], [100.0, 0.0], [-100.0, 0.0]]])
    swapped = truth[:, [0, 2, 1]]
    assert pck(swapped, truth, ALL, [50.0], NAMES).micro == pytest.approx(1 / 3)
    tolerant = pck(swapped, truth, ALL, [50.0], NAMES, tolerated_swaps=SWAPS)
    assert tolerant.micro == 1.0


def test_one_prediction_cannot_hit_both_sides_by_tolerance() -> None:
    truth = np.array([[[0.0, 0.0], [100.0, 0.0], [-100.0, 0.0]]])
    both_on_the_right = np.array([[[0.0, 0.0], [-100.0, 0.0], [-100.0, 0.0]]])
    score = pck(both_on_the_right, truth, ALL, [50.0], NAMES, tolerated_swaps=SWAPS)
    assert score.per_joint.tolist() == [1.0, 0.0, 1.0]


def test_exchange_may_hit_a_joint_whose_partner_is_not_labelled() -> None:
    truth = np.array([[[0.0, 0.0], [100.0, 0.0], [0.0, 0.0]]])
    labelled = np.array([[True, True, False]])
    predicted = np.array([[[0.0, 0.0], [-100.0, 0.0], [100.0, 0.0]]])
    score = pck(predicted, truth, labelled, [50.0], NAMES, tolerated_swaps=SWAPS)
    assert score.per_joint[:2].tolist() == [1.0, 1.0]
    assert score.counts.tolist() == [1, 1, 0]


@given(seed=st.integers(0, 2**32 - 1))
def test_tolerance_never_lowers_the_share(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, predicted = rng.normal(0, 20, (2, 8, 17, 2))
    labelled = rng.random((8, 17)) < 0.7
    size = rng.uniform(20, 90, 8)
    strict = pck(predicted, truth, labelled, size, COCO_17.keypoints)
    tolerant = pck(
        predicted, truth, labelled, size, COCO_17.keypoints, tolerated_swaps=COCO_17.flip_pairs
    )
    assert tolerant.micro >= strict.micro
    assert (tolerant.counts == strict.counts).all()


def test_torso_is_the_diagonal_that_was_asked_for() -> None:
    points = pose(
        LSP_14, left_shoulder=(3, 0), right_hip=(0, 4), right_shoulder=(0, 0), left_hip=(6, 8)
    )
    labelled = np.ones((1, 14), bool)
    assert torso_size(points, labelled, LSP_14).tolist() == [10.0]
    assert torso_size(points, labelled, LSP_14, diagonal="left").tolist() == [5.0]
    assert torso_size(points, labelled, LSP_14, diagonal="right").tolist() == [10.0]


def test_longer_torso_takes_the_labelled_diagonal_where_the_other_is_not() -> None:
    points = pose(
        LSP_14, left_shoulder=(3, 0), right_hip=(0, 4), right_shoulder=(0, 0), left_hip=(6, 8)
    )
    labelled = np.ones((1, 14), bool)
    labelled[0, LSP_14.keypoints.index("left_hip")] = False
    assert torso_size(points, labelled, LSP_14).tolist() == [5.0]
    labelled[0, LSP_14.keypoints.index("right_hip")] = False
    assert np.isnan(torso_size(points, labelled, LSP_14)).all()


def test_torso_under_one_pixel_is_replaced_by_the_predicted_one() -> None:
    truth = pose(JHMDB_15, left_shoulder=(0, 0), right_hip=(0.6, 0.7))  # 0.92 px
    predicted = pose(JHMDB_15, left_shoulder=(0, 0), right_hip=(9, 12))
    labelled = np.ones((1, 15), bool)
    size = torso_size(truth, labelled, JHMDB_15, diagonal="left", predicted=predicted)
    assert size.tolist() == [15.0]
    assert np.isnan(torso_size(truth, labelled, JHMDB_15, diagonal="left")).all()


def test_torso_of_exactly_one_pixel_is_used() -> None:
    truth = pose(JHMDB_15, left_shoulder=(0, 0), right_hip=(0, 1))
    predicted = pose(JHMDB_15, left_shoulder=(0, 0), right_hip=(9, 12))
    labelled = np.ones((1, 15), bool)
    size = torso_size(truth, labelled, JHMDB_15, diagonal="left", predicted=predicted)
    assert size.tolist() == [1.0]


def test_box_and_head_sizes() -> None:
    assert box_size([[5, 6, 30, 40], [0, 0, 9, 2]]).tolist() == [40, 9]
    assert head_box_size([[5, 6, 30, 40]]).tolist() == pytest.approx([30.0])
    points = pose(LSP_14, neck=(0, 12), head_top=(5, 0))
    labelled = np.ones((1, 14), bool)
    assert head_segment_size(points, labelled, LSP_14).tolist() == [13.0]
    labelled[0, LSP_14.keypoints.index("neck")] = False
    assert np.isnan(head_segment_size(points, labelled, LSP_14)).all()


def test_jhmdb_means_of_15_13_and_7_differ_as_the_papers_do() -> None:
    per_joint = np.ones(15)
    per_joint[[JHMDB_15.keypoints.index(name) for name in ("belly", "left_wrist")]] = 0.0
    score = Pck(JHMDB_15.keypoints, per_joint, np.full(15, 4))
    assert score.macro == pytest.approx(13 / 15)
    thirteen = [name for name in JHMDB_15.keypoints if name not in ("neck", "belly")]
    assert score.mean_over(thirteen) == pytest.approx(12 / 13)
    assert score.by_group()["wrist"] == pytest.approx(0.5)
    assert score.group_mean() == pytest.approx(6.5 / 7)
    assert set(score.by_group()) == {"head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"}
