"""Boxes (x, y, w, h) in edge coordinates: overlap, suppression and one-to-one matching."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Floats = NDArray[np.floating]
Box = tuple[float, float, float, float]
Boxes = NDArray[np.float64]
Scores = NDArray[np.float64]


def inside(box: Box, size: tuple[int, int]) -> Box:
    """The part of a box that lies in an image of `size` (height, width); may be empty."""
    x, y, w, h = box
    left, top = min(max(x, 0.0), size[1]), min(max(y, 0.0), size[0])
    right, bottom = max(min(x + w, size[1]), left), max(min(y + h, size[0]), top)
    return left, top, right - left, bottom - top


def iou(a: Floats, b: Floats) -> NDArray[np.float64]:
    """Intersection over union (N, M) of boxes (N, 4) and (M, 4)."""
    both, first, second = _areas(a, b)
    return _ratio(both, first + second - both)


def smaller_covered(a: Floats, b: Floats) -> NDArray[np.float64]:
    """Intersection over the smaller one's area (N, M) of boxes (N, 4) and (M, 4)."""
    both, first, second = _areas(a, b)
    return _ratio(both, np.minimum(first, second))


def _areas(a: Floats, b: Floats) -> tuple[NDArray[np.float64], ...]:
    """Of the intersections (N, M), of the boxes a (N, 1) and of the boxes b (1, M)."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, :2] + a[:, None, 2:], b[None, :, :2] + b[None, :, 2:])
    both = np.clip(high - low, 0.0, None).prod(axis=-1)
    return both, a[:, None, 2:].prod(axis=-1), b[None, :, 2:].prod(axis=-1)


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio = np.zeros(part.shape)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio


def contained(box: Box, others: Floats) -> NDArray[np.float64]:
    """Part (M,) of a box that lies in each of the boxes (M, 4)."""
    x, y, w, h = box
    low = np.maximum(others[:, :2], (x, y))
    high = np.minimum(others[:, :2] + others[:, 2:], (x + w, y + h))
    return np.asarray(np.clip(high - low, 0.0, None).prod(axis=1) / (w * h))


def grow(boxes: Floats, by: Floats) -> NDArray[np.float64]:
    """Boxes (N, 4) with `by` (N,) of their sides added on each side."""
    margin = boxes[:, 2:] * by[:, None]
    return np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + 2 * margin], axis=1)


def suppress(boxes: Floats, scores: Floats, threshold: float) -> NDArray[np.intp]:
    """Non-maximum suppression: indices of the boxes to keep, best first.

    A box goes when its IoU with a better one that stays is above `threshold`.
    """
    order = np.argsort(-scores, kind="stable")
    overlap = iou(boxes[order], boxes[order]) > threshold
    stays = np.ones(len(order), dtype=bool)
    for i in range(len(order)):
        if stays[i]:
            stays[i + 1 :] &= ~overlap[i, i + 1 :]
    return order[stays]


def match(similarity: Floats, threshold: float) -> list[tuple[int, int]]:
    """One-to-one pairs (row, column) of the greatest total similarity, each above `threshold`."""
    if not similarity.size:
        return []
    useful = np.where(similarity > threshold, similarity, 0.0)
    rows, columns = linear_sum_assignment(useful, maximize=True)
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if useful[r, c] > 0]
