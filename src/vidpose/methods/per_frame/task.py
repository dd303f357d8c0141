"""What the tasks of per-frame networks share: stills, evaluation, and the form that is deployed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from torch.utils.data import Dataset

from vidpose.data.loaders.stills import StillsDataset, plain_crops, training_samples
from vidpose.data.samples import Sample
from vidpose.errors import DataError
from vidpose.methods.distilpose.model import TokenPose, Tokens
from vidpose.methods.per_frame.pose import map_function, normalise
from vidpose.methods.per_frame.section import FrameSection
from vidpose.nn.backbones import TimmBackbone
from vidpose.nn.heatmap_logits import HeatmapLogits, MapKind
from vidpose.nn.movenet import restore_batch_norm
from vidpose.skeleton import Skeleton
from vidpose.training.task import Batch, Task
from vidpose.training.validation import KeptOut, stills_pck

MAP_STRIDE = 4
_CALIBRATION_CROPS = 96


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
    """A per-frame network on stills.

    Subclasses say what the network gives, how it learns labels, and how it learns the maps of a
    teacher (`training/distil.py`).

    Args:
        section: crops, skeleton, augmentation and stills.
        seed: of the data.
    """

    def __init__(self, section: FrameSection, seed: int) -> None:
        super().__init__()
        self.size = section.size
        self.skeleton = section.joints
        self.augment = section.augment
        self.seed = seed
        self.samples = training_samples(section.data, self.skeleton)
        self.kept_out = KeptOut.open(section.data, self.skeleton)

    @abstractmethod
    def outputs(self, images: Tensor) -> Any:
        """What the network under training gives for images (N, 3, H, W) in [-1, 1]."""

    @abstractmethod
    def label_loss(self, outputs: Any, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """The method's own loss, and figures for the log."""

    @abstractmethod
    def model(self) -> FrameModel:
        """The network that is kept after training."""

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

    def dataset(self) -> Dataset[dict[str, Any]]:
        return StillsDataset(self.samples, self.size, self.seed, self.augment, self.skeleton)

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        return self.label_loss(self.outputs(normalise(batch["image"])), batch)

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        return self.score_kept_out(self.model())

    def score_kept_out(self, model: FrameModel) -> dict[str, float]:
        """Scores on labelled people that no training sees, for each set that has some."""
        network = map_function(model.deployed().eval())
        return self.kept_out.scores(network, self.size, self.skeleton)

    def score(self, model: FrameModel, samples: Sequence[Sample]) -> dict[str, float]:
        """PCK of a network on plain crops of labelled people."""
        network = map_function(model.deployed().eval())
        return stills_pck(network, samples, self.size, self.skeleton)


class BackboneSection(BaseModel):
    """Which timm network reads the image, and where its weights start."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """timm's name."""
    weights: Path | None = None
    """State dict of timm's published weights; without it the backbone starts from nothing."""
    movenet: Path | None = None
    """MoveNet Lightning's .onnx, whose trunk is a `mobilenetv2_100`."""

    def build(self) -> TimmBackbone:
        """The untrained backbone."""
        return TimmBackbone(self.name, imagenet=self.movenet is None)


def start_backbone(
    backbone: nn.Module,
    section: BackboneSection,
    samples: Sequence[Sample],
    size: tuple[int, int],
) -> None:
    """Give a backbone the start that the recipe names."""
    assert isinstance(backbone, TimmBackbone)
    if section.weights is not None:
        backbone.load_timm(section.weights)
    if section.movenet is not None:
        backbone.load_movenet(section.movenet)
        restore_norms(backbone, samples, size)


def restore_norms(backbone: nn.Module, samples: Sequence[Sample], size: tuple[int, int]) -> None:
    """Measure the norms that MoveNet's file has folded, on plain crops of `samples`."""
    crops, _ = plain_crops(samples, size, _CALIBRATION_CROPS)
    restore_batch_norm(backbone, list(torch.split(normalise(crops), 16)))
