"""Clips as a frozen network has seen them: crops at the step's size with its maps.

What takes most of a step of training dkd-lite, the initializer on every frame, does not change
from one pass over the clips to the next. With clips that are kept (data/loaders/recorded.py) it
is done once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from vidpose.data.synthesis.photometry import Light
from vidpose.methods.per_frame.map_teachers import CropTeacher, MapTeacher
from vidpose.nn.shrink import shrink
from vidpose.skeleton import Skeleton


class ClipsWithMaps(Dataset[dict[str, Any]]):
    """Clips at the initializer's size become smaller ones with maps.

    Items: `images` uint8 (T, 3, H/r, W/r); `keypoints` as they were, in pixels of (H, W); `maps`
    float16 (T, K, h, w), distributions on the step's cells: the first frame's by `first`, the
    later ones' by `later`; `confidence` float16 (T - 1, K) of the later ones.

    Args:
        clips: `images` uint8 (T, 3, H, W), `keypoints` float32 (T, K, 3).
        first: the initializer.
        later: a network whose maps the step is to find.
        ratio: r.
        device: where both work; the items are on the CPU.
    """

    def __init__(
        self,
        clips: Dataset[dict[str, Any]],
        first: CropTeacher,
        later: MapTeacher,
        ratio: float,
        device: torch.device | None = None,
    ) -> None:
        self._clips = clips
        self._first = first
        self._later = later
        self._ratio = ratio
        self._device = device

    def __getitem__(self, index: int) -> dict[str, Any]:
        clip = self._clips[index]
        images, ratio = clip["images"].to(self._device), self._ratio
        small = shrink(images.float(), ratio).round().to(torch.uint8)
        source = clip.get("source")
        sources = None if source is None else source.to(images.device).expand(len(images) - 1)
        later = self._later(images[1:], sources)
        maps = torch.cat([self._first(images[:1]).maps, later.maps])
        pooled = shrink(maps, ratio) * ratio**2
        return {
            "images": small.cpu(),
            "keypoints": clip["keypoints"],
            "maps": pooled.half().cpu(),
            "confidence": later.confidence.half().cpu(),
        }


class AugmentedClips(Dataset[dict[str, Any]]):
    """Clips with maps, mirrored or not and in another light each time.

    Args:
        clips: as of `ClipsWithMaps`.
        width: W, in whose pixels the keypoints are.
        skeleton: its mirror pairs change places.
        seed: with the item's number, what everything random comes from.
        light: strengths.
    """

    def __init__(
        self,
        clips: Dataset[dict[str, Any]],
        width: int,
        skeleton: Skeleton,
        seed: int,
        light: Light,
    ) -> None:
        self._clips = clips
        self._width = width
        self._flip = torch.tensor(skeleton.flip_index)
        self._mirrors = skeleton.can_be_mirrored
        self._seed = seed
        self._light = light

    def __getitem__(self, index: int) -> dict[str, Any]:
        clip = self._clips[index]
        rng = np.random.default_rng([self._seed, index])
        if rng.random() < 0.5 and self._mirrors:
            clip = self._mirrored(clip)
        frames = np.ascontiguousarray(clip["images"].numpy().transpose(0, 2, 3, 1))
        lit = np.ascontiguousarray(self._light.apply(rng, frames, 1).transpose(0, 3, 1, 2))
        return {**clip, "images": torch.from_numpy(lit)}

    def _mirrored(self, clip: dict[str, Any]) -> dict[str, Any]:
        keypoints = clip["keypoints"][:, self._flip].clone()
        keypoints[..., 0] = self._width - 1 - keypoints[..., 0]
        keypoints[keypoints[..., 2] <= 0] = 0
        return {
            **clip,
            "images": clip["images"].flip(-1),
            "keypoints": keypoints,
            "maps": clip["maps"][:, self._flip].flip(-1),
            "confidence": clip["confidence"][:, self._flip],
        }
