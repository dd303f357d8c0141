"""dkd-lite and its family on clips: frame encoder and distillator learn to carry the pose.

The network sees its own maps: frame 0 is the frozen initializer's, every later one comes from the
kernels of the frame before, errors included. Clips are made of stills
(data/synthesis/stills_to_clips.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from vidpose.data.loaders.stills import StillsConfig
from vidpose.data.loaders.tracked_windows import WindowsSection
from vidpose.data.samples import Sample
from vidpose.data.skeleton_field import SkeletonField
from vidpose.data.synthesis.stills_to_clips import ClipConfig
from vidpose.errors import DataError
from vidpose.methods.clips.maps import ClipMapping
from vidpose.methods.clips.task import ClipTask
from vidpose.methods.dkd.from_bundle import in_skeleton, is_bundle, networks_of_bundle
from vidpose.methods.dkd.light import (
    LITE,
    Sizes,
    build_light_dkd,
    start_from_frames,
    use_static_kernels,
)
from vidpose.methods.dkd.pooled import DistributionDKD
from vidpose.methods.per_frame.map_teachers import (
    CropLogits,
    MapTeacher,
    Mixture,
    by_mass,
    load_mixture,
    load_one,
    of_any_source,
)
from vidpose.methods.per_frame.pose import movenet_start, unfold_norms
from vidpose.methods.per_frame.pose_runs import load_pose_network, trained_size
from vidpose.methods.per_frame.section import Side
from vidpose.nn.checkpoint import load_checkpoint, load_into, load_weights
from vidpose.nn.movenet import (
    LIGHTNING_WIDTH,
    PoseEncoder,
    PoseNet,
    freeze_trunk,
    width_of,
)
from vidpose.nn.norms import fix_norms
from vidpose.nn.pixels import normalise
from vidpose.skeleton import COCO_17


class DKDConfig(BaseModel):
    """Recipe section of the DKD task."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["dkd"]
    skeleton: SkeletonField = COCO_17
    """The joints, as of `kind: pose`."""
    initializer: Path
    """Checkpoint of the per-frame network that finds a first frame's pose."""
    encoder: Path | None = None
    """Checkpoint of the per-frame network that the encoder starts as, or MoveNet's .onnx."""
    start: Path | None = None
    """A run of this task whose encoder and distillator are the start, in place of `encoder`; or a
    bundle of the light family, as of `kind: pose`."""
    frozen_trunk: bool = False
    """As of `kind: pose`: leave the frame encoder's MobileNetV2 as it is."""
    kernels: Literal["distilled", "static"] = "distilled"
    """static: the kernels are learned and the same in every frame, so that the step network has no
    memory: what it finds beside the other, on the same data, says what memory gains."""
    size: tuple[Side, Side] = LITE.initializer
    """Height and width of the initializer's crops, as it was trained."""
    step_size: tuple[Side, Side] = LITE.step
    """Those of the frame encoder's, of the same shape."""
    frames: int = Field(ge=2)
    """Clip length T, the first frame included; at least 2."""
    sigma: float = Field(gt=0)
    """Standard deviation of the target Gaussians, in map cells."""
    teacher: Path | None = None
    """ONNX file of MoveNet or of a heatmap network, or a run of `kind: pose`, that teaches every
    later frame at the initializer's size; the initializer itself unless given."""
    mixture: Mixture | None = None
    """Several teachers as one, in place of `teacher`."""
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
        if self.teacher is not None and self.mixture is not None:
            raise ValueError("give one of teacher (one network) and mixture (several)")
        for key in ("teacher", "mixture"):
            if getattr(self, key) is not None and not self.teacher_weight:
                raise ValueError(
                    f"{key}: it is idle, as teacher_weight is 0; give a weight, or none"
                )
        if self.label_distance is not None and not self.teacher_weight:
            raise ValueError("label_distance: no teacher checks the labels, as teacher_weight is 0")
        if self.video is not None and not self.teacher_weight:
            raise ValueError("video: clips without labels teach nothing, as teacher_weight is 0")
        return self

    @model_validator(mode="after")
    def _one_start(self) -> DKDConfig:
        if (self.encoder is None) == (self.start is None):
            raise ValueError(
                "give one of encoder (a per-frame network) and start (a run of dkd, or a bundle)"
            )
        return self

    @model_validator(mode="after")
    def _of_coco_alone(self) -> DKDConfig:
        if self.skeleton != COCO_17 and self.video is not None:
            raise ValueError(f"video: JHMDB's labels have no joints of {self.skeleton.name}")
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
    first = load_pose_network(config.initializer, config.skeleton)
    network = _started(config, first, samples)
    if config.kernels == "static":
        use_static_kernels(network)
    network.initializer.requires_grad_(False)
    fix_norms(network)
    if config.frozen_trunk:
        assert isinstance(network.encoder, PoseEncoder)
        freeze_trunk(network.encoder.backbone)
    return ClipTask(
        network,
        ClipMapping("cross-entropy", config.sigma, config.size[0]),
        first=1,
        teacher=_teacher(config, network),
        teacher_weight=config.teacher_weight,
        label_distance=config.label_distance,
        frozen=("network.initializer.",),
    )


def map_function(network: Callable[[Tensor], Tensor]) -> CropLogits:
    """A network on normalised images as one of uint8 crops."""

    @torch.no_grad()
    def predict(images: Tensor) -> Tensor:
        return network(normalise(images))

    return predict


def _teacher(config: DKDConfig, network: DistributionDKD) -> MapTeacher:
    if config.mixture is not None:
        return load_mixture(config.mixture, config.size, config.skeleton)
    if config.teacher is not None:
        return of_any_source(load_one(config.teacher, config.size, config.skeleton))
    return of_any_source(by_mass(map_function(network.initializer)))


def _started(config: DKDConfig, first: PoseNet, samples: Sequence[Sample]) -> DistributionDKD:
    """The network with its start weights."""
    _require_size(config.initializer, config.size)
    width = width_of(first.state_dict())
    if config.start is not None and is_bundle(config.start):
        return _of_bundle(config, config.start, first, samples)
    if config.start is not None:
        return _of_run(config, config.start, first)
    assert config.encoder is not None
    if config.encoder.suffix == ".onnx":
        later = movenet_start(config.encoder, samples, config.step_size, config.skeleton)
    else:
        later = load_pose_network(config.encoder, config.skeleton)
        _require_size(config.encoder, config.step_size)
    sizes = config.sizes(width, width_of(later.state_dict()))
    network = build_light_dkd(config.skeleton.num_keypoints, sizes=sizes)
    start_from_frames(network, first, later)
    return network


def _of_run(config: DKDConfig, start: Path, first: PoseNet) -> DistributionDKD:
    """The network of a run of this task, with `first` as its initializer."""
    section = load_checkpoint(start)["recipe"].get("task", {})
    if section.get("kind") != "dkd":
        raise DataError(f"{start}: not a checkpoint of a recipe with `kind: dkd`")
    height, width = section.get("step_size", LITE.step)
    _require_step_size(config, start, (height, width))
    return _with_initializer(config, load_weights(start, prefix="network."), first)


def _of_bundle(
    config: DKDConfig, start: Path, first: PoseNet, samples: Sequence[Sample]
) -> DistributionDKD:
    """The network of a bundle for the recipe's joints, with `first` as its initializer."""
    found = networks_of_bundle(start)
    _require_step_size(config, start, found.sizes.step)
    weights = in_skeleton(found, config.skeleton).state_dict()
    network = _with_initializer(config, weights, first)
    unfold_norms(network.encoder, samples, config.step_size)
    return network


def _with_initializer(
    config: DKDConfig, weights: Mapping[str, Tensor], first: PoseNet
) -> DistributionDKD:
    """The network of these weights, but for its initializer."""
    assert config.start is not None
    initializer = first.state_dict()
    sizes = config.sizes(width_of(initializer), width_of(weights))
    network = build_light_dkd(config.skeleton.num_keypoints, sizes=sizes)
    kept = {k: v for k, v in weights.items() if not k.startswith("initializer.")}
    kept |= {f"initializer.{name}": value for name, value in initializer.items()}
    load_into(network, kept, config.start)
    return network


def _require_step_size(config: DKDConfig, start: Path, size: tuple[int, int]) -> None:
    if size != config.step_size:
        raise DataError(
            f"{start}: its step sees crops of {size[0]}x{size[1]}, the recipe has "
            f"{config.step_size[0]}x{config.step_size[1]} (task.step_size)"
        )


def _require_size(checkpoint: Path, size: tuple[int, int]) -> None:
    """Raise DataError where a per-frame network was trained at another size."""
    trained = trained_size(checkpoint)
    if trained != size:
        raise DataError(
            f"{checkpoint}: was trained on crops of {trained[0]}x{trained[1]}, the recipe has "
            f"{size[0]}x{size[1]} for it (task.size, task.step_size)"
        )
