"""dkd-lite and its family on clips: frame encoder and distillator learn to carry the pose.

The network sees its own maps: frame 0 is the frozen initializer's, every later one comes from the
kernels of the frame before, errors included. Clips are made of stills
(data/synthesis/stills_to_clips.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from vidpose.data.loaders.stills import StillsConfig
from vidpose.data.loaders.tracked_windows import WindowConfig
from vidpose.data.samples import Sample
from vidpose.data.synthesis.stills_to_clips import ClipConfig
from vidpose.errors import DataError
from vidpose.methods.clips.maps import ClipMapping
from vidpose.methods.clips.task import ClipTask, MapTeacher
from vidpose.methods.dkd.light import LITE, Sizes, build_light_dkd, start_from_frames
from vidpose.methods.dkd.pooled import DistributionDKD
from vidpose.methods.per_frame.pose import (
    load_pose_network,
    load_teacher,
    movenet_start,
    trained_size,
)
from vidpose.methods.per_frame.section import Side
from vidpose.nn.map_cells import map_distribution
from vidpose.nn.movenet import LIGHTNING_WIDTH, width_of
from vidpose.nn.norms import fix_norms
from vidpose.nn.pixels import normalise
from vidpose.skeleton import COCO_17


class WindowsSection(BaseModel):
    """Real video among the clips: JHMDB's training clips, labelled or with masks alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    jhmdb: Path
    """The folder of JHMDB, with ReCompress_Videos/, puppet_mask/ and splits/."""
    split: Literal["1", "2", "3"] = "1"
    """Whose training part is learnt from; its test part is never read."""
    share: float = Field(default=0.5, gt=0, le=1)
    """Of the clips that are windows of video; the others are made of stills."""
    incomplete: bool = False
    """Leave out clips without video or mask; without it every training clip must be there."""
    windows: WindowConfig = WindowConfig()
    """Strengths of what is done to them."""


class DKDConfig(BaseModel):
    """Recipe section of the DKD task."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["dkd"]
    initializer: Path
    """Checkpoint of the per-frame network that finds a first frame's pose."""
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
    """ONNX file of MoveNet, or a run of `kind: pose`, that teaches every later frame at the
    initializer's size; the initializer itself unless given."""
    teacher_weight: float = Field(default=0.0, ge=0)
    """Weight of the teacher's maps in the loss, where the labels have 1."""
    label_distance: float | None = Field(default=None, gt=0)
    """A label this many pixels of the initializer's crop from the peak of a sure teacher has half
    its weight, a further one less; all labels count fully unless given."""
    recorded: int | None = Field(default=None, gt=0)
    """Make this many clips once, keep them with the initializer's and the teacher's maps in
    `cache`, and learn from them over and over, mirrored and in another light each time."""
    penn_action: Path | None = None
    """Root of Penn Action: its training tracks drive the clips; without it motion is random."""
    video: WindowsSection | None = None
    """Windows of real video beside the clips of stills; needs a `teacher_weight`, as some clips
    have no labels."""
    cache: Path
    """Folder for the collected tracks, for recorded clips and for decoded video."""
    clips: ClipConfig = ClipConfig()
    """Strengths of what makes clips of stills, for training; evaluation uses the defaults."""
    data: StillsConfig

    @model_validator(mode="after")
    def _teacher_teaches(self) -> DKDConfig:
        if self.teacher is not None and not self.teacher_weight:
            raise ValueError("teacher: it is idle, as teacher_weight is 0; give a weight, or none")
        if self.label_distance is not None and not self.teacher_weight:
            raise ValueError("label_distance: no teacher checks the labels, as teacher_weight is 0")
        if self.video is not None and not self.teacher_weight:
            raise ValueError("video: clips without labels teach nothing, as teacher_weight is 0")
        return self

    @model_validator(mode="after")
    def _sizes_fit(self) -> DKDConfig:
        self.sizes(LIGHTNING_WIDTH, LIGHTNING_WIDTH)
        return self

    def sizes(self, initializer_width: float, step_width: float) -> Sizes:
        """The sizes of a network with trunks of these widths."""
        return Sizes(self.size, self.step_size, initializer_width, step_width)


def dkd_task(config: DKDConfig, samples: Sequence[Sample]) -> ClipTask:
    """The task of a recipe section: start weights and the teacher are loaded here.

    `samples`: labelled people, on whose crops the norms of MoveNet's weights are measured. The
    initializer stays as it is, its maps are not learnt from, and it is in no checkpoint.

    Raises DataError where the networks were trained at other sizes or for other joints.
    """
    first = load_pose_network(config.initializer, COCO_17)
    later = (
        movenet_start(config.encoder, samples, config.step_size)
        if config.encoder.suffix == ".onnx"
        else load_pose_network(config.encoder, COCO_17)
    )
    sizes = _trained_sizes(config, width_of(first.state_dict()), width_of(later.state_dict()))
    network = build_light_dkd(sizes=sizes)
    start_from_frames(network, first, later)
    network.initializer.requires_grad_(False)
    fix_norms(network)
    return ClipTask(
        network,
        ClipMapping("cross-entropy", config.sigma, sizes.initializer[0]),
        first=1,
        teacher=_teacher(config, network, sizes),
        teacher_weight=config.teacher_weight,
        label_distance=config.label_distance,
        frozen=("network.initializer.",),
    )


def map_function(network: Callable[[Tensor], Tensor]) -> MapTeacher:
    """A network on normalised images as one from uint8 crops to distributions."""

    @torch.no_grad()
    def predict(images: Tensor) -> Tensor:
        return map_distribution(network(normalise(images)))

    return predict


def _teacher(config: DKDConfig, network: DistributionDKD, sizes: Sizes) -> MapTeacher:
    if config.teacher is None:
        return map_function(network.initializer)
    teacher = load_teacher(config.teacher, sizes.initializer, COCO_17)
    return lambda images: map_distribution(teacher(images))


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
