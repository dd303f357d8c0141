"""Where a person will be: a constant-velocity model of the middle, and a crop that follows it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vidpose.inference.boxes import Box
from vidpose.inference.crop import CropRegion, region_around
from vidpose.inference.pose import SEEN

Vector = NDArray[np.float64]

TIME_CONSTANT = 0.25  # s, of the velocity estimate
OVERLAP_TIME_CONSTANT = 1.0  # s, the same while another person is so close that poses may jump
COAST = 3.0  # s, time constant after which an unseen person is thought to have slowed down

STILL = 0.04  # part of the crop's sides that the body may move before the crop does
SAME_SIZE = 0.1  # relative change of size that the crop's size ignores
RESIZE = 0.15  # s, time constant with which the crop's size follows


def extrapolate(velocity: Vector, seconds: float) -> Vector:
    """Offset (x, y) in pixels of a person who moves at `velocity` px/s and slows down unseen."""
    return velocity * (COAST * (1.0 - math.exp(-seconds / COAST)))


def displacement(before: NDArray[np.float32], after: NDArray[np.float32]) -> Vector | None:
    """Offset (x, y) in pixels of the middle of the body, from keypoints (K, 3) of two frames.

    The median over the keypoints seen in both: swinging limbs and keypoints that come and go do
    not move the body. None when fewer than three are seen in both.
    """
    known = np.minimum(before[:, 2], after[:, 2]) >= SEEN
    if np.count_nonzero(known) < 3:
        return None
    return np.asarray(np.median(after[known, :2] - before[known, :2], axis=0), np.float64)


def update_velocity(velocity: Vector, offset: Vector, seconds: float, constant: float) -> Vector:
    """Velocity in px/s after another displacement `offset` in `seconds`; `constant`: s."""
    weight = seconds / (seconds + constant)
    return velocity + weight * (offset / seconds - velocity)


def follow_box(
    region: CropRegion, box: Box, seconds: float, *, aspect: float, padding: float
) -> CropRegion:
    """The crop for the next frame, given the body's expected box in it.

    The crop rests while the body stays within `STILL` of the crop's middle, then is dragged
    along; its size ignores small changes and follows larger ones smoothly. So the picture in the
    crop stays aligned from frame to frame, as the kernels need it.
    """
    target = region_around(box, aspect=aspect, padding=padding)
    growth = target.h / region.h
    height = region.h
    if abs(growth - 1.0) > SAME_SIZE:
        height *= growth ** (seconds / (seconds + RESIZE))
    width = height * aspect
    x = _drag(region.center[0], target.center[0], STILL * width)
    y = _drag(region.center[1], target.center[1], STILL * height)
    return CropRegion(x - width / 2, y - height / 2, width, height)


def _drag(position: float, target: float, slack: float) -> float:
    return min(max(position, target - slack), target + slack)
