"""Percentage of correct keypoints (PCK): normalisers, hits and the means that papers report.

A joint is a hit if its prediction lies within `threshold * size` pixels of the truth. What is
called PCK differs between papers in three ways, and all three are parameters here: what `size`
is (torso, box, head), whether the comparison is `<=` or `<`, and over what the mean is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vidpose.skeleton import Skeleton

Diagonal = Literal["longer", "left", "right"]

SHORTEST_TORSO = 1.0
"""Pixels; a labelled torso shorter than this cannot be a unit of length."""

EXTENT_SHARE = 0.3
"""Of the longer side around a person's keypoints: the unit of length where there is no torso."""

LIMB_GROUPS: Mapping[str, tuple[str, ...]] = {
    "head": ("head", "head_top", "nose"),
    "shoulder": ("left_shoulder", "right_shoulder"),
    "elbow": ("left_elbow", "right_elbow"),
    "wrist": ("left_wrist", "right_wrist"),
    "hip": ("left_hip", "right_hip"),
    "knee": ("left_knee", "right_knee"),
    "ankle": ("left_ankle", "right_ankle"),
}
"""The seven groups of the video literature; a name that a skeleton lacks is passed over."""


@dataclass(frozen=True, slots=True)
class Pck:
    """Shares of hits, each in [0, 1] (NaN where no joint was labelled).

    `names`, `per_joint` (K,) and `counts` (K,) belong together; `counts` are labelled joints.
    """

    names: tuple[str, ...]
    per_joint: NDArray[np.float64]
    counts: NDArray[np.int64]

    @property
    def micro(self) -> float:
        """Hits over labelled joints, all joints in one pot (Penn Action's usual mean)."""
        total = int(self.counts.sum())
        hits = float(np.nansum(self.per_joint * self.counts))
        return hits / total if total else float("nan")

    @property
    def macro(self) -> float:
        """Mean of the joints' own shares; joints never labelled are left out."""
        return _mean(self.per_joint[self.counts > 0])

    def mean_over(self, names: Iterable[str]) -> float:
        """Macro mean over some joints (13 of JHMDB's 15, MPII without pelvis and thorax)."""
        rows = [self.names.index(name) for name in names]
        return _mean(self.per_joint[[row for row in rows if self.counts[row]]])

    def by_group(self, groups: Mapping[str, Sequence[str]] = LIMB_GROUPS) -> dict[str, float]:
        """Mean of each group's joints; groups without a labelled joint are left out."""
        means = {
            group: self.mean_over(name for name in names if name in self.names)
            for group, names in groups.items()
        }
        return {group: mean for group, mean in means.items() if not np.isnan(mean)}

    def group_mean(self, groups: Mapping[str, Sequence[str]] = LIMB_GROUPS) -> float:
        """Macro mean over the groups, each group weighing the same."""
        return _mean(np.array(list(self.by_group(groups).values())))


def torso_size(
    keypoints: ArrayLike,
    labelled: ArrayLike,
    skeleton: Skeleton,
    *,
    diagonal: Diagonal = "longer",
    predicted: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Torso lengths (N,) in pixels of keypoints (N, K, 2+) labelled (N, K).

    `left` is |left shoulder - right hip| (JHMDB; Penn Action, whose joints 3 and 8 these are as
    its files put the right side first), `right` is |right shoulder - left hip|, `longer` the longer
    of those two that are labelled (LSP; a torso seen from the side is short in one of them). Where
    the length is below one pixel, or neither diagonal is labelled, the length of `predicted`
    (N, K, 2+) is used if given. What is still unknown is NaN: such people have no unit of length,
    and `pck` leaves them out.
    """
    truth = _diagonals(np.asarray(keypoints, float), skeleton, diagonal)
    known = np.asarray(labelled, bool)
    pairs = _diagonal_joints(skeleton, diagonal)
    seen = np.stack([known[:, a] & known[:, b] for a, b in pairs], axis=1)
    size = _longest(np.where(seen, truth, np.nan))
    if predicted is not None:
        fallback = _longest(_diagonals(np.asarray(predicted, float), skeleton, diagonal))
        size = np.where(size >= SHORTEST_TORSO, size, fallback)
    usable: NDArray[np.bool_] = size >= SHORTEST_TORSO
    return np.where(usable, size, np.nan)


def person_size(
    keypoints: ArrayLike, labelled: ArrayLike, skeleton: Skeleton
) -> NDArray[np.float64]:
    """The longer torso diagonal (N,) as `torso_size` gives it; for a skeleton without shoulders or
    hips 0.3 of the longer side around the labelled keypoints, about as much of a person."""
    if {"left_shoulder", "right_shoulder", "left_hip", "right_hip"} <= set(skeleton.keypoints):
        return torso_size(keypoints, labelled, skeleton)
    points = np.asarray(keypoints, float)[..., :2]
    known = np.asarray(labelled, bool)[..., None]
    low = np.where(known, points, np.inf).min(axis=1)
    high = np.where(known, points, -np.inf).max(axis=1)
    size = EXTENT_SHARE * (high - low).max(axis=1)
    return np.where(size >= SHORTEST_TORSO, size, np.nan)


def box_size(boxes: ArrayLike) -> NDArray[np.float64]:
    """The longer side (N,) of boxes (N, 4) given as x, y, w, h."""
    sizes: NDArray[np.float64] = np.asarray(boxes, float)[..., 2:4].max(axis=-1)
    return sizes


def head_box_size(head_boxes: ArrayLike) -> NDArray[np.float64]:
    """MPII's head size (N,): 0.6 times the diagonal of the head boxes (N, 4), x, y, w, h."""
    sides = np.asarray(head_boxes, float)[..., 2:4]
    return np.asarray(0.6 * np.hypot(sides[..., 0], sides[..., 1]))


def head_segment_size(
    keypoints: ArrayLike, labelled: ArrayLike, skeleton: Skeleton
) -> NDArray[np.float64]:
    """Distance (N,) from neck to head top, for data without head boxes; NaN where unlabelled."""
    neck, top = (skeleton.keypoints.index(name) for name in ("neck", "head_top"))
    points, known = np.asarray(keypoints, float), np.asarray(labelled, bool)
    length = np.linalg.norm(points[:, neck, :2] - points[:, top, :2], axis=-1)
    return np.where(known[:, neck] & known[:, top], length, np.nan)


def hits(
    predicted: ArrayLike,
    truth: ArrayLike,
    size: ArrayLike,
    *,
    threshold: float = 0.2,
    inclusive: bool = True,
) -> NDArray[np.bool_]:
    """Whether each joint (N, K) of predicted (N, K, 2+) is within threshold * size (N,) pixels.

    `inclusive` compares with `<=`, otherwise `<` (MMPose, MPII). A NaN anywhere is a miss.
    """
    distance = np.linalg.norm(_xy(predicted) - _xy(truth), axis=-1)
    limit = threshold * np.asarray(size, float)[:, None]
    within: NDArray[np.bool_] = distance <= limit if inclusive else distance < limit
    return within


def pck(
    predicted: ArrayLike,
    truth: ArrayLike,
    labelled: ArrayLike,
    size: ArrayLike,
    names: Sequence[str],
    *,
    threshold: float = 0.2,
    inclusive: bool = True,
    tolerated_swaps: Sequence[tuple[int, int]] = (),
) -> Pck:
    """PCK of predicted (N, K, 2+) against truth (N, K, 2+), for joints `labelled` (N, K).

    People whose `size` (N,) is NaN do not count. Left and right are strict unless pairs of
    joints are given as `tolerated_swaps` (a skeleton's `flip_pairs`): then, pair by pair and
    person by person, the exchanged reading counts where it hits more labelled joints. That is an
    upper bound which separates "found the limb, named the wrong side" from "did not find it";
    it is not a figure to quote alone.
    """
    points, size = _xy(predicted), np.asarray(size, float)
    counted = np.asarray(labelled, bool) & np.isfinite(size)[:, None]
    found = hits(points, truth, size, threshold=threshold, inclusive=inclusive) & counted
    if tolerated_swaps:
        order = np.arange(points.shape[1])
        for a, b in tolerated_swaps:
            order[[a, b]] = b, a
        swapped = hits(points[:, order], truth, size, threshold=threshold, inclusive=inclusive)
        swapped &= counted
        for a, b in tolerated_swaps:
            pair = [a, b]
            better = swapped[:, pair].sum(axis=1) > found[:, pair].sum(axis=1)
            found[np.ix_(better, pair)] = swapped[np.ix_(better, pair)]
    counts = counted.sum(axis=0)
    share = np.full(counts.shape, np.nan)
    np.divide(found.sum(axis=0), counts, out=share, where=counts > 0)
    return Pck(tuple(names), share, counts.astype(np.int64))


def _xy(points: ArrayLike) -> NDArray[np.float64]:
    array: NDArray[np.float64] = np.asarray(points, np.float64)[..., :2]
    return array


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else float("nan")


def _diagonal_joints(skeleton: Skeleton, diagonal: Diagonal) -> list[tuple[int, int]]:
    index = skeleton.keypoints.index
    left = index("left_shoulder"), index("right_hip")
    right = index("right_shoulder"), index("left_hip")
    return {"left": [left], "right": [right], "longer": [left, right]}[diagonal]


def _diagonals(
    points: NDArray[np.float64], skeleton: Skeleton, diagonal: Diagonal
) -> NDArray[np.float64]:
    pairs = _diagonal_joints(skeleton, diagonal)
    lengths = [np.linalg.norm(points[:, a, :2] - points[:, b, :2], axis=-1) for a, b in pairs]
    return np.stack(lengths, axis=1)


def _longest(lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    longest: NDArray[np.float64] = np.where(np.isnan(lengths), -np.inf, lengths).max(axis=1)
    return longest
