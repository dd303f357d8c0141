"""Per-frame pose network on stills: dkd-lite's initializer, and the start of its encoder.

Crowd labels of gymnasts are many and labels of everyday people few here, and plain fine-tuning
forgets the everyday people. So a frozen teacher, usually MoveNet itself, sees the same crops, and
the network is held to its maps as much as to the labels (learning without forgetting, Li and
Hoiem, arXiv 1606.09282). The norms keep their statistics for the same reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from vidpose.data.loaders.stills import plain_crops
from vidpose.data.loaders.tracked_windows import WindowsSection
from vidpose.data.samples import Sample
from vidpose.methods.dkd.from_bundle import in_skeleton, is_bundle, networks_of_bundle
from vidpose.methods.per_frame.map_teachers import (
    STRIDE,
    MapTeacher,
    Mixture,
    load_mixture,
    load_one,
    of_any_source,
)
from vidpose.methods.per_frame.pose_runs import load_pose_network
from vidpose.methods.per_frame.section import FrameSection
from vidpose.nn.folded_norms import restore_batch_norm
from vidpose.nn.movenet import PoseNet, freeze_trunk
from vidpose.nn.movenet_weights import load_movenet_pose, movenet_width
from vidpose.nn.norms import fix_norms
from vidpose.nn.pixels import normalise
from vidpose.nn.shrink import shrink
from vidpose.skeleton import COCO_17, Skeleton
from vidpose.training.losses import downweight_labels, gaussian_maps, spatial_cross_entropy
from vidpose.training.task import Batch, Task

_CALIBRATION_CROPS = 96


class TeacherConfig(BaseModel):
    """Recipe section of the frozen teacher."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: Path | None = None
    """ONNX file of MoveNet or of any heatmap network, or a run of this task; this or a mixture."""
    mixture: Mixture | None = None
    """Several teachers as one, with shares that may differ from set to set."""
    size: tuple[int, int]
    """Height and width of its crops: of the shape of the network's, as large or larger."""
    weight: float = Field(gt=0)
    """Weight of its maps in the loss, where the labels have weight 1."""
    label_distance: float | None = Field(default=None, gt=0)
    """A label this many crop pixels from the peak of a sure teacher has half its weight, a further
    one less; all labels count fully unless given."""

    @model_validator(mode="after")
    def _one_way(self) -> TeacherConfig:
        if (self.weights is None) == (self.mixture is None):
            raise ValueError("give one of weights (one teacher) and mixture (several)")
        return self

    def load(self, skeleton: Skeleton) -> MapTeacher:
        """The teacher. Raises as `load_mixture`."""
        if self.weights is not None:
            return of_any_source(load_one(self.weights, self.size, skeleton))
        assert self.mixture is not None
        return load_mixture(self.mixture, self.size, skeleton)


class PoseConfig(FrameSection):
    """Recipe section of the per-frame pose task; the crops' sides are multiples of 8."""

    kind: Literal["pose"]
    movenet: Path | None = None
    """ONNX file of MoveNet Lightning or Thunder, whose weights, and width, are the start; maps of
    joints that COCO's skeleton lacks start from nothing."""
    start: Path | None = None
    """A run of this task whose weights are the start, in place of MoveNet's; or a bundle of the
    light family, by its path or a shipped model's name: maps of joints that it has by name are
    copied, others start as the mean of their neighbours' (methods/dkd/from_bundle.py)."""
    frozen_trunk: bool = False
    """Leave MobileNetV2 as it is and train the pyramid behind it and the maps: for a few hundred
    labels, and quicker by half."""
    sigma: float = Field(gt=0)
    """Standard deviation of the target Gaussians, in map cells."""
    teacher: TeacherConfig | None = None
    video: WindowsSection | None = None
    """Single frames of real video among the stills, cropped as a tracker crops; needs a teacher,
    as some clips have no labels."""
    cache: Path = Path("cache")
    """Folder for decoded video."""

    @property
    def crop_size(self) -> tuple[int, int]:
        """Height and width of the crops that are drawn: the teacher's, if there is one."""
        return self.size if self.teacher is None else self.teacher.size

    @model_validator(mode="after")
    def _one_start(self) -> PoseConfig:
        if (self.movenet is None) == (self.start is None):
            raise ValueError(
                "give one of movenet (its ONNX file) and start (a run of this task, or a bundle)"
            )
        return self

    @model_validator(mode="after")
    def _video_is_taught(self) -> PoseConfig:
        if self.video is not None and self.teacher is None:
            raise ValueError("video: clips without labels teach nothing without a teacher")
        if self.video is not None and self.skeleton != COCO_17:
            joints = self.skeleton.name
            raise ValueError(f"video: its frames teach the joints of coco17, not {joints}")
        return self

    @model_validator(mode="after")
    def _teacher_fits(self) -> PoseConfig:
        if self.teacher is not None:
            (height, width), (rows, columns) = self.size, self.teacher.size
            if rows * width != columns * height or rows < height:
                raise ValueError(
                    f"teacher.size {rows}x{columns} must have the shape of size, "
                    f"{height}x{width}, and not be smaller"
                )
        return self


class PoseTask(Task):
    """A PoseNet, the spatial cross-entropy to the labels and to a teacher's maps.

    `samples`: labelled people on whose crops the norms of MoveNet's weights are measured.
    """

    network: PoseNet

    def __init__(self, config: PoseConfig, samples: Sequence[Sample]) -> None:
        super().__init__()
        self.config = config
        self.network = start_network(config, samples)
        fix_norms(self.network)
        if config.frozen_trunk:
            freeze_trunk(self.network.encoder.backbone)
        self._teacher = None if config.teacher is None else config.teacher.load(config.joints)

    def loss(self, batch: Batch, step: int = 0) -> tuple[Tensor, dict[str, Tensor]]:
        keypoints, config = batch["keypoints"], self.config
        ratio = config.crop_size[0] / config.size[0]
        logits = self.network(shrink(normalise(batch["image"]), ratio))
        height, width = logits.shape[2:]
        found = None
        if config.teacher is not None and self._teacher is not None:
            found, sure = self._teacher(batch["image"], batch.get("source"))
            if config.teacher.label_distance is not None:
                keypoints = downweight_labels(
                    keypoints, found, sure, STRIDE, config.teacher.label_distance
                )
        target = gaussian_maps(keypoints, (height, width), STRIDE * ratio, config.sigma)
        loss = spatial_cross_entropy(logits, target, keypoints[..., 2])
        if config.teacher is None or found is None:
            return loss, {}
        apart = spatial_cross_entropy(logits, shrink(found, ratio) * ratio**2, sure)
        figures = {"loss_labels": loss.detach(), "loss_teacher": apart.detach()}
        return loss + config.teacher.weight * apart, figures


def start_network(config: PoseConfig, samples: Sequence[Sample]) -> PoseNet:
    """The network with its start weights: those of a bundle, of a run, or MoveNet's."""
    if config.start is not None and is_bundle(config.start):
        network = in_skeleton(networks_of_bundle(config.start), config.joints).initializer
        assert isinstance(network, PoseNet)
        unfold_norms(network, samples, config.size)
        return network
    if config.start is not None:
        return load_pose_network(config.start, config.joints)
    assert config.movenet is not None
    return movenet_start(config.movenet, samples, config.size, config.joints)


def movenet_start(
    path: Path, samples: Sequence[Sample], size: tuple[int, int], skeleton: Skeleton = COCO_17
) -> PoseNet:
    """The published MoveNet as a start: its norms unfolded, measured on crops of the samples."""
    network = PoseNet(skeleton.num_keypoints, movenet_width(path))
    load_movenet_pose(network, path, skeleton)
    unfold_norms(network, samples, size)
    return network


def unfold_norms(
    network: torch.nn.Module, samples: Sequence[Sample], size: tuple[int, int]
) -> None:
    """Measure the norms of folded weights on crops (H, W) of the samples."""
    images, _ = plain_crops(samples, size, _CALIBRATION_CROPS)
    restore_batch_norm(network, torch.split(normalise(images), 16))


def map_function(network: torch.nn.Module) -> Any:
    """A network on normalised tensors as a function of uint8 crops (N, h, w, 3)."""
    device = next(network.parameters()).device

    def run(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.no_grad():
            images = torch.from_numpy(crops).permute(0, 3, 1, 2).to(device)
            maps: NDArray[np.float32] = network(normalise(images)).cpu().numpy()
        return maps

    return run
