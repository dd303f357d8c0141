"""From poses and labels to the figures of a protocol."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vidpose.data.clips import ClipSet, CocoTruth, LabelledClip
from vidpose.data.datasets.coco_file import read_coco_file
from vidpose.errors import DataError
from vidpose.evaluation.networks import ClipPoses
from vidpose.metrics import protocols
from vidpose.metrics.oks import coco_scores
from vidpose.metrics.pck import Pck, box_size
from vidpose.metrics.protocols import OksProtocol, PckProtocol
from vidpose.metrics.temporal import acceleration_error
from vidpose.skeleton import COCO_17, Skeleton, joint_sources, map_keypoints

ACCELERATION = "acceleration error"
"""In thousandths of the box's longer side, a frame squared; all other figures are percent."""

INTERVAL = "micro ±"
"""How far the first mean of one's own labels is to be trusted, in points."""
_DRAWS = 2000


class Scorer(Protocol):
    """Collects the poses of one predictor and gives its figures by name."""

    def add(self, clip: LabelledClip, poses: ClipPoses) -> None:
        """Take the poses of one clip, in the predictor's own skeleton."""

    def figures(self) -> dict[str, float]:
        """The figures of all clips so far, in the order of a table's columns."""


def scorer_for(protocol: protocols.Protocol, clips: ClipSet, source: Skeleton) -> Scorer:
    """The scorer of a protocol, for predictions with the skeleton `source`.

    Raises DataError where the data set lacks what the protocol needs.
    """
    if isinstance(protocol, PckProtocol):
        return PckScorer(protocol, clips.skeleton, source)
    if clips.coco is None:
        raise DataError(f"protocol {protocol.name} needs COCO's annotations, not {clips.data_set}")
    return OksScorer(protocol, clips.coco, source)


@dataclass(slots=True, eq=False)
class PckScorer:
    """PCK by limb and in its means, and the acceleration error of clips."""

    protocol: PckProtocol
    skeleton: Skeleton
    source: Skeleton
    _predicted: list[NDArray[np.float64]] = field(default_factory=list)
    _clips: list[LabelledClip] = field(default_factory=list)

    def add(self, clip: LabelledClip, poses: ClipPoses) -> None:
        """See `Scorer.add`."""
        mapped = map_keypoints(poses.keypoints, self.source, self.skeleton)
        self._predicted.append(np.asarray(mapped, np.float64))
        self._clips.append(clip)

    def figures(self) -> dict[str, float]:
        """Groups or joints, means, means at stricter thresholds, and the acceleration error."""
        if not self._clips:
            return {}
        score = self._score(None)
        if self.protocol.parts == "groups":
            figures = dict(score.by_group())
        else:
            figures = dict(zip(score.names, score.per_joint.tolist(), strict=True))
        figures |= {mean.name: mean.of(score) for mean in self.protocol.means}
        for threshold in self.protocol.stricter:
            first = self.protocol.means[0]
            figures[f"{first.name} @{threshold}"] = first.of(self._score(threshold))
        if self.protocol.parts == "joints" and len(self._clips) > 1:
            figures[INTERVAL] = self._interval()
        figures = {name: 100 * value for name, value in figures.items()}
        if max(len(clip) for clip in self._clips) > 2:
            figures[ACCELERATION] = 1000 * self._acceleration_error()
        return figures

    def _interval(self) -> float:
        """Half of the interval in which the micro mean of 95 % of 2,000 draws of people lies."""
        each = [
            PckScorer(self.protocol, self.skeleton, self.source, [predicted], [clip])._score(None)
            for clip, predicted in zip(self._clips, self._predicted, strict=True)
        ]
        counts = np.array([score.counts.sum() for score in each])
        hits = np.array([np.nansum(score.per_joint * score.counts) for score in each])
        drawn = np.random.default_rng(0).integers(0, len(each), (_DRAWS, len(each)))
        means = hits[drawn].sum(axis=1) / np.maximum(counts[drawn].sum(axis=1), 1)
        low, high = np.percentile(means, [2.5, 97.5])
        return float(high - low) / 2

    def _given(self) -> NDArray[np.bool_]:
        return np.array(
            [bool(parts) for parts in joint_sources(self.source, self.skeleton).values()]
        )

    def _score(self, threshold: float | None) -> Pck:
        clips = self._clips
        heads = [clip.head_boxes for clip in clips if clip.head_boxes is not None]
        return self.protocol.score(
            np.concatenate(self._predicted),
            np.concatenate([clip.keypoints for clip in clips]),
            np.concatenate([clip.boxes for clip in clips]),
            self.skeleton,
            head_boxes=np.concatenate(heads) if len(heads) == len(clips) else None,
            given=self._given(),
            threshold=threshold,
        )

    def _acceleration_error(self) -> float:
        """Mean over the joints of all clips that count in three frames running."""
        total, weight = 0.0, 0
        for clip, predicted in zip(self._clips, self._predicted, strict=True):
            known = np.isfinite(clip.keypoints[..., :2]).all(axis=-1) & self._given()
            if self.protocol.counted == "visible":
                known &= clip.keypoints[..., 2] > 0
            known &= np.isfinite(predicted[..., :2]).all(axis=-1)
            count = int((known[:-2] & known[1:-1] & known[2:]).sum())
            if count:
                size = box_size(clip.boxes)
                total += count * acceleration_error(predicted, clip.keypoints, known, size)
                weight += count
        return total / weight if weight else float("nan")


@dataclass(slots=True, eq=False)
class OksScorer:
    """COCO's AP and AR of one pose for each labelled person, on the images that were evaluated."""

    protocol: OksProtocol
    truth: CocoTruth
    source: Skeleton
    _results: list[dict[str, Any]] = field(default_factory=list)

    def add(self, clip: LabelledClip, poses: ClipPoses) -> None:
        """See `Scorer.add`."""
        (points,) = map_keypoints(poses.keypoints, self.source, self.truth.skeleton)
        points = np.column_stack([points[:, :2], np.ones(len(points))])
        points[np.isnan(points[:, 0])] = 0
        self._results.append(
            {
                "image_id": self.truth.image_ids[clip.name],
                "category_id": 1,
                "keypoints": points.ravel().tolist(),
                "score": float(poses.scores[0]),
            }
        )

    def figures(self) -> dict[str, float]:
        """COCO's ten figures in percent."""
        images = {result["image_id"] for result in self._results}
        return coco_figures(self.truth, self._results, images) if images else {}


def coco_figures(
    truth: CocoTruth, results: list[dict[str, Any]], images: set[int] | None = None
) -> dict[str, float]:
    """COCO's figures in percent; of `images` only where they are given."""
    if truth.content is None:
        content = read_coco_file(truth.annotations).for_pycocotools(images)
    else:
        content = truth.content(images)
    sigmas = None if truth.skeleton is COCO_17 else truth.skeleton.sigmas
    scores = asdict(coco_scores(content, results, sigmas=sigmas))
    return {_COCO_NAMES[name]: 100 * value for name, value in scores.items() if value >= 0}


_COCO_NAMES = {
    "ap": "AP", "ap50": "AP .50", "ap75": "AP .75", "ap_medium": "AP M", "ap_large": "AP L",
    "ar": "AR", "ar50": "AR .50", "ar75": "AR .75", "ar_medium": "AR M", "ar_large": "AR L",
}  # fmt: skip
