"""Crops of people: regions of an image, and the way of points between image and crop.

A region is given in edge coordinates (0 is the left edge of the first pixel, as COCO boxes);
keypoints have their origin at the centre of the top-left pixel. Crop pixel `u` of an output that
is `n` wide lies at image x = region.x + (u + 0.5) * region.w / n - 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

PADDING = 1.25  # usual factor from a person's box to the crop


@dataclass(frozen=True, slots=True)
class CropRegion:
    """A rectangle in edge coordinates of the image, in pixels; it may reach outside the image."""

    x: float
    y: float
    w: float
    h: float

    @property
    def center(self) -> tuple[float, float]:
        return self.x + self.w / 2, self.y + self.h / 2


def region_around(
    box: tuple[float, float, float, float], *, aspect: float = 0.75, padding: float = PADDING
) -> CropRegion:
    """The smallest region of shape `aspect` (width / height) around a padded box.

    Args:
        box: x, y, w, h in pixels, edge coordinates.
        aspect: width / height of the region.
        padding: factor on the box's sides before the shape is completed.
    """
    x, y, w, h = box
    height = max(h, w / aspect, 1.0) * padding
    width = height * aspect
    return CropRegion(x + w / 2 - width / 2, y + h / 2 - height / 2, width, height)


def widened(region: CropRegion, aspect: float) -> CropRegion:
    """The smallest region of shape `aspect` (width / height) with the same middle around it."""
    if abs(region.w - region.h * aspect) <= 1e-6 * region.h:
        return region
    height = max(region.h, region.w / aspect)
    width = height * aspect
    x, y = region.center
    return CropRegion(x - width / 2, y - height / 2, width, height)


def crop_image(
    image: NDArray[np.uint8], region: CropRegion, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Cut `region` out of `image` and scale it to `size` = (height, width), black outside.

    A region more than twice as large as the output is averaged first, so that the crop does not
    alias. Returns uint8 (height, width, 3).
    """
    height, width = size
    factor = int(min(region.w / width, region.h / height))
    if factor >= 2:
        image, region = _shrink(image, region, factor)
    scale_x, scale_y = region.w / width, region.h / height
    inverse = np.array(
        [
            [scale_x, 0.0, region.x + 0.5 * scale_x - 0.5],
            [0.0, scale_y, region.y + 0.5 * scale_y - 0.5],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    crop = cv2.warpAffine(image, inverse, (width, height), flags=flags)
    return np.asarray(crop, dtype=np.uint8)


def to_crop(
    points: NDArray[np.float32], region: CropRegion, size: tuple[int, int]
) -> NDArray[np.float32]:
    """Points (..., 2 or more) from image pixels to crop pixels; further columns are kept."""
    scale = _scale(region, size)
    out = np.array(points, dtype=np.float32)
    out[..., :2] = (out[..., :2] + 0.5 - _origin(region)) / scale - 0.5
    return out


def to_image(
    points: NDArray[np.float32], region: CropRegion, size: tuple[int, int]
) -> NDArray[np.float32]:
    """Points (..., 2 or more) from crop pixels to image pixels; further columns are kept."""
    scale = _scale(region, size)
    out = np.array(points, dtype=np.float32)
    out[..., :2] = (out[..., :2] + 0.5) * scale + _origin(region) - 0.5
    return out


def _scale(region: CropRegion, size: tuple[int, int]) -> NDArray[np.float32]:
    return np.array([region.w / size[1], region.h / size[0]], dtype=np.float32)


def _origin(region: CropRegion) -> NDArray[np.float32]:
    return np.array([region.x, region.y], dtype=np.float32)


def _shrink(
    image: NDArray[np.uint8], region: CropRegion, factor: int
) -> tuple[NDArray[np.uint8], CropRegion]:
    """The region's part of the image, averaged over `factor` x `factor` pixels."""
    height, width = image.shape[:2]
    left = max(int(np.floor(region.x)) - factor, 0)
    top = max(int(np.floor(region.y)) - factor, 0)
    right = min(int(np.ceil(region.x + region.w)) + factor, width)
    bottom = min(int(np.ceil(region.y + region.h)) + factor, height)
    columns, rows = (right - left) // factor, (bottom - top) // factor
    if columns < 1 or rows < 1:  # the region lies outside the image
        return np.zeros((1, 1, 3), np.uint8), CropRegion(2.0, 2.0, 1.0, 1.0)
    part = image[top : top + rows * factor, left : left + columns * factor]
    small = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    moved = CropRegion(
        (region.x - left) / factor,
        (region.y - top) / factor,
        region.w / factor,
        region.h / factor,
    )
    return np.asarray(small, dtype=np.uint8), moved
