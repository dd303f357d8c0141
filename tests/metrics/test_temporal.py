"""Second differences, acceleration error and jitter on motions with a known answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidpose.metrics.temporal import acceleration_error, jitter, second_difference


def test_constant_rate_gives_the_plain_second_difference() -> None:
    points = np.random.default_rng(0).normal(0, 10, (9, 4, 2))
    plain = points[2:] - 2 * points[1:-1] + points[:-2]
    np.testing.assert_allclose(second_difference(points), plain)
    np.testing.assert_allclose(second_difference(points, np.arange(9) / 29.97), plain)


def test_step_sets_the_unit_of_time() -> None:
    points = (np.arange(5.0)[:, None, None] ** 2) * np.ones((1, 1, 2))  # acceleration 2
    assert second_difference(points, np.arange(5) * 0.1, step=0.2)[0, 0, 0] == pytest.approx(8.0)


@given(gaps=st.lists(st.floats(0.01, 1.0), min_size=3, max_size=9))
def test_uniform_motion_has_no_acceleration_at_any_times(gaps: list[float]) -> None:
    times = np.cumsum(gaps)
    points = np.stack([3 * times, 7 - 40 * times], axis=-1)[:, None]
    np.testing.assert_allclose(second_difference(points, times), 0, atol=1e-6)


def test_dropped_frame_is_jitter_only_for_those_who_ignore_the_times() -> None:
    times = np.array([0.0, 0.1, 0.3, 0.4])
    points = np.stack([100 * times, 0 * times], axis=-1)[:, None]
    valid = np.ones((4, 1), bool)
    assert jitter(points, valid, 10.0) == pytest.approx(1.0)
    assert jitter(points, valid, 10.0, times) == pytest.approx(0.0, abs=1e-12)


def test_jitter_of_one_displaced_frame_by_hand() -> None:
    points = np.zeros((5, 1, 2))
    points[2, 0, 0] = 3.0  # second differences 3, -6, 3
    valid = np.ones((5, 1), bool)
    assert jitter(points, valid, 1.0) == pytest.approx(4.0)
    assert jitter(points, valid, [1, 1, 2, 1, 1]) == pytest.approx((3 + 3 + 3) / 3)


def test_only_triples_of_valid_frames_count() -> None:
    points = np.zeros((5, 1, 2))
    points[4] = 90.0
    valid = np.ones((5, 1), bool)
    valid[4] = False
    assert jitter(points, valid, 1.0) == 0.0
    points[4] = np.nan
    valid[4] = True
    assert jitter(points, valid, 1.0) == 0.0
    valid[1] = valid[3] = False
    assert np.isnan(jitter(points, valid, 1.0))
    assert np.isnan(jitter(points[:2], valid[:2], 1.0))


def test_error_is_zero_for_a_constant_offset_and_sees_what_is_added_to_the_truth() -> None:
    truth = np.random.default_rng(1).normal(0, 30, (12, 3, 2))
    valid = np.ones((12, 3), bool)
    assert acceleration_error(truth + 5, truth, valid, 9.0) == pytest.approx(0, abs=1e-12)
    noise = np.random.default_rng(2).normal(0, 1, truth.shape)
    error = acceleration_error(truth + noise, truth, valid, 9.0)
    assert error == pytest.approx(jitter(noise, valid, 9.0))


def test_times_that_stand_still_are_refused() -> None:
    with pytest.raises(ValueError, match="rise"):
        second_difference(np.zeros((3, 1, 2)), [0.0, 0.1, 0.1])
