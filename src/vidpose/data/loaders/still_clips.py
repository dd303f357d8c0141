"""Clips made of stills as a data set, for any crop size and any skeleton."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from vidpose.data.samples import Sample, read_image
from vidpose.data.synthesis.limb_motion import MotionBank
from vidpose.data.synthesis.stills_to_clips import Clip, ClipConfig, render_clip
from vidpose.skeleton import COCO_17, Skeleton, map_keypoints


class StillClips(Dataset[dict[str, Any]]):
    """Endless clips; item i is a function of (seed, i) alone.

    Items: `images` uint8 (T, 3, h, w), `keypoints` float32 (T, K, 3) in their pixels, `source` as
    of stills; what the skeleton has and COCO's lacks is put together from parts or has weight 0
    (`map_keypoints`).

    Args:
        samples: labelled people.
        frames: T.
        size: (h, w) of the crops.
        skeleton: of the keypoints that come out.
        seed: with i, what everything random comes from.
        motion: tracks that drive the limbs; None for random motion.
        config: strengths.
        in_order: item i is of sample i; otherwise of a random one.
        labels: skeleton of the samples. One that is not COCO's must be `skeleton` itself; what
            limbs move is known by the names that it shares with COCO's, and the other keypoints
            are carried by the picture.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        frames: int,
        size: tuple[int, int],
        skeleton: Skeleton,
        seed: int,
        motion: MotionBank | None,
        config: ClipConfig,
        in_order: bool = False,
        labels: Skeleton = COCO_17,
    ) -> None:
        self._samples = samples
        self._frames = frames
        self._size = size
        self._skeleton = skeleton
        self._seed = seed
        self._motion = motion
        self._config = config
        self._in_order = in_order
        self._own = labels != COCO_17

    @property
    def description(self) -> str:
        """All that decides what the clips are, but for the people and the tracks."""
        return (
            f"{self._frames} {self._size} {self._skeleton.name} {self._seed} "
            f"{self._in_order} {self._motion is not None} {self._config}"
        )

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = np.random.default_rng([self._seed, index])
        number = index if self._in_order else int(rng.integers(len(self._samples)))
        sample = self._samples[number]
        if self._own:
            return self._of_own(sample, rng)
        clip = self._render(sample, sample.keypoints, rng, self._config)
        keypoints = np.nan_to_num(map_keypoints(clip.keypoints, COCO_17, self._skeleton))
        return _item(clip, keypoints, sample)

    def _of_own(self, sample: Sample, rng: np.random.Generator) -> dict[str, Any]:
        """A clip of a sample with the keypoints of another skeleton than COCO's."""
        skeleton, config = self._skeleton, self._config
        body = np.nan_to_num(map_keypoints(sample.keypoints, skeleton, COCO_17))
        body = body.astype(np.float32)
        if not (body[:, 2] > 0).any():  # no limb is known by name: the camera alone moves
            known = sample.keypoints[sample.keypoints[:, 2] > 0, :2]
            body[0] = (*known.mean(axis=0), 1.0)
            config = config.still()
        if not skeleton.can_be_mirrored:
            config = replace(config, flip=0.0)
        clip = self._render(sample, body, rng, config)
        assert clip.carried is not None
        return _item(clip, clip.carried, sample)

    def _render(
        self,
        sample: Sample,
        body: NDArray[np.float32],
        rng: np.random.Generator,
        config: ClipConfig,
    ) -> Clip:
        return render_clip(
            read_image(sample.image),
            body,
            sample.box,
            frames=self._frames,
            size=self._size,
            rng=rng,
            config=config,
            motion=self._motion,
            carried=(sample.keypoints, self._skeleton.flip_index) if self._own else None,
        )


def _item(clip: Clip, keypoints: NDArray[np.float32], sample: Sample) -> dict[str, Any]:
    images = np.ascontiguousarray(clip.images.transpose(0, 3, 1, 2))
    return {
        "images": torch.from_numpy(images),
        "keypoints": torch.from_numpy(keypoints),
        "source": torch.tensor(sample.source),
    }


class Repeated(Dataset[dict[str, Any]]):
    """The first `count` items of a data set, over and over."""

    def __init__(self, items: Dataset[dict[str, Any]], count: int) -> None:
        self._items = items
        self._count = count

    def __getitem__(self, index: int) -> dict[str, Any]:
        item: dict[str, Any] = self._items[index % self._count]
        return item
