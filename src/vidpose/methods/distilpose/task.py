"""Token networks: DistilPose's students without a teacher, its teacher TokenPose, and SDPose.

The networks and their sources are in `vidpose.methods.distilpose.model`. DistilPose as published has two
recipes: first the teacher (`network: teacher`) by heatmaps, then a student with `kind: distil`, whose
`student` section is this one. Trained by itself a student learns coordinates from labels alone.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from vidpose.data.samples import Sample
from vidpose.errors import DataError
from vidpose.methods.distilpose.loss import image_parts, regression_loss, self_distillation_loss
from vidpose.methods.distilpose.model import (
    DEPTH,
    HEADS,
    PATCH,
    WIDTH,
    DistilPose,
    TokenDistillingEncoder,
    TokenHeatmaps,
    TokenPose,
    Tokens,
    average_poses,
    unmirror,
)
from vidpose.methods.distilpose.rendered import RenderedPose
from vidpose.methods.distilpose.stem import StemBackbone
from vidpose.methods.per_frame.section import FrameSection
from vidpose.methods.per_frame.task import MAP_STRIDE, FrameModel, FrameTask, restore_norms
from vidpose.nn.backbones import HRNetBackbone
from vidpose.nn.checkpoint import load_into, load_weights
from vidpose.nn.movenet import PoseEncoder
from vidpose.nn.movenet_weights import load_movenet_encoder
from vidpose.training.heatmaps import gaussian_heatmaps, weighted_mse
from vidpose.training.task import Batch

TokenNetwork = DistilPose | TokenHeatmaps


class EncoderSection(BaseModel):
    """The token-distilling encoder; a student and its teacher must agree on patch and width."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    patch: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = PATCH
    """Cells of a visual token, down and across."""
    width: int = Field(default=WIDTH, ge=4)
    depth: int = Field(default=DEPTH, ge=1)
    heads: int = Field(default=HEADS, ge=1)


class DistilPoseConfig(FrameSection):
    """Recipe section of the token networks; the crops' sides are multiples of 32, a quarter of
    them is cut into patches."""

    kind: Literal["distilpose"]
    network: Literal["student-s", "student-l", "student-light", "teacher", "teacher-light"]
    """A light stem, HRNet's first three stages, MoveNet's trunk and pyramid, or TokenPose-L with
    all of HRNet. The light ones, a student and a teacher, are not the paper's."""
    movenet: Path | None = None
    """MoveNet Lightning's .onnx, the start of a light backbone."""
    hrnet: str = "hrnet_w48"
    """timm's name of the HRNet of `student-l` and `teacher`."""
    hrnet_weights: Path | None = None
    """State dict of timm's published weights for it."""
    start: Path | None = None
    """Checkpoint, or run folder, of a `teacher` whose backbone is `student-l`'s start."""
    stem: int = Field(default=64, ge=4)
    """Width of `student-s`' stem."""
    encoder: EncoderSection = EncoderSection()
    scores: bool = False
    """Whether a student gives scores and spreads; nothing but a teacher's maps teaches them."""
    passes: int = Field(default=1, ge=1)
    """Ways through the encoder in training; 2 is SDPose's self-distillation."""
    self_distillation: float = Field(default=5e-6, ge=0)
    """Weight of the tokens' loss between passes."""
    flip_test: bool = False
    """Whether to score also a student's pose averaged with the one of the mirrored crop."""
    sigma: float = Field(default=2.0, gt=0)
    """Standard deviation of the teacher's target Gaussians, in map cells."""


class TokenOutputs:
    """Tokens after each pass, and what the head makes of them: poses, or heatmaps."""

    def __init__(self, network: TokenNetwork, passes: list[Tokens]) -> None:
        self.passes = passes
        self.poses: list[TokenPose] = []
        self.maps: list[Tensor] = []
        if isinstance(network, DistilPose):
            self.poses = [network.regress(tokens) for tokens in passes]
        else:
            self.maps = [network.draw(tokens) for tokens in passes]


class DistilPoseTask(FrameTask):
    """A token network and its losses.

    `taught` says that a teacher's maps teach the scores (`training/distil.py`); `samples` are
    labelled people, on whose crops the norms of MoveNet's weights are measured.
    """

    network: TokenNetwork

    def __init__(
        self, config: DistilPoseConfig, samples: Sequence[Sample], *, taught: bool = False
    ) -> None:
        if config.scores and not taught:
            raise DataError(
                "scores are learnt from a teacher's maps: set scores to false, or train this "
                "network as the student of kind distil with weights for simulated and score"
            )
        super().__init__(config)
        self.config = config
        self.network = build_distilpose(config)
        _start(self.network.backbone, config)
        if config.movenet is not None:
            _start_light(self.network.backbone, config.movenet, samples, config.size)

    def outputs(self, images: Tensor) -> TokenOutputs:
        passes = self.config.passes if self.training else 1
        return TokenOutputs(self.network, self.network.tokens(images, passes))

    def label_loss(
        self, outputs: Any, batch: Batch, step: int = 0
    ) -> tuple[Tensor, dict[str, Tensor]]:
        keypoints = batch["keypoints"]
        weight = keypoints[..., 2]
        if outputs.poses:
            truth = image_parts(keypoints, self.size)
            terms = [regression_loss(pose.points, truth, weight) for pose in outputs.poses]
        else:
            sigma = self.config.sigma
            target = gaussian_heatmaps(keypoints, self.map_size(), MAP_STRIDE, sigma)
            terms = [weighted_mse(maps, target, weight) for maps in outputs.maps]
        loss = torch.stack(terms).sum()
        if len(outputs.passes) == 1:
            return loss, {}
        between = self_distillation_loss(outputs.passes)
        figures = {"loss_labels": loss.detach(), "loss_passes": between.detach()}
        return loss + self.config.self_distillation * between, figures

    def map_loss(self, outputs: Any, heatmaps: Tensor, weight: Tensor) -> Tensor:
        if not outputs.maps:
            return super().map_loss(outputs, heatmaps, weight)
        terms = [weighted_mse(maps, heatmaps, weight) for maps in outputs.maps]
        return torch.stack(terms).sum()

    def tokens(self, outputs: Any) -> Tokens | None:
        last: Tokens = outputs.passes[-1]
        return last

    def pose(self, outputs: Any) -> TokenPose | None:
        last: TokenPose | None = outputs.poses[-1] if outputs.poses else None
        return last


class MirroredTwice(nn.Module):
    """A student's pose averaged with the one that it finds in the mirrored image."""

    def __init__(self, network: nn.Module, flip_index: tuple[int, ...]) -> None:
        super().__init__()
        self.network = network
        self.flip_index = flip_index

    def forward(self, x: Tensor) -> TokenPose:
        other = unmirror(self.network(x.flip(3)), self.flip_index)
        return average_poses(self.network(x), other)


def build_distilpose(config: DistilPoseConfig) -> TokenNetwork:
    """The network of a recipe section, untrained."""
    section, joints = config.encoder, config.joints.num_keypoints
    backbone: StemBackbone | PoseEncoder | HRNetBackbone
    if config.network == "student-s":
        backbone = StemBackbone(config.stem)
    elif config.network in ("student-light", "teacher-light"):
        backbone = PoseEncoder()
    else:
        stages = 3 if config.network == "student-l" else 4
        backbone = HRNetBackbone(config.hrnet, stages)
    encoder = TokenDistillingEncoder(
        backbone.channels,
        (config.size[0] // MAP_STRIDE, config.size[1] // MAP_STRIDE),
        joints,
        patch=section.patch,
        width=section.width,
        depth=section.depth,
        heads=section.heads,
    )
    if config.network in ("teacher", "teacher-light"):
        return TokenHeatmaps(backbone, encoder, section.width, 2 * section.width)
    return DistilPose(backbone, encoder, section.width, scores=config.scores)


def flip_tested(network: DistilPose, config: DistilPoseConfig) -> FrameModel:
    """A student whose pose is averaged with the one that it finds in the mirrored crop."""
    twice = RenderedPose(MirroredTwice(network, config.joints.flip_index))
    return FrameModel(twice, "distribution", config.size, config.sigma, config.joints)


def distilpose_model(network: TokenNetwork, config: DistilPoseConfig) -> FrameModel:
    """How the trained network is read."""
    if isinstance(network, DistilPose):
        drawn = RenderedPose(network)
        return FrameModel(drawn, "distribution", config.size, config.sigma, config.joints)
    return FrameModel(network, "heatmaps", config.size, config.sigma, config.joints)


def _start_light(
    backbone: nn.Module, movenet: Path, samples: Sequence[Sample], size: tuple[int, int]
) -> None:
    if not isinstance(backbone, PoseEncoder):
        raise DataError("movenet is the start of student-light and teacher-light alone")
    load_movenet_encoder(backbone, movenet)
    restore_norms(backbone, samples, size)


def _start(backbone: nn.Module, config: DistilPoseConfig) -> None:
    if not isinstance(backbone, HRNetBackbone):
        return
    if config.hrnet_weights is not None:
        backbone.load_timm(config.hrnet_weights)
    if config.start is not None:
        weights = load_weights(config.start, prefix="network.backbone.")
        wanted = backbone.state_dict()
        missing = [name for name in wanted if name not in weights]
        if missing:
            raise DataError(
                f"{config.start}: its backbone lacks {missing[0]}; is it a {config.hrnet}?"
            )
        load_into(backbone, {name: weights[name] for name in wanted}, config.start)
