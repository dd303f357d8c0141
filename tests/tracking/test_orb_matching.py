"""The small grey picture, and shares of points in two regions."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from vidpose.tracking.orb_matching import PointMatcher, shared, small_grey


@pytest.mark.parametrize(
    ("size", "small"),
    [((100, 200), (50, 100)), ((200, 100), (100, 50)), ((40, 60), (40, 60)), ((1, 900), (1, 100))],
)
def test_the_longer_side_is_at_most_so_long(size: tuple[int, int], small: tuple[int, int]) -> None:
    image = np.full((*size, 3), (255, 0, 0), np.uint8)
    grey, scale = small_grey(image, 100)
    assert grey.shape == small
    assert scale == pytest.approx(max(small) / max(size))
    assert (grey == 76).all()  # the weight of red


@pytest.mark.parametrize(("points", "share"), [(5, 2 / 5), (4, np.nan)])
def test_fewer_than_five_points_say_nothing(points: int, share: float) -> None:
    before = np.ones((1, points), bool)
    after = np.arange(points)[None] < 2
    np.testing.assert_allclose(shared(before, after), [[share]])


def test_a_pickled_matcher_goes_on_where_it_was() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    image = np.kron(image, np.ones((8, 8, 1), np.uint8))
    matcher = PointMatcher()
    matcher.advance(image)
    again = pickle.loads(pickle.dumps(matcher))
    moved = np.roll(image, 4, axis=1)
    one, other = matcher.advance(moved), again.advance(moved)
    assert len(one.before) > 20
    np.testing.assert_array_equal(one.before, other.before)
    np.testing.assert_array_equal(one.after, other.after)
