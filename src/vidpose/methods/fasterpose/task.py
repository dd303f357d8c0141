"""FasterPose: any backbone with a low-resolution head, trained with regressive cross-entropy.

The network and its source are in `vidpose.methods.fasterpose.model`. The abstract says of the loss
that it generalises binary cross-entropy to a continuous range so that training profits from the
sigmoid; its formula was not at hand. Ours is an **interpretation**, `rce-a`; p = sigmoid(z) is the
height that the network gives a cell, y in [0, 1] the target's:

    -y log p - (1 - y) log(1 - p) - H(y),    dL/dz = p - y

It is the binary cross-entropy where y is 0 or 1, and 0 at p = y (by taking off the target's own
entropy H). The squared error of p, the baseline of the ablation, has a gradient of
2 (p - y) p (1 - p), which vanishes where the network is sure and wrong; the cross-entropy cancels
that factor. Another reading, the residual -log(1 - |p - y|), was tried as `rce-b` and did not
learn: near the target its gradient does not fall, so it never comes to rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor
from torch.nn import functional

from vidpose.data.samples import Sample
from vidpose.methods.fasterpose.model import FasterPose, Head
from vidpose.methods.per_frame.section import FrameSection
from vidpose.methods.per_frame.task import (
    MAP_STRIDE,
    BackboneSection,
    FrameModel,
    FrameTask,
    start_backbone,
)
from vidpose.nn.heatmap_logits import MapKind
from vidpose.training.heatmaps import gaussian_heatmaps, joint_mean
from vidpose.training.task import Batch

HeatmapLoss = Literal["rce-a", "mse", "linear-mse"]


class FasterPoseConfig(FrameSection):
    """Recipe section of the FasterPose task; the crops' sides are multiples of the backbone's
    stride."""

    kind: Literal["fasterpose"]
    backbone: BackboneSection
    head: Head = "shuffle"
    """See `vidpose.methods.fasterpose.model`."""
    height_loss: HeatmapLoss = "rce-a"
    """Regressive cross-entropy, the squared error of the sigmoid, or that of a network without a
    sigmoid, as Simple Baseline's (linear-mse)."""
    sigma: float = Field(default=2.0, gt=0)
    """Standard deviation of the target Gaussians, in map cells."""

    @field_validator("height_loss", mode="before")
    @classmethod
    def _not_the_removed_reading(cls, value: object) -> object:
        if value == "rce-b":
            raise ValueError("rce-b was removed, as it did not learn; take rce-a, or mse")
        return value


class FasterPoseTask(FrameTask):
    """A FasterPose network and its loss; `samples` as of `start_backbone`."""

    network: FasterPose

    def __init__(self, config: FasterPoseConfig, samples: Sequence[Sample]) -> None:
        super().__init__(config)
        self.config = config
        self.network = build_fasterpose(config)
        start_backbone(self.network.backbone, config.backbone, samples, config.size)

    def outputs(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)
        return logits

    def label_loss(
        self, outputs: Any, batch: Batch, step: int = 0
    ) -> tuple[Tensor, dict[str, Tensor]]:
        keypoints = batch["keypoints"]
        target = gaussian_heatmaps(keypoints, self.map_size(), MAP_STRIDE, self.config.sigma)
        return self.map_loss(outputs, target, keypoints[..., 2]), {}

    def map_loss(self, outputs: Any, heatmaps: Tensor, weight: Tensor) -> Tensor:
        """A height outside [0, 1], by which a teacher overshoots, counts as the nearer end: there
        is no cross-entropy beyond. `DistilTask` logs how often that is."""
        if self.config.height_loss != "linear-mse":
            heatmaps = heatmaps.clamp(0, 1)
        return heatmap_loss(outputs, heatmaps, weight, self.config.height_loss)


def build_fasterpose(config: FasterPoseConfig) -> FasterPose:
    """The network of a recipe section, untrained."""
    backbone = config.backbone.build()
    return FasterPose(
        backbone,
        backbone.channels,
        backbone.stride,
        config.joints.num_keypoints,
        config.head,
        sigmoid=config.height_loss != "linear-mse",
    )


def fasterpose_model(network: FasterPose, config: FasterPoseConfig) -> FrameModel:
    """How the trained network is read."""
    kind: MapKind = "heatmaps" if config.height_loss == "linear-mse" else "sigmoid"
    return FrameModel(network, kind, config.size, config.sigma, config.joints)


def heatmap_loss(logits: Tensor, heatmaps: Tensor, weight: Tensor, form: HeatmapLoss) -> Tensor:
    """Mean over cells, weighted mean over joints.

    Args:
        logits, heatmaps: (N, K, h, w), heatmaps in [0, 1]; `linear-mse` takes heatmaps for both.
        weight: (N, K), 0 = the joint does not count.
        form: see the module's text.
    """
    if form == "rce-a":
        cells = soft_target_cross_entropy(logits, heatmaps)
    elif form == "linear-mse":
        cells = (logits - heatmaps).square()
    else:
        cells = (torch.sigmoid(logits) - heatmaps).square()
    return joint_mean(cells.mean((2, 3)), weight)


def soft_target_cross_entropy(logits: Tensor, heatmaps: Tensor) -> Tensor:
    """Regressive cross-entropy, cell by cell, above the target's own entropy."""
    entropy = torch.special.entr(heatmaps) + torch.special.entr(1 - heatmaps)
    cross = functional.binary_cross_entropy_with_logits(logits, heatmaps, reduction="none")
    above: Tensor = cross - entropy
    return above
