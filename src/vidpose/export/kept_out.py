"""On whom an export is measured: people whom the network has not learnt from, and their crops."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from vidpose.data.datasets.coco import has_labels, load_coco
from vidpose.data.datasets.penn_action import Split
from vidpose.data.loaders.stills import StillsConfig
from vidpose.data.samples import Sample, read_image
from vidpose.data.synthesis.limb_motion import MotionBank
from vidpose.errors import DataError
from vidpose.inference.crop import PADDING, crop_image, region_around, to_crop
from vidpose.methods.clips.task import ClipsConfig
from vidpose.methods.dkd.task import DKDConfig
from vidpose.skeleton import COCO_17, Skeleton
from vidpose.training.validation import KeptOut

_PARITY_CROPS = 32


def kept_out_people(data: StillsConfig, skeleton: Skeleton = COCO_17) -> list[Sample]:
    """What an export is measured on. Raises DataError where the data name no such people."""
    found = KeptOut.open(data, skeleton).people(data, skeleton)
    if not found:
        raise DataError(
            "the export is measured on kept-out people: the recipe's data must name lspet, or "
            "coco or mpii with their validation split"
        )
    return found


def kept_out_crops(
    data: StillsConfig, size: tuple[int, int], skeleton: Skeleton = COCO_17
) -> NDArray[np.uint8]:
    """Crops uint8 (32, h, w, 3) of kept-out people."""
    people = kept_out_people(data, skeleton)[:_PARITY_CROPS]
    return np.stack([crop for crop, _ in labelled_crops(people, size)])


def measured_on(data: StillsConfig) -> str:
    """In words the people that `kept_out_people` gives."""
    if data.own is not None:
        return "the people of one's own data that are set aside (val), 500 at most"
    if data.lspet is not None:
        return "500 kept-out stills of Leeds Sports Pose Extended"
    return f"500 people at most of {'COCO val2017' if data.coco else 'MPII val'}"


def require_stills(config: DKDConfig | ClipsConfig) -> StillsConfig:
    """The recipe's stills, which an export is measured on. Raises DataError where it has none."""
    if config.data is None:
        raise DataError(
            "the export is measured on kept-out stills and the recipe learns from video: give them "
            "by --data lspet:PATH"
        )
    return config.data


def tracks(config: DKDConfig | ClipsConfig, split: Split) -> MotionBank | None:
    """The real motion that the recipe names, if any."""
    if config.penn_action is None:
        return None
    return MotionBank.load(config.penn_action, split=split, cache_dir=config.cache)


def everyday_people(data: StillsConfig) -> list[Sample]:
    """COCO's held-out people, of a recipe that names lspet too: gymnasts alone are no measure."""
    if data.lspet is None or data.coco is None or not has_labels(data.coco, "val2017"):
        return []
    return load_coco(data.coco, "val2017")


def spread(samples: Sequence[Sample], count: int) -> list[Sample]:
    """`count` samples, or all, spread evenly."""
    chosen = np.linspace(0, len(samples), min(count, len(samples)), endpoint=False)
    return [samples[int(number)] for number in chosen]


def labelled_crops(
    samples: Sequence[Sample], size: tuple[int, int], padding: float = PADDING
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """Crops uint8 (h, w, 3) of `padding` times the boxes, and their keypoints (K, 3)."""
    for sample in samples:
        region = region_around(sample.box, aspect=size[1] / size[0], padding=padding)
        crop = crop_image(read_image(sample.image), region, size)
        yield crop, to_crop(sample.keypoints, region, size)
