from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidpose.video.orientation import Orientation

ONE = 1 << 16
DIHEDRAL = [
    (a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30)
    for a, b, c, d in [
        *[(1, 0, 0, 1), (-1, 0, 0, 1), (1, 0, 0, -1), (-1, 0, 0, -1)],
        *[(0, 1, 1, 0), (0, 1, -1, 0), (0, -1, 1, 0), (0, -1, -1, 0)],
    ]
]


@given(st.sampled_from(DIHEDRAL), st.integers(1, 5), st.integers(1, 5))
def test_every_pixel_goes_where_the_matrix_sends_it(
    matrix: tuple[int, ...], height: int, width: int
) -> None:
    stored = np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)
    orientation = Orientation.from_display_matrix(matrix)
    shown = orientation.apply(stored)
    assert (shown.shape[1], shown.shape[0]) == orientation.shown_size(width, height)
    a, b, c, d = (matrix[i] // ONE for i in (0, 1, 3, 4))
    # Pixel centres; the matrix' shift is what brings the picture back to the origin.
    corners = [(a * p + c * q, b * p + d * q) for p in (0, width) for q in (0, height)]
    shift_x, shift_y = -min(x for x, _ in corners), -min(y for _, y in corners)
    for q in range(height):
        for p in range(width):
            x = a * (p + 0.5) + c * (q + 0.5) + shift_x - 0.5
            y = b * (p + 0.5) + d * (q + 0.5) + shift_y - 0.5
            np.testing.assert_array_equal(shown[int(y), int(x)], stored[q, p])


def test_the_result_is_contiguous() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    for matrix in DIHEDRAL:
        assert Orientation.from_display_matrix(matrix).apply(image).flags.c_contiguous


@pytest.mark.parametrize("matrix", [(0,) * 9, (60000, 9000, 0, -9000, 60000, 0, 0, 0, 1)])
def test_an_empty_matrix_and_a_small_angle_change_nothing(matrix: tuple[int, ...]) -> None:
    assert Orientation.from_display_matrix(matrix) == Orientation()
