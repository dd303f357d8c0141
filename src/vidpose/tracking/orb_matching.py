"""Points of the previous frame found again in the present one (ORB), for any two pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 640  # px, longer side of the picture in which points are detected
POINTS = 500
LEAST = 5  # matched points below which their share says nothing

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Matched points (P, 2) in image pixels: `before[i]` in one frame is `after[i]` in the next."""

    before: Points
    after: Points


class PointMatcher:
    """Matches each frame's points with those of the frame before."""

    def __init__(self) -> None:
        self._points: Points = np.zeros((0, 2))
        self._descriptors: NDArray[np.uint8] | None = None
        self._prepare()

    def _prepare(self) -> None:
        """OpenCV's parts: they remember nothing, and cannot be pickled."""
        self._orb = cv2.ORB.create(POINTS)
        self._matcher = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True)

    def __getstate__(self) -> dict[str, Any]:
        return {"_points": self._points, "_descriptors": self._descriptors}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._prepare()

    def advance(self, image: NDArray[np.uint8]) -> Matches:
        """Matches from the previous frame (none in the first) to `image`, RGB."""
        grey, scale = small_grey(image, SIDE)
        found, computed = self._orb.detectAndCompute(grey, None)
        descriptors = None if not found else np.asarray(computed, np.uint8)
        points = (np.array([each.pt for each in found]).reshape(-1, 2) + 0.5) / scale - 0.5
        pairs = self._match(self._descriptors, descriptors)
        old, new = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
        matches = Matches(self._points[old], points[new])
        self._points, self._descriptors = points, descriptors
        return matches

    def _match(
        self, before: NDArray[np.uint8] | None, after: NDArray[np.uint8] | None
    ) -> list[tuple[int, int]]:
        if before is None or after is None:
            return []
        return [(each.queryIdx, each.trainIdx) for each in self._matcher.match(before, after)]


def shared(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share (N, M) of matches in both of two regions among those in either; NaN if too few.

    `before` (N, P), `after` (M, P): which matched points lie in which region.
    """
    both = before.astype(np.float64) @ after.T.astype(np.float64)
    either = before.sum(axis=1)[:, None] + after.sum(axis=1)[None] - both
    share = np.full(both.shape, np.nan)
    np.divide(both, either, out=share, where=either >= LEAST)
    return share


def small_grey(image: NDArray[np.uint8], side: int) -> tuple[NDArray[np.uint8], float]:
    """The RGB picture in grey, its longer side at most `side` px, and the factor to it."""
    scale = min(side / max(image.shape[:2]), 1.0)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if scale < 1.0:
        size = max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1)
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8), scale
