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
SIDES_TIME_CONSTANT = 0.1  # s, of the velocities of the box's sides
TREMBLE = 0.03  # part of the body's longer side that a side of its box moves without heading there
REACH = 0.25  # part of the body's sides by which it may be expected to spread in a frame
EDGE = 0.02  # part of the body's longer side that the crop must have around it


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
    region: CropRegion,
    box: Box,
    seconds: float,
    *,
    aspect: float,
    padding: float,
    spreading: Vector | None = None,
) -> CropRegion:
    """The crop for the next frame, given the body's expected box in it and the velocities of the
    box's sides (`side_offsets`, in px/s).

    The crop rests while the body stays within `STILL` of the crop's middle, then is dragged
    along; its size ignores small changes and follows larger ones smoothly. So the picture in the
    crop stays aligned from frame to frame, as the kernels need it. But it holds the box in any
    case, and where the sides head: a body that the crop cuts off looks smaller than it is.
    """
    target = region_around(box, aspect=aspect, padding=padding)
    growth = target.h / region.h
    height = region.h
    if abs(growth - 1.0) > SAME_SIZE:
        height *= growth ** (seconds / (seconds + RESIZE))
    width = height * aspect
    x = _drag(region.center[0], target.center[0], STILL * width)
    y = _drag(region.center[1], target.center[1], STILL * height)
    followed = CropRegion(x - width / 2, y - height / 2, width, height)
    whole = box if spreading is None else spread_box(box, spreading, seconds)
    return holding(followed, whole, aspect)


def side_offsets(before: Box, after: Box) -> Vector:
    """How far in pixels a box's left, top, right and bottom side have moved."""
    return _sides(after) - _sides(before)


def spread_box(box: Box, velocity: Vector, seconds: float) -> Box:
    """The box with those of its sides moved outwards that head there; `velocity`: of its sides, as
    in `side_offsets`, in px/s."""
    _, _, w, h = box
    most = REACH * np.array([w, h, w, h])
    moved = velocity * seconds
    moved = np.sign(moved) * np.maximum(np.abs(moved) - TREMBLE * max(w, h), 0.0)
    left, top, right, bottom = _sides(box) + np.clip(
        moved, (-most[0], -most[1], 0, 0), (0, 0, most[2], most[3])
    )
    return float(left), float(top), float(right - left), float(bottom - top)


def holding(region: CropRegion, box: Box, aspect: float) -> CropRegion:
    """The region, moved and enlarged no more than it takes to hold the box with its `EDGE`."""
    edge = EDGE * max(box[2], box[3])
    left, top, right, bottom = _sides(box) + edge * np.array([-1, -1, 1, 1])
    height = max(region.h, bottom - top, (right - left) / aspect)
    width = height * aspect
    x, y = region.center[0] - width / 2, region.center[1] - height / 2
    x = min(max(x, right - width), left)
    y = min(max(y, bottom - height), top)
    return CropRegion(float(x), float(y), float(width), float(height))


def _sides(box: Box) -> Vector:
    x, y, w, h = box
    return np.array([x, y, x + w, y + h])


def _drag(position: float, target: float, slack: float) -> float:
    return min(max(position, target - slack), target + slack)
