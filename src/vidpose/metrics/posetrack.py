"""PoseTrack's average precision of joints for several people, as its official poseval computes it.

In each frame predicted people are assigned to labelled ones by their share of joints within half a
head size (PCKh): every prediction stands for the labelled person whom it fits best, and each
labelled person takes the best of those. A joint of an assigned prediction is right if it lies
within half a head size; joints of all others are wrong. Over all frames, sorted by score, this
gives a precision-recall curve for each joint, whose area (VOC) is the AP.

Frames without labelled people are passed over. Regions to ignore are the caller's: poseval
drops joints, labelled and predicted, that lie in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vidpose.metrics.pck import head_box_size
from vidpose.skeleton import Skeleton

THRESHOLD = 0.5
HEAD = ("head_top", "upper_neck", "nose")
"""The joints whose mean PoseTrack calls Head."""


@dataclass(frozen=True, slots=True, eq=False)
class PoseTrackFrame:
    """One labelled frame.

    Attributes:
        truth: (M, K, 3): x, y, and 1 where labelled, else 0.
        head_boxes: (M, 4) of the labelled people, x, y, w, h.
        predicted: (N, K, 3): x, y, and the joint's score; NaN for joints not predicted.
    """

    truth: NDArray[np.float64]
    head_boxes: NDArray[np.float64]
    predicted: NDArray[np.float64]


def posetrack_ap(frames: Iterable[PoseTrackFrame], skeleton: Skeleton) -> dict[str, float]:
    """AP in [0, 1] of each joint; NaN where a joint was never labelled, 0 where never predicted."""
    scores: list[NDArray[np.float64]] = []
    right: list[NDArray[np.bool_]] = []
    labelled = np.zeros(skeleton.num_keypoints)
    for frame in frames:
        if not len(frame.truth):
            continue
        labelled += (frame.truth[..., 2] > 0).sum(axis=0)
        scores.append(frame.predicted[..., 2])
        right.append(_right(frame))
    joints = range(skeleton.num_keypoints)
    every = np.concatenate(scores) if scores else np.zeros((0, len(joints)))
    hits = np.concatenate(right) if right else np.zeros((0, len(joints)), bool)
    values = {}
    for joint in joints:
        there = np.isfinite(every[:, joint])
        values[skeleton.keypoints[joint]] = voc_ap(
            every[there, joint], hits[there, joint], int(labelled[joint])
        )
    return values


def posetrack_groups(ap: Mapping[str, float]) -> dict[str, float]:
    """Head, the limbs, and the total (mean over all joints), from the joints' AP."""
    limbs = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    groups: dict[str, Sequence[str]] = {"head": [name for name in HEAD if name in ap]}
    groups |= {limb: (f"left_{limb}", f"right_{limb}") for limb in limbs}
    means = {name: float(np.mean([ap[joint] for joint in of])) for name, of in groups.items() if of}
    return means | {"total": float(np.nanmean(list(ap.values())))}


def voc_ap(scores: ArrayLike, right: ArrayLike, positives: int) -> float:
    """Area under the precision-recall curve made monotone, of N detections.

    `positives`: how many there are to be found; without any the AP is NaN.
    """
    if positives == 0:
        return float("nan")
    order = np.argsort(-np.asarray(scores, float), kind="stable")
    found = np.cumsum(np.asarray(right, bool)[order])
    precision = found / np.arange(1, len(found) + 1)
    recall = np.concatenate([[0.0], found / positives])
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall) * best_from_here).sum())


def _right(frame: PoseTrackFrame) -> NDArray[np.bool_]:
    """Which predicted joints (N, K) lie on those of the person that the prediction stands for."""
    truth, predicted = frame.truth, frame.predicted
    nothing = np.zeros(predicted.shape[:2], bool)
    if not len(predicted):
        return nothing
    distance = np.linalg.norm(predicted[:, None, :, :2] - truth[None, :, :, :2], axis=-1)
    near = distance <= THRESHOLD * head_box_size(frame.head_boxes)[None, :, None]
    near &= (truth[..., 2] > 0)[None]
    share = near.sum(axis=2) / np.maximum((truth[..., 2] > 0).sum(axis=1), 1)
    best = np.zeros_like(share)
    rows = np.arange(len(predicted))
    columns = share.argmax(axis=1)
    best[rows, columns] = share[rows, columns]
    for person in range(len(truth)):
        row = int(best[:, person].argmax())
        if best[row, person] > 0:
            nothing[row] = near[row, person]
    return nothing
