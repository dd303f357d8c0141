"""From what other projects' networks give for a crop to keypoints.

All functions return points (N, K, 2), x and y in pixels of the crop with the origin at the centre
of the first, and raw confidences (N, K) in [0, 1].
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vidpose.bundle import Size
from vidpose.bundle.imported import Refinement

BLUR = 11  # cells, of the Gaussian that DARK smooths maps with, as published for sigma 2
_NEAR = 2  # cells around a peak that the second-order expansion needs
_LEAST = {"dark": 1e-10, "udp": 1e-3}  # height below which a logarithm is taken of this instead

Floats = NDArray[np.float32]
Keypoints = tuple[Floats, Floats]


def decode_heatmaps(maps: Floats, size: Size, refinement: Refinement) -> Keypoints:
    """Peaks of heatmaps (N, K, h, w) for a crop of `size` (height, width).

    - "quarter": from the best cell a quarter of a cell towards the higher neighbour, in x and in
      y (Newell et al., ECCV 2016). Cell i lies at pixel i * stride.
    - "dark": to the top of the Gaussian through the peak of the smoothed map (Zhang et al., CVPR
      2020). Cell i lies at pixel i * stride.
    - "udp": the same with the differences of MMPose's UDP; the first cell's middle lies on the
      first pixel's and the last on the last (Huang et al., CVPR 2020).
    """
    n, k, height, width = maps.shape
    flat = maps.reshape(n * k, height * width)
    best = flat.argmax(axis=1)
    scores = flat[np.arange(n * k), best]
    rows, columns = np.divmod(best, width)
    cells = np.stack([columns, rows], axis=1).astype(np.float64)
    planes = maps.reshape(n * k, height, width)
    if refinement == "quarter":
        cells += _quarter(planes, rows, columns)
    else:
        cells += _expansion(planes, rows, columns, refinement)
    pixels = np.array([size[1], size[0]], np.float64)
    if refinement == "udp":
        scale = (pixels - 1) / (np.array([width, height]) - 1)
    else:
        scale = pixels / [width, height]
    points = (cells * scale).reshape(n, k, 2).astype(np.float32)
    return points, np.clip(scores, 0.0, 1.0).reshape(n, k)


def decode_simcc(x: Floats, y: Floats, size: Size) -> Keypoints:
    """Best bins of scores (N, K, X) and (N, K, Y) for a crop of `size` (height, width).

    Pixel u of the crop is bin u * X / width. The confidence is the lesser of the two scores.
    """
    points = np.stack(
        [x.argmax(axis=2) * (size[1] / x.shape[2]), y.argmax(axis=2) * (size[0] / y.shape[2])],
        axis=2,
    )
    scores = np.minimum(x.max(axis=2), y.max(axis=2))
    return points.astype(np.float32), np.clip(scores, 0.0, 1.0)


def decode_coordinates(values: Floats, size: Size, order: str) -> Keypoints:
    """Coordinates (N, ..., K, 2 or 3) as parts of the sides of a crop of `size` (height, width).

    `order`: "xy" or "yx". Without a third column every confidence is 1.
    """
    table = values.reshape(len(values), -1, values.shape[-1])
    x, y = (table[..., order.index(axis)] for axis in "xy")
    points = np.stack([x * size[1] - 0.5, y * size[0] - 0.5], axis=2)
    scores = table[..., 2] if table.shape[2] == 3 else np.ones(table.shape[:2], np.float32)
    return points.astype(np.float32), np.clip(scores, 0.0, 1.0)


def _quarter(
    planes: Floats, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> NDArray[np.float64]:
    index = np.arange(len(planes))
    height, width = planes.shape[1:]
    inside = (columns > 1) & (columns < width - 1) & (rows > 1) & (rows < height - 1)
    right, left = (planes[index, rows, (columns + d) % width] for d in (1, -1))
    below, above = (planes[index, (rows + d) % height, columns] for d in (1, -1))
    signs = np.stack([np.sign(right - left), np.sign(below - above)], axis=1)
    return np.asarray(0.25 * signs * inside[:, None], np.float64)


def _expansion(
    planes: Floats, rows: NDArray[np.intp], columns: NDArray[np.intp], refinement: Refinement
) -> NDArray[np.float64]:
    """From the best cells to the tops of the parabolas through the smoothed maps' logarithms."""
    height, width = planes.shape[1:]
    logs = np.log(np.maximum(_smoothed(planes, rows, columns, refinement), _LEAST[refinement]))

    def at(dx: int, dy: int) -> NDArray[np.float64]:
        return np.asarray(logs[:, _NEAR + dy, _NEAR + dx])

    gradient = np.stack([at(1, 0) - at(-1, 0), at(0, 1) - at(0, -1)], axis=1) / 2
    if refinement == "dark":
        xx = (at(2, 0) - 2 * at(0, 0) + at(-2, 0)) / 4
        yy = (at(0, 2) - 2 * at(0, 0) + at(0, -2)) / 4
        xy = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / 4
        edge = 2
    else:
        xx = at(1, 0) - 2 * at(0, 0) + at(-1, 0)
        yy = at(0, 1) - 2 * at(0, 0) + at(0, -1)
        xy = (at(1, 1) - at(1, 0) - at(0, 1) + 2 * at(0, 0) - at(-1, 0) - at(0, -1)) / 2
        xy += at(-1, -1) / 2
        edge = 1
    determinant = xx * yy - xy**2
    safe = np.where(np.abs(determinant) < 1e-12, np.inf, determinant)
    gx, gy = gradient.T
    step = -np.stack([yy * gx - xy * gy, xx * gy - xy * gx], axis=1) / safe[:, None]
    inside = (columns >= edge) & (columns < width - edge)
    inside &= (rows >= edge) & (rows < height - edge)
    return np.asarray(np.where(inside[:, None], step, 0.0))


def _smoothed(
    planes: Floats, rows: NDArray[np.intp], columns: NDArray[np.intp], refinement: Refinement
) -> NDArray[np.float64]:
    """Values (M, 5, 5) of the maps smoothed by a Gaussian, around their best cells only."""
    reach = BLUR // 2 + _NEAR
    margin = ((0, 0), (reach, reach), (reach, reach))
    # Original implementations differ in what they see beyond the map's edge.
    if refinement == "dark" or min(planes.shape[1:]) <= reach:
        padded = np.pad(planes, margin)
    else:
        padded = np.pad(planes, margin, mode="reflect")
    offsets = np.arange(2 * reach + 1)
    around = padded[
        np.arange(len(planes))[:, None, None],
        (rows[:, None] + offsets)[:, :, None],
        (columns[:, None] + offsets)[:, None, :],
    ].astype(np.float64)
    sigma = 0.3 * ((BLUR - 1) * 0.5 - 1) + 0.8
    weights = np.exp(-((np.arange(BLUR) - BLUR // 2) ** 2) / (2 * sigma**2))
    smooth = np.zeros((2 * _NEAR + 1, 2 * reach + 1))
    for row in range(2 * _NEAR + 1):
        smooth[row, row : row + BLUR] = weights / weights.sum()
    return np.asarray(smooth @ around @ smooth.T)
