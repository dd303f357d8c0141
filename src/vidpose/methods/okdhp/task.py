"""OKDHP: branches that teach each other, and the choice of the one that is kept.

The networks and their sources are in `vidpose.methods.okdhp.model`, the losses in
`methods/okdhp/loss.py`. The branch is chosen by its accuracy on a validation split of the
*training* images, so that the kept-out images stay unseen by every decision.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.utils.data import Dataset

from vidpose.data.loaders.augment import AugmentConfig
from vidpose.data.loaders.stills import StillsDataset
from vidpose.data.samples import Sample
from vidpose.errors import DataError
from vidpose.methods.okdhp.loss import (
    contrast_loss,
    fusion_loss,
    hard_loss,
    official_kd_loss,
    ramp_up,
    sharp_kd_loss,
)
from vidpose.methods.okdhp.model import (
    BranchOutputs,
    CodeFAU,
    Embedders,
    FeatureFusion,
    LightBranch,
    LightTrunk,
    MultiBranchPose,
    PaperFAU,
)
from vidpose.methods.per_frame.section import FrameSection
from vidpose.methods.per_frame.task import (
    MAP_STRIDE,
    BackboneSection,
    FrameModel,
    FrameTask,
    start_backbone,
)
from vidpose.nn.hourglass import CHANNELS, DEPTH, HourglassBranch, HourglassTrunk
from vidpose.skeleton import COCO_17, Skeleton
from vidpose.training.heatmaps import gaussian_heatmaps, weighted_mse
from vidpose.training.task import Batch

_VALIDATION_IMAGES = 200


class HourglassSection(BaseModel):
    """Branches of hourglasses."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shared: int = Field(ge=0)
    """Stacks of the trunk."""
    branches: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1)
    """Stacks of each branch: equal numbers are balanced, others unbalanced branches. A single one
    is the plain network, the baseline of a comparison."""
    channels: int = Field(default=CHANNELS, ge=4, multiple_of=4)
    depth: int = Field(default=DEPTH, ge=1)


class LightSection(BaseModel):
    """Branches of light decoders on one backbone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    backbone: BackboneSection
    branches: int = Field(default=3, ge=1)
    width: int | tuple[int, ...] = 128
    """Channels of the decoders: one number for all (balanced), or one for each (unbalanced)."""

    @model_validator(mode="after")
    def _one_width_each(self) -> LightSection:
        if len(self.widths) != self.branches or min(self.widths) < 1:
            raise ValueError(f"width {self.width} does not fit {self.branches} branches")
        return self

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each branch's decoder."""
        return (self.width,) * self.branches if isinstance(self.width, int) else self.width


class OKDHPConfig(FrameSection):
    """Recipe section of the OKDHP task; hourglasses of depth 4 need crops of multiples of 64."""

    kind: Literal["okdhp"]
    network: HourglassSection | LightSection
    aggregation: Literal["fau-code", "fau-paper", "ffl"] = "fau-code"
    """What makes the teaching maps of the branches: see `vidpose.methods.okdhp.model`."""
    mode: Literal["sharp", "official"] = "sharp"
    """See `vidpose.methods.okdhp.loss`."""
    temperature: float = Field(default=0.1, gt=0)
    """Of the softmax over a map, in parts of its peak; `official` has none."""
    distillation: float = Field(default=0.05, ge=0)
    """Weight of the distillation. Published: 2.0, for the mode `official`. In the mode `sharp` 0.05
    makes its gradient about as large as the labels'."""
    ensemble: float = Field(default=1.0, ge=0)
    """Weight of the aggregated maps' own error to the labels."""
    contrast: float = Field(default=0.0, ge=0)
    """Weight of MCL's contrast across branches, published: 0.025; 0 leaves it out."""
    keep: int | Literal["best"] = "best"
    """Which branch is kept: the best one on the validation split, or the one with this number, as
    where unbalanced branches teach one of a given size."""
    ramp_steps: int = Field(ge=0)
    """Steps over which the distillation sets in; published: 90 of 150 epochs."""
    sigma: float = Field(default=2.0, gt=0)
    """Standard deviation of the target Gaussians, in map cells."""

    @model_validator(mode="after")
    def _branches_fit(self) -> OKDHPConfig:
        count = self.network.branches
        count = count if isinstance(count, int) else len(count)
        if self.keep != "best" and not 0 <= self.keep < count:
            raise ValueError(f"keep {self.keep}: there are branches 0 to {count - 1}")
        if count == 1 and (self.distillation or self.ensemble or self.contrast):
            raise ValueError(
                "a single branch has no other to learn from: set distillation, ensemble and "
                "contrast to 0"
            )
        return self


class OKDHPTask(FrameTask):
    """A multi-branch network and the losses between labels, branches and ensemble.

    `samples` as of `start_backbone`.
    """

    network: MultiBranchPose

    def __init__(self, config: OKDHPConfig, samples: Sequence[Sample]) -> None:
        super().__init__(config)
        if config.mode == "official" and config.aggregation == "ffl":
            raise DataError("OKDHP's released code has no ffl: take mode sharp, or another unit")
        self.config = config
        self.network = build_okdhp(config)
        if isinstance(config.network, LightSection):
            backbone = self.network.trunk.get_submodule("backbone")
            start_backbone(backbone, config.network.backbone, samples, config.size)
        self.embedders = None
        if config.contrast:
            self.embedders = Embedders([int(b.channels) for b in _branches(self.network)])

    def outputs(self, images: Tensor) -> BranchOutputs:
        outputs: BranchOutputs = self.network(images)
        return outputs

    def label_loss(
        self, outputs: Any, batch: Batch, step: int = 0
    ) -> tuple[Tensor, dict[str, Tensor]]:
        config, weight = self.config, batch["keypoints"][..., 2]
        target = gaussian_heatmaps(batch["keypoints"], self.map_size(), MAP_STRIDE, config.sigma)
        hard = hard_loss(outputs, target, weight)
        ensemble = weighted_mse(outputs.ensemble, target, weight)
        taught = self._distillation(outputs, weight)
        share = config.distillation * ramp_up(step + 1, config.ramp_steps)
        loss = hard + config.ensemble * ensemble + share * taught
        figures = {
            "loss_labels": hard.detach(),
            "loss_ensemble": ensemble.detach(),
            "loss_distillation": taught.detach(),
        }
        if self.embedders is not None:
            embeddings = self.embedders(outputs.branches)
            contrast = contrast_loss(embeddings, batch["person"], config.temperature)
            loss = loss + config.contrast * contrast
            figures["loss_contrast"] = contrast.detach()
        return loss, figures

    def map_loss(self, outputs: Any, heatmaps: Tensor, weight: Tensor) -> Tensor:
        return hard_loss(outputs, heatmaps, weight)

    def _distillation(self, outputs: BranchOutputs, weight: Tensor) -> Tensor:
        if self.config.mode == "official":
            return official_kd_loss(outputs)
        if self.config.aggregation == "ffl":
            return fusion_loss(outputs, weight, self.config.temperature)
        return sharp_kd_loss(outputs, weight, self.config.temperature)


class PersonStills(Dataset[dict[str, Any]]):
    """`StillsDataset` whose items also say who is in them: `person`, an int64 scalar.

    Crops of the same person have the same number. Item i is a function of (seed, i) alone.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        size: tuple[int, int],
        seed: int,
        config: AugmentConfig | None = None,
        skeleton: Skeleton = COCO_17,
    ) -> None:
        numbers: dict[str, int] = {}
        self._people = [numbers.setdefault(sample.key, len(numbers)) for sample in samples]
        self._stills = [StillsDataset([one], size, seed, config, skeleton) for one in samples]
        self._seed = seed

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = np.random.default_rng([self._seed, index])
        number = int(rng.integers(len(self._stills)))
        return {**self._stills[number][index], "person": torch.tensor(self._people[number])}


def validation_split(samples: Sequence[Sample]) -> tuple[list[Sample], list[Sample]]:
    """Samples to train on, and people to choose a branch by; no image is in both.

    Chosen are the images whose keys have the smallest SHA-256: at most 200, at most a fifth.
    """
    images: dict[str, list[Sample]] = {}
    for sample in samples:
        images.setdefault(sample.key.rpartition("/")[0], []).append(sample)
    count = min(_VALIDATION_IMAGES, len(images) // 5)
    if count == 0:
        raise DataError(f"{len(images)} training images are too few to choose a branch by: 5 least")
    ordered = sorted(images, key=lambda key: hashlib.sha256(key.encode()).hexdigest())
    chosen = set(ordered[:count])
    validation = {s.key: s for key in ordered[:count] for s in images[key]}
    kept = [s for s in samples if s.key.rpartition("/")[0] not in chosen]
    return kept, list(validation.values())


def build_okdhp(config: OKDHPConfig) -> MultiBranchPose:
    """The network of a recipe section, untrained."""
    joints, section = config.joints.num_keypoints, config.network
    trunk: HourglassTrunk | LightTrunk
    branches: list[HourglassBranch] | list[LightBranch]
    if isinstance(section, HourglassSection):
        shape = (section.channels, section.depth)
        trunk = HourglassTrunk(joints, section.shared, *shape)
        branches = [HourglassBranch(joints, stacks, *shape) for stacks in section.branches]
    else:
        backbone = section.backbone.build()
        trunk = LightTrunk(backbone, backbone.channels, backbone.stride)
        branches = [
            LightBranch(backbone.channels, backbone.stride, joints, width)
            for width in section.widths
        ]
    aggregation: nn.Module
    if config.aggregation == "ffl":
        aggregation = FeatureFusion([branch.channels for branch in branches], joints)
    else:
        unit = CodeFAU if config.aggregation == "fau-code" else PaperFAU
        aggregation = unit(trunk.stem_channels, joints, len(branches))
    return MultiBranchPose(trunk, branches, aggregation)


def okdhp_model(network: MultiBranchPose, branch: int, config: OKDHPConfig) -> FrameModel:
    """One branch as the plain network that is kept."""
    joined = network.joined(branch)
    return FrameModel(joined, "heatmaps", config.size, config.sigma, config.joints)


def _branches(network: MultiBranchPose) -> list[Any]:
    return list(network.branches)
