"""Does a confidence mean what it says? Reliability, and the monotone fit that repairs it.

A confidence is calibrated if, among joints given 0.8, eight in ten are right. "Right" has to be
said: in this project's figures a joint is right if it lies within 0.2 torso of the truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Reliability:
    """The rows of a reliability diagram: equally wide bins of confidence, empty bins left out.

    `edges` (B, 2) are the bins; `counts`, `confidence` (mean) and `accuracy` (share right) are
    (B,). `ece` is the expected calibration error, mean |confidence - accuracy| weighted by
    counts; `brier` the mean squared error of the confidence as a probability.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    ece: float
    brier: float

    def markdown(self) -> str:
        """The diagram as a table."""
        rows = ["| confidence | joints | mean confidence | right |", "|---|---|---|---|"]
        cells = zip(self.edges, self.counts, self.confidence, self.accuracy, strict=True)
        for (low, high), count, confidence, accuracy in cells:
            rows.append(f"| {low:.1f}-{high:.1f} | {count} | {confidence:.3f} | {accuracy:.3f} |")
        return "\n".join([*rows, "", f"ECE {self.ece:.4f}, Brier {self.brier:.4f}"])


def reliability(confidence: ArrayLike, right: ArrayLike, *, bins: int = 10) -> Reliability:
    """Reliability of confidences (N,) in [0, 1] whose joints are `right` (N,) or not.

    A bin holds its lower edge; the last one holds 1 too. Raises ValueError for confidences
    outside [0, 1].
    """
    values, truth = np.asarray(confidence, float).ravel(), np.asarray(right, float).ravel()
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        raise ValueError("confidences must lie in [0, 1]")
    index = np.minimum((values * bins).astype(int), bins - 1)
    counts = np.bincount(index, minlength=bins)
    full = np.flatnonzero(counts)
    mean_confidence = np.bincount(index, values, bins)[full] / counts[full]
    accuracy = np.bincount(index, truth, bins)[full] / counts[full]
    gaps = np.abs(mean_confidence - accuracy)
    return Reliability(
        edges=np.stack([full, full + 1], axis=1) / bins,
        counts=counts[full].astype(np.int64),
        confidence=mean_confidence,
        accuracy=accuracy,
        ece=float((gaps * counts[full]).sum() / max(values.size, 1)),
        brier=float(((values - truth) ** 2).mean()) if values.size else float("nan"),
    )


def pool_adjacent_violators(values: ArrayLike, weights: ArrayLike) -> NDArray[np.float64]:
    """The non-decreasing sequence (N,) nearest to `values` (N,) in weighted squares."""
    blocks: list[tuple[float, float, int]] = []
    pairs = zip(np.asarray(values, float), np.asarray(weights, float), strict=True)
    for mean, weight in pairs:
        length = 1
        while blocks and blocks[-1][0] >= mean:
            before, heavy, count = blocks.pop()
            mean = (before * heavy + mean * weight) / (heavy + weight)
            weight, length = heavy + weight, length + count
        blocks.append((mean, weight, length))
    means, lengths = [block[0] for block in blocks], [block[2] for block in blocks]
    return np.repeat(np.array(means, float), np.array(lengths, int))


def fit_calibration(raw: ArrayLike, right: ArrayLike, *, bins: int = 20) -> list[list[float]]:
    """Points [[raw, calibrated], ...] of a monotone piecewise-linear map from raw confidence.

    Equally filled bins of raw confidence (N,), their shares of `right` (N,) made monotone, one
    point at each bin's mean, at least two in all. Raw values rise strictly, calibrated ones never
    fall, and outside the points the ends hold (`apply_calibration`). Each share is pulled towards
    one half by a single pseudo-observation, so that no finite sample promises certainty. Raises
    ValueError with fewer than two different raw values.
    """
    values, truth = np.asarray(raw, float).ravel(), np.asarray(right, float).ravel()
    if np.unique(values).size < 2:
        raise ValueError("a calibration needs at least two different raw confidences")
    inner = np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1])
    index = np.searchsorted(np.unique(inner), values, side="left")
    counts = np.bincount(index)
    full = np.flatnonzero(counts)
    centre = np.bincount(index, values)[full] / counts[full]
    share = (np.bincount(index, truth)[full] + 0.5) / (counts[full] + 1)
    level = pool_adjacent_violators(share, counts[full])
    if full.size == 1:  # one raw value fills nearly everything
        centre, level = np.array([values.min(), values.max()]), np.repeat(level, 2)
    # The inner points of a flat stretch say nothing.
    flat = np.zeros(level.size, bool)
    flat[1:-1] = (level[1:-1] == level[:-2]) & (level[1:-1] == level[2:])
    pairs = zip(centre[~flat], level[~flat], strict=True)
    return [[float(value), float(calibrated)] for value, calibrated in pairs]


def apply_calibration(points: ArrayLike, raw: ArrayLike) -> NDArray[np.float64]:
    """Calibrated confidences, linear between the points (M, 2), constant outside them."""
    table = np.asarray(points, float)
    return np.asarray(np.interp(np.asarray(raw, float), table[:, 0], table[:, 1]))
