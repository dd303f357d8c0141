"""Scores of a per-crop network on kept-out stills, for the log of a training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidpose.data.clips import LabelledClip
from vidpose.data.datasets import coco, mpii
from vidpose.data.datasets.lspet import kept_out_names, load_lspet
from vidpose.data.datasets.own import open_own
from vidpose.data.loaders.stills import StillsConfig, refuse_missing
from vidpose.data.loaders.video_stills import kept_out_frames
from vidpose.data.samples import Sample, read_image
from vidpose.inference.crop import CropRegion, crop_image, region_around, to_crop, to_image
from vidpose.inference.decode import decode_maps, map_to_crop
from vidpose.metrics.pck import pck, person_size
from vidpose.metrics.protocols import MPII_PCKH
from vidpose.skeleton import COCO_17, MPII_16, Skeleton, joint_sources, map_keypoints

MapNetwork = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
_BATCH = 25
_MOST = 500


def kept_out_samples(root: Path, skeleton: Skeleton = COCO_17) -> list[Sample]:
    """The labelled images of lspet that no training sees."""
    names = kept_out_names(root)
    return [sample for sample in load_lspet(root, skeleton) if sample.image.name in names]


@dataclass(frozen=True, slots=True)
class KeptOut:
    """Labelled people that no training sees, as far as the recipe's sets have them.

    `stills` are measured by PCK: one's own set aside; without such lspet's kept-out people; without
    lspet those of COCO's val2017, evenly chosen, 500 at most. `mpii`: the people of MPII's
    validation split, measured by PCKh. `others`: of the recipe's further sets by name, COCO's
    val2017 beside lspet and the test frames of video, each 500 at most, measured as stills are.
    """

    stills: list[Sample]
    mpii: list[LabelledClip]
    others: Mapping[str, list[Sample]] = field(default_factory=dict)

    @classmethod
    def open(cls, data: StillsConfig, skeleton: Skeleton) -> KeptOut:
        """What is at hand. Raises DataError where labels are damaged or images are missing."""
        stills: list[Sample] = []
        people: list[LabelledClip] = []
        others: dict[str, list[Sample]] = {}
        if data.own is not None:
            stills = _spread(open_own(data.own, "val", skeleton).samples())
        elif data.lspet is not None:
            stills = kept_out_samples(data.lspet, skeleton)
        if data.coco is not None and coco.has_labels(data.coco, "val2017"):
            found = _spread(coco.load_coco(data.coco, "val2017"))
            given = [sample.in_skeleton(COCO_17, skeleton) for sample in found]
            if data.own is None and data.lspet is None:
                stills = given
            else:
                others["coco"] = given
        if data.video is not None:
            frames = kept_out_frames(data.video, data.video_every, _MOST, skeleton)
            others[data.video.set] = _spread(frames)
        if data.mpii is not None and mpii.has_labels(data.mpii, "val"):
            people = list(mpii.open_people(data.mpii, "val"))
        images = [s.image for group in (stills, *others.values()) for s in group]
        refuse_missing(images + [clip.frames[0] for clip in people])
        return cls(stills, people, others)

    def people(self, data: StillsConfig, skeleton: Skeleton) -> list[Sample]:
        """Stills, or 500 of MPII's validation people where there are none: for an export."""
        if self.stills or not self.mpii:
            return self.stills
        assert data.mpii is not None
        return _spread(mpii.load_mpii(data.mpii, "val", skeleton))

    def scores(
        self, network: MapNetwork, size: tuple[int, int], skeleton: Skeleton
    ) -> dict[str, float]:
        """PCK@0.2 and @0.1 of the torso, and PCKh@0.5 and @0.1, in percent."""
        scores: dict[str, float] = {}
        if self.stills:
            scores |= stills_pck(network, self.stills, size, skeleton)
        for name, samples in self.others.items():
            found = stills_pck(network, samples, size, skeleton) if samples else {}
            scores |= {f"{name}/{key}": value for key, value in found.items()}
        if self.mpii:
            scores |= people_pckh(network, self.mpii, size, skeleton)
        return scores


def stills_pck(
    network: MapNetwork,
    samples: Sequence[Sample],
    size: tuple[int, int],
    skeleton: Skeleton = COCO_17,
    batch: int = _BATCH,
) -> dict[str, float]:
    """PCK@0.2 and @0.1 of the torso (longer diagonal), sides strict, in percent.

    Args:
        network: crops uint8 (N, h, w, 3) -> map logits (N, K, h/s, w/s).
        samples: labelled people.
        size: (h, w) of the crops.
        skeleton: of network and samples, K joints.
        batch: crops at a time.
    """
    regions = [region_around(s.box, aspect=size[1] / size[0]) for s in samples]
    crops = [(s.image, r) for s, r in zip(samples, regions, strict=True)]
    predicted = _predict(network, crops, size, batch)
    truth = [to_crop(s.keypoints, r, size) for s, r in zip(samples, regions, strict=True)]
    return keypoint_pck(predicted, np.stack(truth), skeleton)


def people_pckh(
    network: MapNetwork,
    people: Sequence[LabelledClip],
    size: tuple[int, int],
    skeleton: Skeleton,
    batch: int = _BATCH,
) -> dict[str, float]:
    """MPII's PCKh@0.5 and @0.1, mean without pelvis and thorax, in percent.

    `people` have head boxes; joints that the `skeleton` cannot give do not count.
    """
    regions = [region_around(_box(clip), aspect=size[1] / size[0]) for clip in people]
    crops = [(clip.frames[0], region) for clip, region in zip(people, regions, strict=True)]
    points = _predict(network, crops, size, batch)
    found = np.stack([to_image(p, r, size) for p, r in zip(points, regions, strict=True)])
    given = [bool(parts) for parts in joint_sources(skeleton, MPII_16).values()]
    scores = {}
    for threshold in (MPII_PCKH.threshold, *MPII_PCKH.stricter):
        score = MPII_PCKH.score(
            map_keypoints(found, skeleton, MPII_16),
            np.concatenate([clip.keypoints for clip in people]),
            np.concatenate([clip.boxes for clip in people]),
            MPII_16,
            head_boxes=np.concatenate([_heads(clip) for clip in people]),
            given=given,
            threshold=threshold,
        )
        scores[f"pckh@{threshold}"] = 100 * MPII_PCKH.means[0].of(score)
    return scores


def keypoint_pck(
    predicted: NDArray[np.float32], truth: NDArray[np.float32], skeleton: Skeleton = COCO_17
) -> dict[str, float]:
    """PCK@0.2 and @0.1 in percent of predicted (N, K, 2) against truth (N, K, 3).

    People without a measurable torso do not count.
    """
    labelled = truth[..., 2] > 0
    torso = person_size(truth, labelled, skeleton)
    usable = np.isfinite(torso)
    scores = {}
    for threshold in (0.2, 0.1):
        score = pck(
            predicted[usable],
            truth[usable],
            labelled[usable],
            torso[usable],
            skeleton.keypoints,
            threshold=threshold,
        )
        scores[f"pck@{threshold}"] = 100 * score.micro
    return scores


def _predict(
    network: MapNetwork, crops: list[tuple[Path, CropRegion]], size: tuple[int, int], batch: int
) -> NDArray[np.float32]:
    """Keypoints (N, K, 2) in crop pixels that the network finds in regions of images."""
    found = []
    for start in range(0, len(crops), batch):
        part = crops[start : start + batch]
        maps = network(np.stack([crop_image(read_image(p), r, size) for p, r in part]))
        found.append(map_to_crop(decode_maps(maps)[0], size[1] / maps.shape[3]))
    return np.concatenate(found)


def _spread(samples: list[Sample]) -> list[Sample]:
    return samples[:: max(len(samples) // _MOST, 1)][:_MOST]


def _box(clip: LabelledClip) -> tuple[float, float, float, float]:
    x, y, w, h = (float(side) for side in clip.boxes[0])
    return x, y, w, h


def _heads(clip: LabelledClip) -> NDArray[np.float32]:
    assert clip.head_boxes is not None
    return clip.head_boxes
