"""dkd-lite on clips: the frame encoder and the distillator learn to carry the pose.

The network sees its own maps: frame 0 is the frozen initializer's, every later one comes from the
kernels of the frame before, errors included. Clips are made of stills (data/stills_to_clips.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Dataset

from vidpose.data.motion import MotionBank
from vidpose.data.samples import Sample
from vidpose.data.still_clips import StillClips
from vidpose.data.stills import StillsConfig, training_samples
from vidpose.data.stills_to_clips import ClipConfig
from vidpose.models.dkd import map_distribution
from vidpose.models.dkd_lite import INITIALIZER_SIZE, STRIDE, dkd_lite, start_from_frames
from vidpose.runtime.decode import decode_maps, map_to_crop
from vidpose.skeleton import COCO_17
from vidpose.tasks.base import Batch, Task
from vidpose.tasks.heatmaps import gaussian_maps, peak_mass, spatial_cross_entropy
from vidpose.tasks.pose import load_pose_network, normalise
from vidpose.tasks.validation import kept_out_samples, keypoint_pck

_KEPT_OUT_CLIPS = 100
_FROZEN = "network.initializer."


class DKDConfig(BaseModel):
    """Recipe section of the DKD task."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["dkd"]
    initializer: Path
    """Checkpoint of the per-frame network at the initializer's size."""
    encoder: Path
    """Checkpoint of the per-frame network at the step's size, the encoder's start."""
    frames: int
    """Clip length T, the first frame included; at least 2."""
    sigma: float
    """Standard deviation of the target Gaussians, in map cells."""
    initializer_weight: float = Field(default=0.0, ge=0)
    """Weight of the initializer's own maps of every later frame, where the labels have 1."""
    penn_action: Path | None = None
    """Root of Penn Action: its training tracks drive the clips; without it motion is random."""
    cache: Path
    """Folder for the collected tracks."""
    clips: ClipConfig = ClipConfig()
    """Strengths of what makes clips of stills, for training; evaluation uses the defaults."""
    data: StillsConfig


class DKDTask(Task):
    """A dkd-lite with a frozen initializer, clips, and the spatial cross-entropy per frame."""

    def __init__(self, config: DKDConfig, seed: int) -> None:
        super().__init__()
        self.config = config
        self._seed = seed
        self._samples = training_samples(config.data)
        self.network = dkd_lite()
        start_from_frames(
            self.network,
            load_pose_network(config.initializer, COCO_17),
            load_pose_network(config.encoder, COCO_17),
        )
        self.network.initializer.requires_grad_(False)
        self._motion = {
            split: None
            if config.penn_action is None
            else MotionBank.load(config.penn_action, split=split, cache_dir=config.cache)
            for split in ("train", "test")
        }

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Without the frozen initializer, which has a checkpoint of its own."""
        state = super().state_dict(*args, **kwargs)
        return {name: value for name, value in state.items() if not name.startswith(_FROZEN)}

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        own = super().state_dict()
        frozen = {name: value for name, value in own.items() if name.startswith(_FROZEN)}
        return super().load_state_dict({**frozen, **state_dict}, strict=strict, assign=assign)

    def train(self, mode: bool = True) -> DKDTask:
        super().train(mode)
        for module in self.modules():  # norms keep their statistics, as in tasks/pose.py
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def dataset(self) -> Dataset[dict[str, Any]]:
        config = self.config
        return still_clips(
            self._samples, config.frames, self._seed, self._motion["train"], config.clips
        )

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        maps = self._maps(batch)
        stride = STRIDE * self.network.ratio  # keypoints are in pixels of the initializer's crop
        losses = []
        for logits, keypoints in zip(maps[1:], batch["keypoints"].unbind(1)[1:], strict=True):
            height, width = logits.shape[2:]
            target = gaussian_maps(keypoints, (height, width), stride, self.config.sigma)
            losses.append(spatial_cross_entropy(logits, target, keypoints[..., 2]))
        loss = torch.stack(losses).mean()
        figures = {
            "loss_first_step": losses[0].item(),
            "loss_last_step": losses[-1].item(),
        }
        if self.config.initializer_weight:
            apart = self._apart_from_initializer(maps[1:], batch)
            figures["loss_initializer"] = apart.item()
            loss = loss + self.config.initializer_weight * apart
        return loss, figures

    def _apart_from_initializer(self, maps: list[Tensor], batch: Batch) -> Tensor:
        """Cross-entropy of the later frames' maps to what the initializer sees in them."""
        with torch.no_grad():
            frames = normalise(batch["images"][:, 1:].flatten(0, 1))
            seen = map_distribution(self.network.initializer(frames))
        logits = torch.stack(maps, 1).flatten(0, 1)
        return spatial_cross_entropy(logits, self.network.pool_maps(seen), peak_mass(seen))

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """Kept-out stills moved by Penn's test tracks: the initializer on each frame, the step."""
        if self.config.data.lspet is None:
            return {}
        samples = kept_out_samples(self.config.data.lspet)[:_KEPT_OUT_CLIPS]
        clips = kept_out_clips(samples, self.config.frames, self._motion["test"])
        step, first, truth = [], [], []
        for start in range(0, len(samples), 25):
            items = [clips[i] for i in range(start, min(start + 25, len(samples)))]
            batch = {key: torch.stack([item[key] for item in items]) for key in items[0]}
            maps = self._maps(batch)[1:]
            frames = normalise(batch["images"][:, 1:].flatten(0, 1))
            per_frame = self.network.initializer(frames)
            first.append(_points(per_frame, STRIDE))
            step.append(_points(torch.stack(maps, 1).flatten(0, 1), STRIDE * self.network.ratio))
            truth.append(batch["keypoints"][:, 1:].flatten(0, 1).numpy())
        named = {"initializer": first, "step": step}
        return {
            f"{name}/{key}": value
            for name, points in named.items()
            for key, value in keypoint_pck(np.concatenate(points), np.concatenate(truth)).items()
        }

    def _maps(self, batch: Batch) -> list[Tensor]:
        images = normalise(batch["images"])
        ratio = self.network.ratio
        small = functional.avg_pool2d(images[:, 1:].flatten(0, 1), ratio)
        later = small.view(*images[:, 1:].shape[:3], *small.shape[2:])
        maps: list[Tensor] = self.network(images[:, 0], later)
        return maps


def still_clips(
    samples: list[Sample], frames: int, seed: int, motion: MotionBank | None, config: ClipConfig
) -> StillClips:
    """Endless clips at the initializer's size."""
    return StillClips(samples, frames, INITIALIZER_SIZE, COCO_17, seed, motion, config)


def kept_out_clips(samples: list[Sample], frames: int, motion: MotionBank | None) -> StillClips:
    """The same clip of each sample every time, for evaluation."""
    return StillClips(
        samples, frames, INITIALIZER_SIZE, COCO_17, 0, motion, ClipConfig(), in_order=True
    )


def _points(logits: Tensor, stride: int) -> Any:
    return map_to_crop(decode_maps(logits.cpu().numpy())[0], stride)
