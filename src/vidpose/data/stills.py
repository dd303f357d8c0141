"""Stills for training: labels, completed and checked by a teacher's, as augmented crops."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor
from torch.utils.data import Dataset

from vidpose.data.augment import AugmentConfig, augmented_crop
from vidpose.data.coco import load_coco
from vidpose.data.labels import merge_with_teacher, read_label_file
from vidpose.data.lspet import kept_out_names, load_lspet
from vidpose.data.samples import Sample, read_image
from vidpose.errors import DataError
from vidpose.runtime.crop import crop_image, region_around, to_crop

# A quarter of the PCK radius of a person that is 150 px tall would be 2 px; labels of crowds
# stray further. As a fraction of the longer side of the box.
_TOLERANCE = 0.08


class StillsConfig(BaseModel):
    """Where the labelled and pseudo-labelled stills are. A set that is None is not used."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lspet: Path | None = None
    lspet_labels: Path | None = None
    ccp: Path | None = None
    ccp_labels: Path | None = None
    coco: Path | None = None
    coco_labels: Path | None = None
    coco_repeats: int = 4


def training_samples(config: StillsConfig) -> list[Sample]:
    """Samples to train on, none of them kept out. Raises DataError when there are none."""
    samples: list[Sample] = []
    if config.lspet is not None:
        kept_out = kept_out_names(config.lspet)
        own = [s for s in load_lspet(config.lspet) if s.image.name not in kept_out]
        samples += _with_teacher(own, config.lspet_labels, config.lspet)
    if config.coco is not None:
        own = load_coco(config.coco, "train2017")
        samples += _with_teacher(own, config.coco_labels, config.coco) * config.coco_repeats
    if config.ccp is not None:
        if config.ccp_labels is None:
            raise DataError("ccp has no keypoints of its own: give ccp_labels (`vidpose label`)")
        samples += list(read_label_file(config.ccp_labels, config.ccp).values())
    if not samples:
        raise DataError("no training images: give at least one of lspet, coco, ccp")
    return samples


class StillsDataset(Dataset[dict[str, Any]]):
    """Endless augmented crops; item i is a function of (seed, i) alone.

    Items: `image` uint8 (3, h, w), `keypoints` float32 (17, 3) in crop pixels.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        size: tuple[int, int],
        seed: int,
        config: AugmentConfig | None = None,
    ) -> None:
        self._samples = samples
        self._size = size
        self._seed = seed
        self._config = config or AugmentConfig()

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = np.random.default_rng([self._seed, index])
        sample = self._samples[int(rng.integers(len(self._samples)))]
        crop, keypoints = augmented_crop(sample, self._size, rng, self._config)
        return {
            "image": torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1))),
            "keypoints": torch.from_numpy(keypoints),
        }


def plain_crops(
    samples: Sequence[Sample], size: tuple[int, int], count: int
) -> tuple[Tensor, Tensor]:
    """Crops without augmentation, spread evenly over the samples.

    Returns uint8 images (count or fewer, 3, h, w) and keypoints (count, K, 3) in their pixels.
    """
    chosen = samples[:: max(len(samples) // count, 1)][:count]
    images, keypoints = [], []
    for sample in chosen:
        region = region_around(sample.box, aspect=size[1] / size[0])
        images.append(crop_image(read_image(sample.image), region, size).transpose(2, 0, 1))
        keypoints.append(to_crop(sample.keypoints, region, size))
    return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(keypoints))


def _with_teacher(samples: list[Sample], labels: Path | None, root: Path) -> list[Sample]:
    if labels is None:
        return samples
    teacher = read_label_file(labels, root)
    merged = []
    for sample in samples:
        pseudo = teacher.get(sample.key)
        if pseudo is None:
            raise DataError(f"{labels}: no labels for {sample.key}; run `vidpose label` again")
        tolerance = _TOLERANCE * max(sample.box[2:])
        merged.append(
            sample.with_keypoints(
                merge_with_teacher(sample.keypoints, pseudo.keypoints, tolerance=tolerance)
            )
        )
    return merged
