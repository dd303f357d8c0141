"""PCK of a per-crop network on kept-out stills, for the log of a training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidpose.data.lspet import kept_out_names, load_lspet
from vidpose.data.samples import Sample, read_image
from vidpose.metrics.pck import pck, torso_size
from vidpose.runtime.crop import crop_image, region_around, to_crop
from vidpose.runtime.decode import decode_maps, map_to_crop
from vidpose.skeleton import COCO_17

MapNetwork = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def kept_out_samples(root: Path) -> list[Sample]:
    """The labelled images of lspet that no training sees."""
    names = kept_out_names(root)
    return [sample for sample in load_lspet(root) if sample.image.name in names]


def stills_pck(
    network: MapNetwork, samples: Sequence[Sample], size: tuple[int, int], batch: int = 25
) -> dict[str, float]:
    """PCK@0.2 and @0.1 of the torso (longer diagonal), sides strict, in percent.

    Args:
        network: crops uint8 (N, h, w, 3) -> map logits (N, 17, h/s, w/s).
        samples: labelled people.
        size: (h, w) of the crops.
    """
    predicted, truth = [], []
    for start in range(0, len(samples), batch):
        part = samples[start : start + batch]
        regions = [region_around(s.box, aspect=size[1] / size[0]) for s in part]
        crops = np.stack(
            [crop_image(read_image(s.image), r, size) for s, r in zip(part, regions, strict=True)]
        )
        maps = network(crops)
        points, _ = decode_maps(maps)
        predicted.append(map_to_crop(points, size[1] / maps.shape[3]))
        truth += [to_crop(s.keypoints, r, size) for s, r in zip(part, regions, strict=True)]
    return keypoint_pck(np.concatenate(predicted), np.stack(truth))


def keypoint_pck(predicted: NDArray[np.float32], truth: NDArray[np.float32]) -> dict[str, float]:
    """PCK@0.2 and @0.1 in percent of predicted (N, 17, 2) against truth (N, 17, 3).

    People without a measurable torso do not count.
    """
    labelled = truth[..., 2] > 0
    torso = torso_size(truth, labelled, COCO_17)
    usable = np.isfinite(torso)
    scores = {}
    for threshold in (0.2, 0.1):
        score = pck(
            predicted[usable],
            truth[usable],
            labelled[usable],
            torso[usable],
            COCO_17.keypoints,
            threshold=threshold,
        )
        scores[f"pck@{threshold}"] = 100 * score.micro
    return scores
