"""One-Euro filter of a person's keypoints (Casiez, Roussel, Vogel, CHI 2012).

A first-order low-pass filter whose cut-off rises with speed: calm at rest, quick in motion.
Each step uses the true time since the previous frame, and lengths are measured in the person's
size, so that the same settings suit any frame rate, resolution and distance.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vidpose.tracking.settings import SmoothingSettings


class OneEuroFilter:
    """The filter's state for one person's keypoints."""

    def __init__(self, settings: SmoothingSettings) -> None:
        self._settings = settings
        self._time = 0.0
        self._points: NDArray[np.float64] | None = None
        self._speed: NDArray[np.float64] | None = None

    def __call__(
        self, points: NDArray[np.float32], time: float, size: float
    ) -> NDArray[np.float32]:
        """Filtered points (K, 2) in pixels.

        Args:
            points: (K, 2) pixels.
            time: s; a time not after the previous one returns the previous points.
            size: the person's size in pixels, more than 0.
        """
        if self._points is None or time - self._time > self._settings.max_gap:
            self._points = points.astype(np.float64)
            self._speed = np.zeros_like(self._points)
        elif time > self._time:
            self._advance(points.astype(np.float64), time - self._time, size)
        self._time = time
        return self._points.astype(np.float32)

    def _advance(self, points: NDArray[np.float64], step: float, size: float) -> None:
        assert self._points is not None
        assert self._speed is not None
        settings = self._settings
        raw_speed = (points - self._points) / (step * size)
        self._speed += _blend(settings.speed_cutoff, step) * (raw_speed - self._speed)
        # One cut-off for both axes, as a keypoint has one speed.
        speed = np.hypot(self._speed[:, 0], self._speed[:, 1])[:, None]
        cutoff = settings.min_cutoff + settings.beta * speed
        self._points += _blend(cutoff, step) * (points - self._points)


def _blend(cutoff: NDArray[np.float64] | float, step: float) -> NDArray[np.float64] | float:
    """Weight of the new value for a cut-off frequency (Hz) and a time step (s)."""
    return step / (step + 1.0 / (2.0 * math.pi * cutoff))
