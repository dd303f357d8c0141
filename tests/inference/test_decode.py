"""Sub-pixel peaks of heatmap logits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vidpose.inference.decode import WINDOW, PlacePrior, crop_to_map, decode_maps, map_to_crop


def _gaussian(x: float, y: float, size: tuple[int, int], sigma: float) -> np.ndarray:
    rows, columns = np.mgrid[: size[0], : size[1]]
    return (-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2)).astype(np.float32)


@given(st.floats(3, 20), st.floats(3, 28), st.floats(0.5, 1.1), st.floats(-50, 50))
def test_gaussian_logits_give_their_mean(x: float, y: float, sigma: float, level: float) -> None:
    maps = _gaussian(x, y, (32, 24), sigma)[None, None] + np.float32(level)
    points, mass = decode_maps(maps)
    assert np.abs(points[0, 0] - [x, y]).max() < 0.1
    assert mass[0, 0] > 0.9


@given(
    arrays(
        np.float32,
        st.tuples(*(st.integers(1, 3),) * 2, *(st.integers(1, 9),) * 2),
        elements=st.floats(-1e4, 1e4, width=32),
    )
)
def test_any_maps_give_points_inside_and_a_share_of_the_mass(maps: np.ndarray) -> None:
    n, k, height, width = maps.shape
    points, mass = decode_maps(maps)
    assert points.shape == (n, k, 2)
    assert mass.shape == (n, k)
    assert points.dtype == mass.dtype == np.float32
    assert (mass > 0).all()
    assert (mass <= 1).all()
    slack = 1e-5
    assert (points >= -slack).all()
    assert (points <= np.array([width - 1, height - 1]) + slack).all()


@pytest.mark.parametrize(("x", "y"), [(0, 0), (23, 0), (0, 31), (23, 31), (11, 31)])
def test_a_peak_on_the_border_stays_there(x: int, y: int) -> None:
    maps = np.zeros((1, 1, 32, 24), np.float32)
    maps[0, 0, y, x] = 40
    points, mass = decode_maps(maps)
    np.testing.assert_allclose(points[0, 0], [x, y], atol=1e-4)
    assert mass[0, 0] == pytest.approx(1, abs=1e-6)


def test_the_mass_is_what_the_window_holds() -> None:
    """A flat map has the window's share; two equal peaks hold half each."""
    flat = np.zeros((1, 1, 20, 30), np.float32)
    flat[0, 0, 10, 10] = 1e-6
    _, mass = decode_maps(flat)
    assert mass[0, 0] == pytest.approx((2 * WINDOW + 1) ** 2 / 600, rel=1e-4)
    twin = np.full((1, 1, 20, 30), -80, np.float32)
    twin[0, 0, 4, 4] = twin[0, 0, 15, 25] = 0
    points, mass = decode_maps(twin)
    np.testing.assert_allclose(points[0, 0], [4, 4], atol=1e-4)  # the other peak pulls nothing
    assert mass[0, 0] == pytest.approx(0.5)


def test_cells_that_agree_outweigh_a_higher_one() -> None:
    maps = np.full((1, 2, 32, 24), -80, np.float32)
    maps[0, 0, 30, 22] = 1.0  # e to nine times 1: alone against many
    maps[0, 0, 9:12, 4:7] = 0.0
    maps[0, 1, 0, 0] = 3.0  # e^3 to nine times 1
    maps[0, 1, 9:12, 4:7] = 0.0
    points, mass = decode_maps(maps)
    np.testing.assert_allclose(points[0], [[5, 10], [0, 0]], atol=1e-4)
    assert mass[0] == pytest.approx([9 / (9 + np.e), np.e**3 / (9 + np.e**3)])


def _near(*points: tuple[float, float], spread: float = 3.0) -> PlacePrior:
    return PlacePrior(np.float32([points]), np.float32([spread]))


def test_of_two_places_the_one_near_the_last_is_taken() -> None:
    maps = np.full((1, 2, 20, 30), -80, np.float32)
    maps[0, :, 4, 4] = 0.5  # the higher one
    maps[0, :, 15, 25] = 0.0
    points, mass = decode_maps(maps, _near((22, 15), (5, 5)))
    np.testing.assert_allclose(points[0], [[25, 15], [4, 4]], atol=1e-4)
    share = 1 / (1 + np.exp(0.5))
    assert mass[0] == pytest.approx([share, 1 - share])  # the maps' own, whatever was expected


def test_a_sure_map_wins_far_away() -> None:
    """At distance d the prior is 1 / (1 + (d / spread)^2): here 1 / 101, about e^-4.6."""
    maps = np.full((2, 1, 20, 60), -80, np.float32)
    maps[:, 0, 10, 10] = 0.0
    maps[0, 0, 10, 40] = 4.5
    maps[1, 0, 10, 40] = 4.7
    prior = PlacePrior(np.full((2, 1, 2), 10, np.float32), np.full(2, 3, np.float32))
    points, _ = decode_maps(maps, prior)
    np.testing.assert_allclose(points[:, 0, 0], [10, 40], atol=1e-4)


def test_a_prior_pulls_nothing_within_the_window() -> None:
    maps = _gaussian(9.3, 12.6, (32, 24), 0.8)[None, None]
    near = _near((7, 15), spread=1.0)
    np.testing.assert_array_equal(decode_maps(maps, near)[0], decode_maps(maps)[0])


def test_everybody_has_a_spread_of_their_own() -> None:
    maps = np.full((2, 1, 20, 60), -80, np.float32)
    maps[:, 0, 10, 10] = 0.0
    maps[:, 0, 10, 40] = 2.0
    prior = PlacePrior(np.full((2, 1, 2), 10, np.float32), np.float32([3, 30]))
    points, _ = decode_maps(maps, prior)
    np.testing.assert_allclose(points[:, 0, 0], [10, 40], atol=1e-4)


def test_pixels_of_the_crop_and_cells_are_inverse() -> None:
    points = np.float32([[0, 0], [1.25, 7.5]])
    np.testing.assert_allclose(crop_to_map(map_to_crop(points, 4), 4), points, atol=1e-6)


def test_maps_do_not_mix() -> None:
    """Every map is decoded by itself: all together are what they are one by one."""
    maps = np.random.default_rng(0).normal(0, 3, (3, 4, 12, 9)).astype(np.float32)
    points, mass = decode_maps(maps)
    for n in range(3):
        for k in range(4):
            one, share = decode_maps(maps[n : n + 1, k : k + 1])
            np.testing.assert_array_equal(points[n, k], one[0, 0])
            np.testing.assert_allclose(mass[n, k], share[0, 0], rtol=1e-6)


def test_cells_lie_between_their_pixels() -> None:
    """Cell 0 of stride 4 covers crop pixels 0 to 3, whose middle is 1.5."""
    points = np.array([[0, 0], [1, 2]], np.float32)
    np.testing.assert_allclose(map_to_crop(points, 4), [[1.5, 1.5], [5.5, 9.5]])
