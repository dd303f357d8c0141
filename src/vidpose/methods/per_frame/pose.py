"""Per-frame pose network on stills: dkd-lite's initializer, and the start of its encoder.

Crowd labels of gymnasts are many and labels of everyday people few here, and plain fine-tuning
forgets the everyday people. So a frozen teacher, usually MoveNet itself, sees the same crops, and
the network is held to its maps as much as to the labels (learning without forgetting, Li and
Hoiem, arXiv 1606.09282). The norms keep their statistics for the same reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from vidpose.data.loaders.stills import plain_crops
from vidpose.data.samples import Sample
from vidpose.errors import DataError
from vidpose.methods.per_frame.section import FrameSection
from vidpose.nn.checkpoint import (
    load_checkpoint,
    load_into,
    load_weights,
    require_skeleton,
)
from vidpose.nn.map_cells import map_distribution
from vidpose.nn.movenet import (
    PoseNet,
    load_movenet_pose,
    movenet_width,
    restore_batch_norm,
    width_of,
)
from vidpose.nn.movenet_teacher import MoveNetTeacher
from vidpose.nn.norms import fix_norms
from vidpose.nn.pixels import normalise
from vidpose.nn.shrink import shrink
from vidpose.skeleton import COCO_17, Skeleton
from vidpose.training.losses import (
    downweight_labels,
    gaussian_maps,
    peak_mass,
    spatial_cross_entropy,
)
from vidpose.training.task import Batch, Task

STRIDE = 4
_CALIBRATION_CROPS = 96


class TeacherConfig(BaseModel):
    """Recipe section of the frozen teacher."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: Path
    """ONNX file of MoveNet, or a run of this task."""
    size: tuple[int, int]
    """Height and width of its crops: of the shape of the network's, as large or larger."""
    weight: float = Field(gt=0)
    """Weight of its maps in the loss, where the labels have weight 1."""
    label_distance: float | None = Field(default=None, gt=0)
    """A label this many crop pixels from the peak of a sure teacher has half its weight, a further
    one less; all labels count fully unless given."""


class PoseConfig(FrameSection):
    """Recipe section of the per-frame pose task; the crops' sides are multiples of 8."""

    kind: Literal["pose"]
    movenet: Path
    """ONNX file of MoveNet Lightning or Thunder, whose weights, and width, are the start; maps of
    joints that COCO's skeleton lacks start from nothing."""
    sigma: float = Field(gt=0)
    """Standard deviation of the target Gaussians, in map cells."""
    teacher: TeacherConfig | None = None

    @property
    def crop_size(self) -> tuple[int, int]:
        """Height and width of the crops that are drawn: the teacher's, if there is one."""
        return self.size if self.teacher is None else self.teacher.size

    @model_validator(mode="after")
    def _teacher_fits(self) -> PoseConfig:
        if self.teacher is not None:
            if self.teacher.weights.suffix == ".onnx" and self.skeleton != COCO_17.name:
                raise ValueError(f"teacher: MoveNet has the joints of coco17, not {self.skeleton}")
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
        self.network = movenet_start(config.movenet, samples, config.size, config.joints)
        fix_norms(self.network)
        self._teacher = (
            None
            if config.teacher is None
            else load_teacher(config.teacher.weights, config.teacher.size, config.joints)
        )

    def loss(self, batch: Batch, step: int = 0) -> tuple[Tensor, dict[str, Tensor]]:
        keypoints, config = batch["keypoints"], self.config
        ratio = config.crop_size[0] / config.size[0]
        logits = self.network(shrink(normalise(batch["image"]), ratio))
        height, width = logits.shape[2:]
        found = None
        if config.teacher is not None and self._teacher is not None:
            found = map_distribution(self._teacher(batch["image"]))
            sure = peak_mass(found)
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


def movenet_start(
    path: Path, samples: Sequence[Sample], size: tuple[int, int], skeleton: Skeleton = COCO_17
) -> PoseNet:
    """The published MoveNet as a start: its norms unfolded, measured on crops of the samples."""
    network = PoseNet(skeleton.num_keypoints, movenet_width(path))
    load_movenet_pose(network, path, skeleton)
    images, _ = plain_crops(samples, size, _CALIBRATION_CROPS)
    restore_batch_norm(network, torch.split(normalise(images), 16))
    return network


def map_function(network: torch.nn.Module) -> Any:
    """A network on normalised tensors as a function of uint8 crops (N, h, w, 3)."""
    device = next(network.parameters()).device

    def run(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.no_grad():
            images = torch.from_numpy(crops).permute(0, 3, 1, 2).to(device)
            maps: NDArray[np.float32] = network(normalise(images)).cpu().numpy()
        return maps

    return run


def load_pose_network(checkpoint: Path, skeleton: Skeleton) -> PoseNet:
    """The trained network of this task's checkpoint.

    Raises DataError for a checkpoint of another task or with the joints of another skeleton.
    """
    require_skeleton(checkpoint, skeleton)
    weights = load_weights(checkpoint, prefix="network.")
    network = PoseNet(skeleton.num_keypoints, width_of(weights))
    load_into(network, weights, checkpoint)
    return network


def trained_size(checkpoint: Path) -> tuple[int, int]:
    """(H, W) of the crops that a checkpoint of this task learnt from."""
    section = load_checkpoint(checkpoint)["recipe"].get("task", {})
    if section.get("kind") != "pose" or "size" not in section:
        raise DataError(f"{checkpoint}: not a checkpoint of a recipe with `kind: pose`")
    height, width = section["size"]
    return int(height), int(width)


def load_teacher(
    weights: Path, size: tuple[int, int], skeleton: Skeleton
) -> Callable[[Tensor], Tensor]:
    """A frozen network: uint8 crops (N, 3, H, W) of this size -> map logits (N, K, H/4, W/4).

    No module, so in no checkpoint. `weights`: ONNX file of MoveNet, or a run of this task.
    """
    if weights.suffix != ".onnx":
        network = load_pose_network(weights, skeleton)
        trained = trained_size(weights)
        if trained != size:
            raise DataError(
                f"{weights}: as a teacher it is given crops of {size[0]}x{size[1]}, and it was "
                f"trained on {trained[0]}x{trained[1]}"
            )
    else:
        published = MoveNetTeacher(weights)
        if published.size == size[0]:
            return published
        network = PoseNet(width=movenet_width(weights))
        load_movenet_pose(network, weights)
    network.eval().requires_grad_(False)

    def predict(images: Tensor) -> Tensor:
        with torch.no_grad():
            logits: Tensor = network.to(images.device)(normalise(images))
        return logits

    return predict
