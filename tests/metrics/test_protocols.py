"""The named protocols against cases worked out by hand, with their off-by-one conventions."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from vidpose.errors import DataError
from vidpose.metrics.pck import Pck
from vidpose.metrics.protocols import (
    GROUPS_7,
    JHMDB_BBOX,
    JHMDB_MMPOSE,
    LSP_TORSO,
    MACRO_13,
    MACRO_15,
    MICRO,
    MPII_PCKH,
    PENN_BBOX,
    PENN_TORSO,
    PROTOCOLS,
    TPCK,
    PckProtocol,
)
from vidpose.skeleton import JHMDB_15, LSP_14, MPII_16, PENN_13, Skeleton


def person(skeleton: Skeleton, **joints: tuple[float, float]) -> NDArray[np.float64]:
    """One person's labels (1, K, 3), all visible, at (0, 0) unless told otherwise."""
    labels = np.zeros((1, skeleton.num_keypoints, 3))
    labels[..., 2] = 1
    for name, place in joints.items():
        labels[0, skeleton.keypoints.index(name), :2] = place
    return labels


def moved(labels: NDArray[np.float64], **joints: float) -> NDArray[np.float64]:
    """Predictions (1, K, 2) that are right but for some joints, so many pixels to the right."""
    skeleton = {13: PENN_13, 14: LSP_14, 15: JHMDB_15, 16: MPII_16}[labels.shape[1]]
    predicted = labels[..., :2].copy()
    for name, distance in joints.items():
        predicted[0, skeleton.keypoints.index(name), 0] += distance
    return predicted


def hit(score: Pck, name: str) -> bool:
    return bool(score.per_joint[score.names.index(name)] == 1)


def test_penn_bbox_is_a_fifth_of_the_longer_side_and_the_limit_is_a_hit() -> None:
    labels = person(PENN_13)
    predicted = moved(labels, head=20.0, left_knee=20.001, right_knee=-19.0)
    score = PENN_BBOX.score(predicted, labels, [[0, 0, 60, 100]], PENN_13)
    assert hit(score, "head")
    assert not hit(score, "left_knee")
    assert hit(score, "right_knee")
    assert MICRO.of(score) == pytest.approx(12 / 13)


def test_penn_counts_visible_joints_only() -> None:
    labels = person(PENN_13)
    labels[0, 1:, 2] = 0
    labels[0, 5, :2] = np.nan  # outside the image
    score = PENN_BBOX.score(moved(labels), labels, [[0, 0, 60, 100]], PENN_13)
    assert score.counts.sum() == 1
    assert MICRO.of(score) == 1.0


def test_penn_torso_runs_from_the_first_shoulder_to_the_opposite_hip() -> None:
    """The files' joints 3 and 8, counted from 1, are one shoulder and the other side's hip."""
    third, eighth = PENN_13.keypoints[2], PENN_13.keypoints[7]
    assert {third, eighth} == {"left_shoulder", "right_hip"}
    labels = person(PENN_13, left_shoulder=(0, 30), right_hip=(40, 0), right_shoulder=(500, 0))
    predicted = moved(labels, head=10.0, left_knee=10.001)
    score = PENN_TORSO.score(predicted, labels, [[0, 0, 9, 9]], PENN_13)
    assert hit(score, "head")
    assert not hit(score, "left_knee")


def test_torso_below_one_pixel_is_that_of_the_prediction() -> None:
    labels = person(JHMDB_15, left_shoulder=(0.5, 0))  # right hip at (0, 0): half a pixel
    predicted = moved(labels, left_shoulder=49.5, head=10.0, belly=10.001)
    score = TPCK.score(predicted, labels, [[0, 0, 9, 9]], JHMDB_15)  # predicted torso: 50
    assert hit(score, "head")
    assert not hit(score, "belly")
    one_pixel = person(JHMDB_15, left_shoulder=(1, 0))
    score = TPCK.score(moved(one_pixel, head=0.21), one_pixel, [[0, 0, 9, 9]], JHMDB_15)
    assert not hit(score, "head")


def test_jhmdb_size_is_last_minus_first_pixel() -> None:
    """A mask over columns 0 to 100 is 101 pixels wide; the papers' size of it is 100."""
    labels = person(JHMDB_15)
    predicted = moved(labels, head=20.0, belly=20.001)
    box = [[0, 0, 101, 50]]
    strict = JHMDB_BBOX.score(predicted, labels, box, JHMDB_15)
    assert hit(strict, "head")
    assert not hit(strict, "belly")
    assert not hit(JHMDB_MMPOSE.score(predicted, labels, box, JHMDB_15), "head")  # 20 < 20 fails


def test_jhmdb_of_lstm_pm_counts_every_joint_and_mmpose_the_visible_ones() -> None:
    labels = person(JHMDB_15)
    labels[0, :5, 2] = 0
    arguments = (moved(labels), labels, [[0, 0, 101, 50]], JHMDB_15)
    assert JHMDB_BBOX.score(*arguments).counts.sum() == 15
    assert JHMDB_MMPOSE.score(*arguments).counts.sum() == 10


def test_the_means_over_jhmdb_have_four_different_values() -> None:
    share = dict.fromkeys(JHMDB_15.keypoints, 1.0) | {"belly": 0.0, "left_wrist": 0.0, "head": 0.5}
    counts = dict.fromkeys(JHMDB_15.keypoints, 2) | {"neck": 10}
    score = Pck(JHMDB_15.keypoints, np.array(list(share.values())), np.array(list(counts.values())))
    assert MICRO.of(score) == pytest.approx((38 - 2 - 2 - 1) / 38)
    assert MACRO_15.of(score) == pytest.approx(12.5 / 15)
    assert MACRO_13.of(score) == pytest.approx(11.5 / 13)
    assert GROUPS_7.of(score) == pytest.approx((0.5 + 0.5 + 5) / 7)
    assert JHMDB_BBOX.means[0] == MICRO
    assert JHMDB_MMPOSE.means[0] == MACRO_15


def test_pckh_takes_half_of_six_tenths_of_the_head_boxes_diagonal_strictly() -> None:
    labels = person(MPII_16)
    heads = [[5, 5, 30, 40]]  # diagonal 50, head size 30, limit 15
    predicted = moved(labels, left_wrist=15.0, right_wrist=14.999)
    score = MPII_PCKH.score(predicted, labels, [[0, 0, 9, 9]], MPII_16, head_boxes=heads)
    assert not hit(score, "left_wrist")
    assert hit(score, "right_wrist")
    finer = MPII_PCKH.score(
        moved(labels, left_wrist=3.0, right_wrist=2.999),
        labels,
        [[0, 0, 9, 9]],
        MPII_16,
        head_boxes=heads,
        threshold=MPII_PCKH.stricter[0],
    )
    assert not hit(finer, "left_wrist")
    assert hit(finer, "right_wrist")


def test_pckh_mean_weighs_joints_by_labels_and_leaves_out_pelvis_and_thorax() -> None:
    labels = np.repeat(person(MPII_16), 2, axis=0)
    labels[1, :, 2] = 0
    labels[1, MPII_16.keypoints.index("left_wrist"), 2] = 1
    predicted = labels[..., :2].copy()
    for name in ("pelvis", "thorax", "left_wrist"):
        predicted[:, MPII_16.keypoints.index(name)] += 99
    score = MPII_PCKH.score(
        predicted, labels, np.ones((2, 4)), MPII_16, head_boxes=np.full((2, 4), 50.0)
    )
    assert MPII_PCKH.means[0].of(score) == pytest.approx(13 / 15)  # 14 joints + a second wrist


def test_pckh_without_head_boxes_is_refused() -> None:
    labels = person(MPII_16)
    with pytest.raises(DataError, match="head boxes"):
        MPII_PCKH.score(labels[..., :2], labels, [[0, 0, 9, 9]], MPII_16)


def test_lsp_torso_is_the_longer_labelled_diagonal() -> None:
    labels = person(LSP_14, left_shoulder=(0, 100), right_shoulder=(0, 50))
    arguments = (moved(labels, head_top=20.0, left_knee=20.001), labels, [[0, 0, 9, 9]], LSP_14)
    assert hit(LSP_TORSO.score(*arguments), "head_top")
    assert not hit(LSP_TORSO.score(*arguments), "left_knee")
    labels[0, LSP_14.keypoints.index("left_shoulder"), 2] = 0  # then the other, 50 px
    assert not hit(LSP_TORSO.score(*arguments), "head_top")


def test_joints_that_are_never_given_do_not_count() -> None:
    labels = person(MPII_16)
    given = np.array([name != "head_top" for name in MPII_16.keypoints])
    predicted = moved(labels)
    predicted[0, ~given] = np.nan
    score = MPII_PCKH.score(
        predicted, labels, [[0, 0, 9, 9]], MPII_16, head_boxes=[[0, 0, 9, 9]], given=given
    )
    assert MPII_PCKH.means[0].of(score) == 1.0
    assert score.counts.sum() == 15


@pytest.mark.parametrize("name", list(PROTOCOLS))
def test_every_protocol_says_what_it_is(name: str) -> None:
    protocol = PROTOCOLS[name]
    assert protocol.name == name
    assert protocol.data_sets
    if isinstance(protocol, PckProtocol):
        sign = "<=" if protocol.inclusive else "<"
        assert f"distance {sign} {protocol.threshold} x" in protocol.describe()
