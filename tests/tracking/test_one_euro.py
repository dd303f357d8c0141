"""The One-Euro filter: calm at rest, quick in motion, at any frame rate and scale."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vidpose.tracking import SmoothingSettings
from vidpose.tracking.one_euro import OneEuroFilter

SIZE = 200.0  # pixels


def filtered(
    points: NDArray[np.floating], times: NDArray[np.floating], size: float = SIZE
) -> NDArray[np.float64]:
    """Filter a path (T, 2) of one keypoint."""
    smoother = OneEuroFilter(SmoothingSettings())
    path = [
        smoother(point[None].astype(np.float32), float(time), size)[0]
        for point, time in zip(points, times, strict=True)
    ]
    return np.array(path, dtype=np.float64)


@pytest.mark.parametrize("rate", [25, 30, 60, 120])
def test_noise_at_rest_is_at_least_halved(rate: int) -> None:
    noise = np.random.default_rng(0).normal(0, 0.004 * SIZE, (rate * 20, 2))
    calm = filtered(100 + noise, np.arange(len(noise)) / rate)
    assert calm[rate:].std() < 0.5 * noise.std()
    steps = np.abs(np.diff(calm[rate:], axis=0)).mean()
    assert steps < 0.4 * np.abs(np.diff(noise, axis=0)).mean()


@given(st.sampled_from([5, 6, 10, 30, 60]), st.floats(0.01, 3.0))
def test_steady_motion_lags_less_than_promised(rate: int, speed: float) -> None:
    """Speed in sizes per second; the promise is 1 / (2 pi beta) of the size."""
    times = np.arange(rate * 4) / rate
    path = np.stack([speed * SIZE * times, 0 * times], axis=1)
    lag = (path - filtered(path, times))[-1, 0]
    assert 0 <= lag <= SIZE / (2 * math.pi * SmoothingSettings().beta)


@pytest.mark.parametrize("rate", [5, 6])
def test_a_few_frames_a_second_hardly_lag(rate: int) -> None:
    """A hand that waves once a second over half of the body, at 5 or 6 frames a second."""
    times = np.arange(rate * 6) / rate
    path = np.stack([0.25 * SIZE * np.sin(2 * math.pi * times), 0 * times], axis=1)
    error = np.abs(path - filtered(path, times))[rate:, 0]
    assert error.max() < 0.025 * SIZE


@given(st.floats(0.05, 20.0))
def test_the_scale_does_not_matter(scale: float) -> None:
    times = np.arange(60) / 30
    path = np.random.default_rng(1).normal(0, 3, (60, 2)).cumsum(axis=0)
    small, large = filtered(path, times, SIZE), filtered(path * scale, times, SIZE * scale)
    assert np.allclose(small * scale, large, rtol=1e-3, atol=1e-3 * scale)


def test_a_lost_frame_counts_with_its_time() -> None:
    """The same motion, sampled at uneven times, is followed at the same places."""
    times = np.sort(np.random.default_rng(2).uniform(0, 4, 100))
    path = np.stack([SIZE * times, SIZE * np.sin(times)], axis=1)
    assert np.abs(filtered(path, times) - path).max() < 0.02 * SIZE


def test_after_a_long_gap_it_starts_anew() -> None:
    path = np.array([[0.0, 0.0], [1.0, 0.0], [90.0, 5.0]])
    assert filtered(path, np.array([0.0, 0.1, 5.0]))[2].tolist() == [90.0, 5.0]


def test_the_first_frame_is_not_changed_and_time_must_pass() -> None:
    path = np.array([[10.0, 20.0], [50.0, 60.0]])
    assert filtered(path, np.array([1.0, 1.0])).tolist() == [[10.0, 20.0], [10.0, 20.0]]


def test_keypoints_do_not_touch_each_other() -> None:
    rng = np.random.default_rng(3)
    path = rng.normal(0, 5, (20, 4, 2)).cumsum(axis=0)
    together = OneEuroFilter(SmoothingSettings())
    for index, points in enumerate(path):
        all_points = together(points.astype(np.float32), index / 30, SIZE)
    alone = filtered(path[:, 2], np.arange(20) / 30)
    assert np.allclose(all_points[2], alone[-1], atol=1e-4)
