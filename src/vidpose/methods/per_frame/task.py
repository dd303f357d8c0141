"""What the tasks of per-frame networks share: losses, starts, and the form that is deployed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from vidpose.data.loaders.stills import plain_crops
from vidpose.data.samples import Sample
from vidpose.errors import DataError
from vidpose.methods.distilpose.model import TokenPose, Tokens
from vidpose.methods.per_frame.section import FrameSection
from vidpose.nn.backbones import TimmBackbone
from vidpose.nn.folded_norms import restore_batch_norm
from vidpose.nn.heatmap_logits import HeatmapLogits, MapKind
from vidpose.nn.movenet import PoseEncoder
from vidpose.nn.movenet_weights import load_movenet_encoder
from vidpose.nn.pixels import normalise
from vidpose.skeleton import Skeleton
from vidpose.training.task import Batch, Task

MAP_STRIDE = 4
_CALIBRATION_CROPS = 96
_PYRAMID = "movenet"


@dataclass(frozen=True, slots=True, eq=False)
class FrameModel:
    """A per-frame network and how it is read.

    `network`: images (N, 3, H, W) in [-1, 1] -> maps (N, K, H/4, W/4) of the `kind`. `size`: (H,
    W). `sigma`: of the Gaussians that it was trained with, in cells. `skeleton`: names the K
    joints.
    """

    network: nn.Module
    kind: MapKind
    size: tuple[int, int]
    sigma: float
    skeleton: Skeleton

    def deployed(self) -> nn.Module:
        """The network as the runtime reads it: images -> logits of a distribution."""
        if self.kind == "distribution":
            return self.network
        return HeatmapLogits(self.network, self.sigma, sigmoid=self.kind == "sigmoid")


class FrameTask(Task):
    """A per-frame network that learns from crops of stills.

    Subclasses say what the network gives, how it learns labels, and how it learns the maps of a
    teacher (`training/distil.py`).
    """

    def __init__(self, section: FrameSection) -> None:
        super().__init__()
        self.size = section.size
        self.skeleton = section.joints

    @abstractmethod
    def outputs(self, images: Tensor) -> Any:
        """What the network under training gives for images (N, 3, H, W) in [-1, 1]."""

    @abstractmethod
    def label_loss(
        self, outputs: Any, batch: Batch, step: int = 0
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The method's own loss at an optimiser step, and figures for the log."""

    def map_loss(self, outputs: Any, heatmaps: Tensor, weight: Tensor) -> Tensor:
        """Loss against heatmaps (N, K, h, w) in [0, 1], as against a label's; weight (N, K)."""
        raise DataError(f"{type(self).__name__} gives no maps that a teacher's maps could teach")

    def map_size(self) -> tuple[int, int]:
        return self.size[0] // MAP_STRIDE, self.size[1] // MAP_STRIDE

    def tokens(self, outputs: Any) -> Tokens | None:
        """Tokens of the network, if it has any."""
        return None

    def pose(self, outputs: Any) -> TokenPose | None:
        """The regressed pose, if the network regresses."""
        return None

    def loss(self, batch: Batch, step: int = 0) -> tuple[Tensor, dict[str, Tensor]]:
        return self.label_loss(self.outputs(normalise(batch["image"])), batch, step)


class BackboneSection(BaseModel):
    """Which timm network reads the image, and where its weights start."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """timm's name, or `movenet`: MoveNet's trunk and pyramid, with features at a quarter of the
    image's size."""
    weights: Path | None = None
    """State dict of timm's published weights; without it the backbone starts from nothing."""
    movenet: Path | None = None
    """MoveNet Lightning's .onnx; its trunk is a `mobilenetv2_100`."""

    def build(self) -> TimmBackbone | PoseEncoder:
        """The untrained backbone."""
        if self.name == _PYRAMID:
            return PoseEncoder()
        return TimmBackbone(self.name, imagenet=self.movenet is None)


def start_backbone(
    backbone: nn.Module,
    section: BackboneSection,
    samples: Sequence[Sample],
    size: tuple[int, int],
) -> None:
    """Give a backbone the start that the recipe names."""
    assert isinstance(backbone, TimmBackbone | PoseEncoder)
    if section.weights is not None:
        if isinstance(backbone, PoseEncoder):
            raise DataError(f"backbone {_PYRAMID} starts from `movenet`, not from timm's `weights`")
        backbone.load_timm(section.weights)
    if section.movenet is not None:
        if isinstance(backbone, PoseEncoder):
            load_movenet_encoder(backbone, section.movenet)
        else:
            backbone.load_movenet(section.movenet)
        restore_norms(backbone, samples, size)


def restore_norms(backbone: nn.Module, samples: Sequence[Sample], size: tuple[int, int]) -> None:
    """Measure the norms that MoveNet's file has folded, on plain crops of `samples`."""
    crops, _ = plain_crops(samples, size, _CALIBRATION_CROPS)
    restore_batch_norm(backbone, list(torch.split(normalise(crops), 16)))
