"""From heatmap logits to keypoints.

Each map is a spatial distribution (softmax over its cells). A keypoint is the mean position of the
mass in the window that holds the most of it, its raw confidence that mass: 1 when the network puts
everything there, small when it wavers. So several cells that agree outweigh a single higher one.
Where a keypoint's last place is known, a prior around it helps to choose the window, see
`PlacePrior`; the window is then read as it is, so that nothing is pulled towards that place.
Raw confidences become probabilities through the calibration that a bundle carries.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

WINDOW = 2  # cells on each side of the middle one


@dataclass(frozen=True, slots=True, eq=False)
class PlacePrior:
    """Where keypoints are expected: a Cauchy distribution around each.

    `points`: (N, K, 2) x, y in map cells. `spread`: (N,) cells from there at which a place is half
    as likely; above 0. The tails are heavy, so a map that is sure wins anywhere.
    """

    points: NDArray[np.float32]
    spread: NDArray[np.float32]

    def weigh(self, shares: NDArray[np.float32]) -> NDArray[np.float32]:
        """Maps (N, K, h, w) of `padded_shares` times how likely each cell is.

        In place where it can be: fresh memory takes longer than the arithmetic.
        """
        height, width = shares.shape[2:]
        place = (self.points + WINDOW) / self.spread[:, None, None]
        x = np.arange(width, dtype=np.float32) / self.spread[:, None]
        y = np.arange(height, dtype=np.float32) / self.spread[:, None]
        across = np.square(x[:, None] - place[..., :1])
        down = np.square(y[:, None] - place[..., 1:])
        distances: NDArray[np.float32] = down[..., None] + across[:, :, None]
        distances += 1
        return np.divide(shares, distances, out=distances)


def decode_maps(
    logits: NDArray[np.float32], near: PlacePrior | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Sub-pixel places of keypoints in heatmap logits.

    Args:
        logits: (N, K, h, w), any real values; h and w at least 1.
        near: where the keypoints are expected; None: anywhere.

    Returns:
        points (N, K, 2): x, y in map cells, origin at the centre of the top-left cell;
        mass (N, K): probability inside the window, in [0, 1].
    """
    shares = padded_shares(logits)
    likely = shares if near is None else near.weigh(shares)
    return read_windows(shares, best_windows(likely))


def padded_shares(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """The softmax of each map, with `WINDOW` empty cells around it.

    (N, K, h, w) -> (N, K, h + 2 WINDOW, w + 2 WINDOW), each map with sum 1.
    """
    n, k, height, width = logits.shape
    shares = np.zeros((n, k, height + 2 * WINDOW, width + 2 * WINDOW), np.float32)
    inner = shares[..., WINDOW:-WINDOW, WINDOW:-WINDOW]
    np.exp(logits - logits.max(axis=(2, 3), keepdims=True), out=inner)
    inner /= inner.sum(axis=(2, 3), keepdims=True)
    return shares


def best_windows(shares: NDArray[np.float32]) -> NDArray[np.intp]:
    """Row and column of the cell around which the window holds the most of each map: (N, K, 2)."""
    n, k, height, width = shares.shape
    side = 2 * WINDOW + 1
    stacked = shares.reshape(n * k * height, width)  # empty rows keep the maps apart
    sums = cv2.boxFilter(stacked, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
    inner = sums.reshape(shares.shape)[..., WINDOW:-WINDOW, WINDOW:-WINDOW]
    best = inner.reshape(n, k, -1).argmax(axis=2)
    return np.stack(np.divmod(best, width - 2 * WINDOW), axis=-1)


def read_windows(
    shares: NDArray[np.float32], windows: NDArray[np.intp]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The mean place in one window of each map and the mass in it, as `decode_maps` gives them.

    Args:
        shares: of `padded_shares`.
        windows: (N, K, 2), row and column of the middle cell, as `best_windows` gives them.
    """
    n, k, height, width = shares.shape
    maps = shares.reshape(n * k, height, width)
    rows, columns = windows.reshape(n * k, 2).T
    offsets = np.arange(-WINDOW, WINDOW + 1)
    window = maps[
        np.arange(n * k)[:, None, None],
        (rows[:, None] + WINDOW + offsets)[:, :, None],
        (columns[:, None] + WINDOW + offsets)[:, None, :],
    ]
    mass = window.sum(axis=(1, 2))
    x = columns + (window.sum(axis=1) @ offsets) / mass
    y = rows + (window.sum(axis=2) @ offsets) / mass
    points = np.stack([x, y], axis=-1).reshape(n, k, 2).astype(np.float32)
    return points, np.minimum(mass, 1).reshape(n, k).astype(np.float32)  # rounding may exceed 1


def crop_to_map(points: NDArray[np.float32], stride: float) -> NDArray[np.float32]:
    """Points (..., 2) from crop pixels to map cells, the inverse of `map_to_crop`."""
    return np.asarray((points + 0.5) / stride - 0.5, dtype=np.float32)


def map_to_crop(points: NDArray[np.float32], stride: float) -> NDArray[np.float32]:
    """Points (..., 2) from map cells to crop pixels: cell i lies at (i + 0.5) * stride - 0.5."""
    return np.asarray((points + 0.5) * stride - 0.5, dtype=np.float32)
