"""Reliability, pool-adjacent-violators and the calibration fit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidpose.metrics.calibration import (
    apply_calibration,
    fit_calibration,
    pool_adjacent_violators,
    reliability,
)


def test_reliability_by_hand() -> None:
    table = reliability([0.1, 0.1, 0.95, 1.0], [0, 1, 1, 1])
    np.testing.assert_allclose(table.edges, [[0.1, 0.2], [0.9, 1.0]])
    assert table.counts.tolist() == [2, 2]
    np.testing.assert_allclose(table.confidence, [0.1, 0.975])
    np.testing.assert_allclose(table.accuracy, [0.5, 1.0])
    assert table.ece == pytest.approx((0.4 * 2 + 0.025 * 2) / 4)
    assert table.brier == pytest.approx((0.01 + 0.81 + 0.0025 + 0) / 4)
    assert "| 0.9-1.0 | 2 | 0.975 | 1.000 |" in table.markdown()


def test_confidences_outside_the_unit_interval_are_refused() -> None:
    for values in ([1.2], [-0.1], [float("nan")]):
        with pytest.raises(ValueError, match=r"\[0, 1\]"):
            reliability(values, [1])


def test_pooling_by_hand_and_with_weights() -> None:
    assert pool_adjacent_violators([1, 3, 2, 4], [1, 1, 1, 1]).tolist() == [1, 2.5, 2.5, 4]
    assert pool_adjacent_violators([3, 0], [1, 2]).tolist() == [1, 1]
    assert pool_adjacent_violators([], []).size == 0


@given(values=st.lists(st.floats(-5, 5), min_size=1, max_size=12), seed=st.integers(0, 999))
def test_pooling_is_monotone_and_no_worse_than_any_other_monotone_sequence(
    values: list[float], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.1, 3, len(values))
    fitted = pool_adjacent_violators(values, weights)
    assert (np.diff(fitted) >= -1e-12).all()
    cost = float((weights * (fitted - values) ** 2).sum())
    for _ in range(20):
        other = np.sort(rng.uniform(-5, 5, len(values)))
        assert cost <= float((weights * (other - values) ** 2).sum()) + 1e-9


def test_fit_makes_an_overconfident_score_reliable() -> None:
    rng = np.random.default_rng(4)
    raw = rng.uniform(0, 1, 40000)
    right = rng.random(raw.size) < raw**2  # right less often than it says
    before = reliability(raw, right)
    points = fit_calibration(raw[::2], right[::2])
    after = reliability(apply_calibration(points, raw[1::2]), right[1::2])
    assert before.ece > 0.15
    assert after.ece < 0.012
    assert apply_calibration(points, [0.7])[0] == pytest.approx(0.49, abs=0.03)


@given(seed=st.integers(0, 999), size=st.integers(2, 300), bins=st.integers(1, 25))
def test_points_are_strictly_rising_in_raw_and_monotone_probabilities(
    seed: int, size: int, bins: int
) -> None:
    rng = np.random.default_rng(seed)
    raw = np.append(rng.choice([0.0, 0.2, 0.2001, 0.9, 1.0], size), [0.1, 0.8])
    table = np.array(fit_calibration(raw, rng.random(raw.size) < 0.5, bins=bins))
    assert (np.diff(table[:, 0]) > 0).all()
    assert (np.diff(table[:, 1]) >= 0).all()
    assert table[:, 1].min() > 0
    assert table[:, 1].max() < 1
    assert 2 <= len(table) <= max(bins, 2)


def test_raw_confidence_that_is_nearly_always_one_still_gives_two_points() -> None:
    points = fit_calibration([0.1, *[1.0] * 99], [0, *[1] * 99])
    assert [point[0] for point in points] == [0.1, 1.0]
    assert points[0][1] == points[1][1] == pytest.approx(99.5 / 101)


def test_constant_raw_confidence_cannot_be_calibrated() -> None:
    with pytest.raises(ValueError, match="two different"):
        fit_calibration([0.4, 0.4], [0, 1])
