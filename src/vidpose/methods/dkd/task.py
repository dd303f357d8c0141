"""dkd-lite and its family on clips: frame encoder and distillator learn to carry the pose.

The network sees its own maps: frame 0 is the frozen initializer's, every later one comes from the
kernels of the frame before, errors included. Clips are made of stills
(data/synthesis/stills_to_clips.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.utils.data import Dataset

from vidpose.data.loaders.recorded import RecordedClips, digest_of_samples, digest_of_weights
from vidpose.data.loaders.still_clips import StillClips
from vidpose.data.loaders.stills import StillsConfig, training_samples
from vidpose.data.synthesis.limb_motion import MotionBank
from vidpose.data.synthesis.stills_to_clips import ClipConfig
from vidpose.errors import DataError
from vidpose.inference.decode import decode_maps, map_to_crop
from vidpose.methods.dkd.light import LITE, STRIDE, Sizes, build_light_dkd, start_from_frames
from vidpose.methods.dkd.seen_clips import SeenClips, VariedClips
from vidpose.methods.per_frame.pose import (
    load_pose_network,
    load_teacher,
    movenet_start,
    normalise,
    trained_size,
)
from vidpose.methods.per_frame.section import Side
from vidpose.nn.map_cells import map_distribution
from vidpose.nn.movenet import LIGHTNING_WIDTH, width_of
from vidpose.nn.shrink import shrink
from vidpose.skeleton import COCO_17
from vidpose.training.losses import gaussian_maps, peak_mass, spatial_cross_entropy
from vidpose.training.task import Batch, Task
from vidpose.training.validation import kept_out_samples, keypoint_pck

_KEPT_OUT_CLIPS = 100
_RECORDED_SEED = 0
_FROZEN = "network.initializer."


class DKDConfig(BaseModel):
    """Recipe section of the DKD task."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["dkd"]
    initializer: Path
    """Checkpoint of the per-frame network that looks at a first frame."""
    encoder: Path
    """Checkpoint of the per-frame network that the encoder starts as, or MoveNet's .onnx."""
    size: tuple[Side, Side] = LITE.initializer
    """Height and width of the initializer's crops, as it was trained."""
    step_size: tuple[Side, Side] = LITE.step
    """Those of the frame encoder's, of the same shape."""
    frames: int = Field(ge=2)
    """Clip length T, the first frame included; at least 2."""
    sigma: float = Field(gt=0)
    """Standard deviation of the target Gaussians, in map cells."""
    teacher: Path | None = None
    """ONNX file of MoveNet, or a run of `kind: pose`, that looks at every later frame at the
    initializer's size; the initializer itself unless given."""
    teacher_weight: float = Field(default=0.0, ge=0)
    """Weight of the teacher's maps in the loss, where the labels have 1."""
    recorded: int | None = Field(default=None, gt=0)
    """Make this many clips once, keep them with the initializer's and the teacher's maps in
    `cache`, and learn from them over and over, mirrored and in another light each time."""
    penn_action: Path | None = None
    """Root of Penn Action: its training tracks drive the clips; without it motion is random."""
    cache: Path
    """Folder for the collected tracks and for recorded clips."""
    clips: ClipConfig = ClipConfig()
    """Strengths of what makes clips of stills, for training; evaluation uses the defaults."""
    data: StillsConfig

    @model_validator(mode="after")
    def _teacher_teaches(self) -> DKDConfig:
        if self.teacher is not None and not self.teacher_weight:
            raise ValueError("teacher: it is idle, as teacher_weight is 0; give a weight, or none")
        return self

    @model_validator(mode="after")
    def _sizes_fit(self) -> DKDConfig:
        self.sizes(LIGHTNING_WIDTH, LIGHTNING_WIDTH)
        return self

    def sizes(self, initializer_width: float, step_width: float) -> Sizes:
        """The sizes of a network with trunks of these widths."""
        return Sizes(self.size, self.step_size, initializer_width, step_width)


class DKDTask(Task):
    """dkd-lite with a frozen initializer, clips, and the spatial cross-entropy per frame."""

    def __init__(self, config: DKDConfig, seed: int) -> None:
        super().__init__()
        self.config = config
        first = load_pose_network(config.initializer, COCO_17)
        self._samples = training_samples(config.data)
        later = (
            movenet_start(config.encoder, self._samples, config.step_size)
            if config.encoder.suffix == ".onnx"
            else load_pose_network(config.encoder, COCO_17)
        )
        self.sizes = _trained_sizes(
            config, width_of(first.state_dict()), width_of(later.state_dict())
        )
        self._seed = seed
        self.network = build_light_dkd(sizes=self.sizes)
        start_from_frames(self.network, first, later)
        self.network.initializer.requires_grad_(False).eval()
        self._teacher = (
            None
            if config.teacher is None
            else load_teacher(config.teacher, self.sizes.initializer, COCO_17)
        )
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
        for module in self.modules():  # norms keep their statistics
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def dataset(self) -> Dataset[dict[str, Any]]:
        config, size = self.config, self.sizes.initializer
        if config.recorded is None:
            return StillClips(
                self._samples, config.frames, size, COCO_17, self._seed, *self._made_with()
            )
        made = StillClips(
            self._samples, config.frames, size, COCO_17, _RECORDED_SEED, *self._made_with()
        )
        seen = SeenClips(made, self._look, self._look_later, self.sizes.ratio)
        key = " ".join(
            [
                made.description,
                f"to {self.sizes.step}",
                digest_of_samples(self._samples),
                digest_of_weights(self.network.initializer),
                str(config.penn_action),
                "" if config.teacher is None else f"{config.teacher} {config.teacher.stat()}",
            ]
        )
        kept = RecordedClips(seen, config.recorded, config.cache, key, self._seed)
        return VariedClips(kept, size[1], COCO_17, self._seed, config.clips.light)

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        maps = self._maps(batch)
        stride = STRIDE * self.network.ratio  # keypoints are in pixels of the initializer's crop
        losses = []
        for logits, keypoints in zip(maps, batch["keypoints"].unbind(1)[1:], strict=True):
            height, width = logits.shape[2:]
            target = gaussian_maps(keypoints, (height, width), stride, self.config.sigma)
            losses.append(spatial_cross_entropy(logits, target, keypoints[..., 2]))
        loss = torch.stack(losses).mean()
        figures = {
            "loss_first_step": losses[0].item(),
            "loss_last_step": losses[-1].item(),
        }
        if self.config.teacher_weight:
            apart = self._apart_from_teacher(maps, batch)
            figures["loss_teacher"] = apart.item()
            loss = loss + self.config.teacher_weight * apart
        return loss, figures

    def _apart_from_teacher(self, maps: list[Tensor], batch: Batch) -> Tensor:
        """Cross-entropy of the later frames' maps to what the teacher sees in them."""
        if "maps" in batch:
            seen = batch["maps"][:, 1:].flatten(0, 1).float()
        else:
            seen = self.network.pool_maps(self._look_later(batch["images"][:, 1:].flatten(0, 1)))
        return spatial_cross_entropy(torch.stack(maps, 1).flatten(0, 1), seen, peak_mass(seen))

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """Kept-out stills moved by Penn's test tracks: the initializer on each frame, the step."""
        if self.config.data.lspet is None:
            return {}
        samples = kept_out_samples(self.config.data.lspet)[:_KEPT_OUT_CLIPS]
        clips = StillClips(
            samples,
            self.config.frames,
            self.sizes.initializer,
            COCO_17,
            0,
            self._motion["test"],
            ClipConfig(),
            in_order=True,
        )
        step, first, truth = [], [], []
        for start in range(0, len(samples), 25):
            items = [clips[i] for i in range(start, min(start + 25, len(samples)))]
            batch = {key: torch.stack([item[key] for item in items]) for key in items[0]}
            maps = self._maps(batch)
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
        """Map logits of the later frames, of clips or of `SeenClips`."""
        images, network = normalise(batch["images"]), self.network
        if "maps" in batch:
            features = network.encode(images[:, 0])
            kernels = network.distillator(features, batch["maps"][:, 0].float())
        else:
            kernels = network.initialize(images[:, 0]).kernels
            small = shrink(images.flatten(0, 1), network.ratio)
            images = small.view(*images.shape[:3], *small.shape[2:])
        found = []
        for t in range(1, images.shape[1]):
            maps, kernels = network.step(images[:, t], kernels)
            found.append(maps)
        return found

    def _made_with(self) -> tuple[MotionBank | None, ClipConfig]:
        return self._motion["train"], self.config.clips

    @torch.no_grad()
    def _look(self, images: Tensor) -> Tensor:
        """The initializer's distributions in uint8 crops (N, 3, H, W)."""
        return map_distribution(self.network.initializer(normalise(images)))

    def _look_later(self, images: Tensor) -> Tensor:
        if self._teacher is None:
            return self._look(images)
        return map_distribution(self._teacher(images))


def _trained_sizes(config: DKDConfig, initializer_width: float, step_width: float) -> Sizes:
    """The recipe's sizes. Raises DataError where the networks were trained at others."""
    for checkpoint, size in ((config.initializer, config.size), (config.encoder, config.step_size)):
        trained = size if checkpoint.suffix == ".onnx" else trained_size(checkpoint)
        if trained != size:
            raise DataError(
                f"{checkpoint}: was trained on crops of {trained[0]}x{trained[1]}, the recipe has "
                f"{size[0]}x{size[1]} for it (task.size, task.step_size)"
            )
    return config.sizes(initializer_width, step_width)


def _points(logits: Tensor, stride: float) -> Any:
    return map_to_crop(decode_maps(logits.cpu().numpy())[0], stride)
