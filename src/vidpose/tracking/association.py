"""Similarity of poses: OKS, and OKS with box overlap for people who were out of sight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vidpose.inference.boxes import Boxes, grow, iou, match, smaller_covered
from vidpose.inference.pose import SEEN, Pose
from vidpose.metrics.oks import oks

WIDEN = 0.3  # part of a box's sides by which it is widened for each second out of sight
LEAST_WIDEN = 0.1
JUST_LOST = 0.5  # s
MOST_UNSEEN = 1.0  # s, beyond which a prediction gets no vaguer


def pairwise_oks(
    poses: Sequence[Pose],
    others: Sequence[Pose],
    sigmas: Sequence[float],
    unseen: Sequence[float] | None = None,
) -> NDArray[np.float64]:
    """OKS (N, M) of all pairs, over the keypoints seen in both.

    0 where less than half of what is seen of either is seen of both. A pair's area is the mean of
    both boxes', so that the measure is symmetric; `unseen` (M,) seconds widen the tolerance for
    `others` that are predictions.
    """
    if not poses or not others:
        return np.zeros((len(poses), len(others)))
    a, b = (np.stack([pose.keypoints for pose in group]) for group in (poses, others))
    area = (_areas(poses)[:, None] + _areas(others)[None]) / 2
    if unseen is not None:
        area = area * (1.0 + 2.0 * _widening(unseen))[None] ** 2
    seen_a, seen_b = a[:, None, :, 2] >= SEEN, b[None, :, :, 2] >= SEEN
    both = seen_a & seen_b
    least = np.minimum(seen_a.sum(axis=-1), seen_b.sum(axis=-1))
    values = np.nan_to_num(oks(a[:, None], b[None], both, area, sigmas))
    return np.where(2 * both.sum(axis=-1) >= least, values, 0.0)


def reid_similarity(
    poses: Sequence[Pose],
    predictions: Sequence[Pose],
    sigmas: Sequence[float],
    unseen: Sequence[float],
) -> NDArray[np.float64]:
    """Mean (N, M) of OKS and overlap with predictions of people unseen for (M,) seconds.

    The overlap is the IoU, or the part of the smaller box that the other covers for those lost
    within `JUST_LOST`: somebody who enters the picture, or comes from behind something, is a part
    of a body first and may be lost until the whole is there.
    """
    values = pairwise_oks(poses, predictions, sigmas, unseen)
    if not values.size:
        return values
    places = grow(boxes_of(predictions), _widening(unseen))
    boxes = grow(boxes_of(poses), np.full(len(poses), LEAST_WIDEN))
    just_lost = np.asarray(unseen) < JUST_LOST
    overlap = np.where(just_lost, smaller_covered(boxes, places), iou(boxes, places))
    return (values + overlap) / 2


def reidentify(
    poses: Sequence[Pose],
    predictions: Sequence[Pose],
    sigmas: Sequence[float],
    *,
    unseen: Sequence[float],
    sizes: Sequence[float],
    threshold: float,
) -> list[tuple[int, int]]:
    """Pairs (pose, prediction) of lost people, `unseen` for (M,) seconds and of `sizes` (M,) px.

    First by a similarity above `threshold`. Of those left, who was lost within `JUST_LOST` less
    than a body's length away is the same person in whatever posture: nobody appears from nowhere.
    """
    pairs = match(reid_similarity(poses, predictions, sigmas, unseen), threshold)
    near = nearness(poses, predictions, sizes)
    near[:, np.asarray(unseen) >= JUST_LOST] = -1.0
    for row, column in pairs:
        near[row], near[:, column] = -1.0, -1.0
    return pairs + match(near, 0.0)


def nearness(
    poses: Sequence[Pose], predictions: Sequence[Pose], sizes: Sequence[float]
) -> NDArray[np.float64]:
    """How near (N, M) the middles of poses and predictions are: 1 at one place, 0 a body's length
    away, negative beyond.

    The length is the smaller of the pose's box (longer side) and of the person's `sizes` (M,), so
    that nobody is near somebody much smaller or larger.
    """
    boxes, places = boxes_of(poses), boxes_of(predictions)
    middles, expected = boxes[:, :2] + boxes[:, 2:] / 2, places[:, :2] + places[:, 2:] / 2
    distances = np.linalg.norm(middles[:, None] - expected[None], axis=-1)
    lengths = np.minimum(boxes[:, 2:].max(axis=1, initial=0.0)[:, None], np.asarray(sizes)[None])
    return np.asarray(1.0 - distances / lengths)


def without_duplicates(
    poses: Sequence[Pose],
    known: Sequence[Pose],
    sigmas: Sequence[float],
    threshold: float,
    flip_index: Sequence[int] = (),
) -> list[int]:
    """Indices of the poses, given best first, that are neither a known one nor an earlier one.

    With `flip_index` a pose is also compared with the others' left and right exchanged: of one
    person, one look may find the front and another the back.
    """
    kept: list[int] = []
    for index, pose in enumerate(poses):
        others = [*known, *(poses[i] for i in kept)]
        if flip_index:
            others += [_sides_exchanged(other, flip_index) for other in others]
        if not (pairwise_oks([pose], others, sigmas) >= threshold).any():
            kept.append(index)
    return kept


def _sides_exchanged(pose: Pose, flip_index: Sequence[int]) -> Pose:
    return replace(pose, keypoints=pose.keypoints[list(flip_index)])


def boxes_of(poses: Sequence[Pose]) -> Boxes:
    """Boxes (N, 4) of poses."""
    return np.array([pose.box for pose in poses], dtype=np.float64).reshape(-1, 4)


def _areas(poses: Sequence[Pose]) -> NDArray[np.float64]:
    return np.asarray(boxes_of(poses)[:, 2:].prod(axis=1))


def _widening(unseen: Sequence[float]) -> NDArray[np.float64]:
    return np.clip(WIDEN * np.asarray(unseen, np.float64), LEAST_WIDEN, WIDEN * MOST_UNSEEN)
