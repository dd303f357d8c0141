"""Stills for training: labels, completed and checked by a teacher's, as augmented crops."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor
from torch.utils.data import Dataset

from vidpose.data.datasets.coco import load_coco
from vidpose.data.datasets.lspet import kept_out_names, load_lspet
from vidpose.data.datasets.mpii import load_mpii
from vidpose.data.datasets.own import open_own, own_data
from vidpose.data.loaders.augment import AugmentConfig, augmented_crop
from vidpose.data.loaders.video_clips import VideoConfig
from vidpose.data.loaders.video_stills import training_frames
from vidpose.data.pseudo_labels.keypoint_labels import merge_with_teacher, read_label_file
from vidpose.data.samples import Sample, read_image
from vidpose.errors import DataError
from vidpose.inference.crop import crop_image, region_around, to_crop
from vidpose.skeleton import COCO_17, Skeleton

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
    coco_repeats: int = Field(default=4, ge=1)
    mpii: Path | None = None
    video: VideoConfig | None = None
    """Frames of a set of labelled video; its test part is measured."""
    video_every: int = Field(default=8, ge=1)
    """Every so many-th frame of a clip is taken."""
    own: str | None = None
    """coco:PATH or yolo:PATH, labelled with the very keypoints that the recipe's skeleton has."""

    @field_validator("own")
    @classmethod
    def _own_names_data(cls, own: str | None) -> str | None:
        if own is not None:
            try:
                own_data(own)
            except DataError as error:
                raise ValueError(str(error)) from error
        return own


def training_samples(config: StillsConfig, skeleton: Skeleton = COCO_17) -> list[Sample]:
    """Samples to train on, none of them kept out, with the keypoints of `skeleton`.

    Each set gives what its own joints allow (`map_keypoints`); labels of a teacher are COCO's.

    Raises DataError when there are none, when an image is missing, when a joint is marked visible
    without a position, and, for a skeleton other than COCO's, when no label speaks of a joint.
    """
    samples: list[Sample] = []
    if config.lspet is not None:
        samples += _lspet(config.lspet, config.lspet_labels, skeleton)
    if config.coco is not None:
        own = load_coco(config.coco, "train2017")
        merged = _with_teacher(own, config.coco_labels, config.coco) * config.coco_repeats
        samples += [sample.in_skeleton(COCO_17, skeleton) for sample in merged]
    if config.ccp is not None:
        if config.ccp_labels is None:
            raise DataError("ccp has no keypoints of its own: give ccp_labels (`vidpose label`)")
        seen = read_label_file(config.ccp_labels, config.ccp).values()
        samples += [sample.in_skeleton(COCO_17, skeleton) for sample in seen]
    if config.mpii is not None:
        samples += load_mpii(config.mpii, "train", skeleton)
    if config.video is not None:
        samples += training_frames(config.video, config.video_every, skeleton)
    if config.own is not None:
        samples += open_own(config.own, "train", skeleton).samples()
    if not samples:
        raise DataError(
            "no training images: give at least one of lspet, coco, ccp, mpii, video, own"
        )
    _refuse_faults(samples, skeleton)
    return samples


def refuse_missing(images: Iterable[Path]) -> None:
    """Raise DataError, naming the first, when one of the image files is not there."""
    files = dict.fromkeys(images)
    absent = [path for path in files if not path.is_file()]
    if absent:
        raise DataError(
            f"{len(absent):,} of {len(files):,} labelled images are missing, the first {absent[0]}"
        )


class StillsDataset(Dataset[dict[str, Any]]):
    """Endless augmented crops; item i is a function of (seed, i) alone.

    Items: `image` uint8 (3, h, w), `keypoints` float32 (K, 3) of the samples' skeleton in crop
    pixels, `source` the data set's place in `SOURCES`.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        size: tuple[int, int],
        seed: int,
        config: AugmentConfig | None = None,
        skeleton: Skeleton = COCO_17,
    ) -> None:
        self._samples = samples
        self._size = size
        self._seed = seed
        self._config = config or AugmentConfig()
        self._skeleton = skeleton

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = np.random.default_rng([self._seed, index])
        sample = self._samples[int(rng.integers(len(self._samples)))]
        crop, keypoints = augmented_crop(sample, self._size, rng, self._config, self._skeleton)
        return {
            "image": torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1))),
            "keypoints": torch.from_numpy(keypoints),
            "source": torch.tensor(sample.source),
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


def _lspet(root: Path, labels: Path | None, skeleton: Skeleton) -> list[Sample]:
    kept_out = kept_out_names(root)
    own = load_lspet(root, skeleton if labels is None else COCO_17)
    own = [sample for sample in own if sample.image.name not in kept_out]
    if labels is None:
        return own
    return [sample.in_skeleton(COCO_17, skeleton) for sample in _with_teacher(own, labels, root)]


def _refuse_faults(samples: Sequence[Sample], skeleton: Skeleton) -> None:
    refuse_missing(sample.image for sample in samples)
    for sample in samples:
        lost = (sample.keypoints[:, 2] > 0) & ~np.isfinite(sample.keypoints[:, :2]).all(axis=1)
        if lost.any():
            joint = skeleton.keypoints[int(lost.argmax())]
            raise DataError(
                f"{sample.image}, {sample.key}: {joint} is marked visible but has no position (NaN)"
            )
    taught = np.any([sample.keypoints[:, 2] > 0 for sample in samples], axis=0)
    # COCO's face may stay untaught: sets of bodies alone serve for tries.
    if skeleton is not COCO_17 and not taught.all():
        names = ", ".join(np.array(skeleton.keypoints)[~taught])
        raise DataError(
            f"no training image labels {names} of skeleton {skeleton.name}: "
            "add a set that has them, or choose another skeleton"
        )


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
