"""Crops: where points and pixels of the image go, and back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidpose.inference.crop import (
    CropRegion,
    crop_image,
    region_around,
    to_crop,
    to_image,
    widened,
)

SIZE = (256, 192)

coordinates = st.floats(-500, 2000, width=32)
lengths = st.floats(1, 1500, width=32)
regions = st.builds(CropRegion, coordinates, coordinates, lengths, lengths)
boxes = st.tuples(coordinates, coordinates, st.floats(0, 1500), st.floats(0, 1500))


@given(regions, st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=5))
def test_points_go_to_the_crop_and_back(
    region: CropRegion, points: list[tuple[float, float]]
) -> None:
    image = np.array(points, np.float32)
    # float32 keeps seven digits of a crop coordinate, which is large for tiny regions.
    slack = 1e-3 * max(1.0, np.abs(image).max() / 100)
    np.testing.assert_allclose(
        to_image(to_crop(image, region, SIZE), region, SIZE), image, atol=slack
    )


def test_further_columns_are_kept_and_the_input_is_not_changed() -> None:
    points = np.array([[[10, 20, 0.25], [30, 40, 0.5]]], np.float32)
    before = points.copy()
    moved = to_crop(points, CropRegion(4, 8, 96, 128), SIZE)
    np.testing.assert_array_equal(moved[..., 2], before[..., 2])
    np.testing.assert_array_equal(points, before)


def test_the_region_s_corners_are_the_crop_s_outer_edges() -> None:
    region = CropRegion(x=10, y=20, w=96, h=128)
    corners = np.array([[10, 20], [10 + 96, 20 + 128]], np.float32) - 0.5  # edges as keypoints
    np.testing.assert_allclose(to_crop(corners, region, SIZE), [[-0.5, -0.5], [191.5, 255.5]])


@given(boxes, st.floats(0.4, 2.5), st.floats(1.0, 2.0))
def test_a_region_has_its_shape_and_holds_the_padded_box(
    box: tuple[float, float, float, float], aspect: float, padding: float
) -> None:
    region = region_around(box, aspect=aspect, padding=padding)
    x, y, w, h = box
    slack = 1e-6 * (1 + max(map(abs, box)))
    assert region.w / region.h == pytest.approx(aspect)
    assert region.center == pytest.approx((x + w / 2, y + h / 2), abs=slack)
    assert region.w >= w * padding - slack
    assert region.h >= h * padding - slack
    tight = (region.w <= w * padding + slack) or (region.h <= max(h, 1) * padding + slack)
    assert tight or region.h <= padding + slack  # an empty box still gives a region


def _centre_of_brightness(crop: np.ndarray) -> np.ndarray:
    mass = crop[..., 0].astype(np.float64)
    rows, columns = np.mgrid[: crop.shape[0], : crop.shape[1]]
    return np.array([(mass * columns).sum(), (mass * rows).sum()]) / mass.sum()


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.0, 1.7, 2.0, 2.6, 3.0, 5.3])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (13.37, -7.61)])
def test_pixels_go_where_points_go(factor: float, shift: tuple[float, float]) -> None:
    """`factor` image pixels to a crop pixel: enlarged, shrunk, and averaged beyond two."""
    image = np.zeros((900, 800, 3), np.uint8)
    spot = np.array([431.0, 388.0], np.float32)
    cv2.circle(image, (431, 388), max(3, int(2 * factor)), (255, 255, 255), -1)
    size = (128, 96)
    region = CropRegion(
        431 - 40 * factor + shift[0], 388 - 50 * factor + shift[1], 96 * factor, 128 * factor
    )
    found = _centre_of_brightness(crop_image(image, region, size))
    expected = to_crop(spot, region, size)
    assert np.linalg.norm(found - expected) < 0.3


@pytest.mark.parametrize("factor", [2.0, 2.5, 4.0])
def test_a_fine_pattern_is_averaged_when_shrunk(factor: float) -> None:
    """Stripes of one pixel become grey, not a moire of black and white."""
    image = np.zeros((512, 384, 3), np.uint8)
    image[:, ::2] = 255
    crop = crop_image(image, CropRegion(0, 0, 96 * factor, 128 * factor), (128, 96))
    middle = crop[5:-5, 5:-5]
    assert np.abs(middle.astype(int) - 127).max() <= 2


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_outside_the_image_is_black(factor: float) -> None:
    image = np.full((60, 60, 3), 200, np.uint8)
    partly = crop_image(image, CropRegion(-48 * factor, 0, 96 * factor, 128 * factor), (128, 96))
    assert not partly[:, :46].any()
    assert (partly[2 : int(58 / factor) - 2, 50] == 200).all()
    away = crop_image(image, CropRegion(5000, 5000, 96 * factor, 128 * factor), (128, 96))
    assert away.shape == (128, 96, 3)
    assert not away.any()


@pytest.mark.parametrize(
    ("region", "aspect", "whole"),
    [
        (CropRegion(10, 20, 40, 80), 2.0, CropRegion(-50, 20, 160, 80)),
        (CropRegion(10, 20, 80, 20), 0.5, CropRegion(10, -50, 80, 160)),
        (CropRegion(10, 20, 40, 80), 0.5, CropRegion(10, 20, 40, 80)),
    ],
)
def test_a_widened_region_keeps_its_middle(
    region: CropRegion, aspect: float, whole: CropRegion
) -> None:
    assert widened(region, aspect) == whole
