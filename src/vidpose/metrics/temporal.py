"""How a pose moves: acceleration error against the truth, and jitter where there is no truth.

Both rest on the second difference of three neighbouring frames. Given times it is the second
divided difference scaled to a nominal frame step, which at a constant rate is exactly
x[t-1] - 2 x[t] + x[t+1], and with dropped or irregular frames still is zero for uniform motion.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def second_difference(
    keypoints: ArrayLike, times: ArrayLike | None = None, *, step: float | None = None
) -> NDArray[np.float64]:
    """Second differences (T-2, ..., 2) of keypoints (T, ..., 2+), in pixels per frame squared.

    `times` (T,) are seconds, strictly rising; `step` the seconds that one nominal frame lasts
    (the median step if not given). Raises ValueError where times do not rise.
    """
    points = np.asarray(keypoints, float)[..., :2]
    if points.shape[0] < 3:
        return np.zeros((0, *points.shape[1:]))
    if times is None:
        plain: NDArray[np.float64] = points[:-2] - 2 * points[1:-1] + points[2:]
        return plain
    gaps = np.diff(np.asarray(times, float))
    if not (gaps > 0).all():
        raise ValueError("times must rise from frame to frame")
    nominal = float(np.median(gaps)) if step is None else step
    gaps = gaps.reshape(-1, *[1] * (points.ndim - 1))
    velocity = np.diff(points, axis=0) / gaps
    middle = (gaps[:-1] + gaps[1:]) / 2
    acceleration: NDArray[np.float64] = np.diff(velocity, axis=0) / middle
    return acceleration * nominal**2


def acceleration_error(
    predicted: ArrayLike,
    truth: ArrayLike,
    valid: ArrayLike,
    size: ArrayLike,
    times: ArrayLike | None = None,
    *,
    step: float | None = None,
) -> float:
    """Mean |second difference of prediction - of truth| over joints, divided by `size`.

    predicted, truth (T, K, 2+); valid (T, K): a joint counts where it is valid in all three
    frames; size: one length or (T,) lengths in pixels, the middle frame's is used. NaN if
    nothing counts.
    """
    difference = np.asarray(predicted, float)[..., :2] - np.asarray(truth, float)[..., :2]
    return jitter(difference, valid, size, times, step=step)


def jitter(
    keypoints: ArrayLike,
    valid: ArrayLike,
    size: ArrayLike,
    times: ArrayLike | None = None,
    *,
    step: float | None = None,
) -> float:
    """Mean |second difference| of keypoints (T, K, 2+), divided by `size`; see above.

    Real motion accelerates too: compare methods on the same frames, not one with zero.
    """
    points = np.asarray(keypoints, float)[..., :2]
    known = np.asarray(valid, bool) & np.isfinite(points).all(axis=-1)
    magnitude = np.linalg.norm(second_difference(points, times, step=step), axis=-1)
    counted = known[:-2] & known[1:-1] & known[2:]
    length = np.broadcast_to(np.asarray(size, float), points.shape[:1])[1:-1]
    values = (magnitude / length[:, None])[counted]
    return float(values.mean()) if values.size else float("nan")
