"""From heatmap logits to keypoints.

Each map is a spatial distribution (softmax over its cells). A keypoint is the mean position of the
mass in the window that holds the most of it, its raw confidence that mass: 1 when the network puts
everything there, small when it wavers. So several cells that agree outweigh a single higher one.
Raw confidences become probabilities through the calibration that a bundle carries.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

WINDOW = 2  # cells on each side of the middle one


def decode_maps(
    logits: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Sub-pixel places of keypoints in heatmap logits.

    Args:
        logits: (N, K, h, w), any real values; h and w at least 1.

    Returns:
        points (N, K, 2): x, y in map cells, origin at the centre of the top-left cell;
        mass (N, K): probability inside the window, in [0, 1].
    """
    n, k, height, width = logits.shape
    flat = logits.reshape(n * k, height * width)
    weights = np.exp(flat - flat.max(axis=1, keepdims=True))
    total = weights.sum(axis=1)
    padded = np.zeros((n * k, height + 2 * WINDOW, width + 2 * WINDOW), np.float32)
    padded[:, WINDOW:-WINDOW, WINDOW:-WINDOW] = weights.reshape(n * k, height, width)
    rows, columns = np.divmod(_window_sums(padded).reshape(n * k, -1).argmax(axis=1), width)
    offsets = np.arange(-WINDOW, WINDOW + 1)
    window = padded[
        np.arange(n * k)[:, None, None],
        (rows[:, None] + WINDOW + offsets)[:, :, None],
        (columns[:, None] + WINDOW + offsets)[:, None, :],
    ]
    mass = window.sum(axis=(1, 2))
    x = columns + (window.sum(axis=1) @ offsets) / mass
    y = rows + (window.sum(axis=2) @ offsets) / mass
    points = np.stack([x, y], axis=-1).reshape(n, k, 2).astype(np.float32)
    return points, (mass / total).reshape(n, k).astype(np.float32)


def _window_sums(padded: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sums of the windows around every cell but the `WINDOW` outermost, which are empty."""
    maps, height, width = padded.shape
    side = 2 * WINDOW + 1
    stacked = padded.reshape(maps * height, width)  # empty rows keep the maps apart
    sums = cv2.boxFilter(stacked, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
    inner = sums.reshape(padded.shape)[:, WINDOW:-WINDOW, WINDOW:-WINDOW]
    return np.asarray(inner, np.float32)


def map_to_crop(points: NDArray[np.float32], stride: float) -> NDArray[np.float32]:
    """Points (..., 2) from map cells to crop pixels: cell i lies at (i + 0.5) * stride - 0.5."""
    return np.asarray((points + 0.5) * stride - 0.5, dtype=np.float32)
