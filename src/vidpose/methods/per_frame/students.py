"""Every per-frame method by its recipe section: as a student, and as a finished network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, TypeAdapter
from torch import Tensor, nn

from vidpose.data.samples import Sample
from vidpose.errors import DataError
from vidpose.methods.distilpose.task import (
    DistilPoseConfig,
    DistilPoseTask,
    build_distilpose,
    distilpose_model,
)
from vidpose.methods.fasterpose.task import (
    FasterPoseConfig,
    FasterPoseTask,
    build_fasterpose,
    fasterpose_model,
)
from vidpose.methods.okdhp.model import MultiBranchPose
from vidpose.methods.okdhp.task import OKDHPConfig, OKDHPTask, build_okdhp, okdhp_model
from vidpose.methods.per_frame.pose import PoseConfig, start_network
from vidpose.methods.per_frame.task import MAP_STRIDE, FrameModel, FrameTask
from vidpose.nn.checkpoint import network_weights
from vidpose.nn.movenet import LIGHTNING_WIDTH, PoseNet, width_of
from vidpose.training.losses import gaussian_maps, spatial_cross_entropy
from vidpose.training.task import Batch

StudentConfig = Annotated[
    PoseConfig | FasterPoseConfig | OKDHPConfig | DistilPoseConfig, Field(discriminator="kind")
]
_STUDENTS: TypeAdapter[StudentConfig] = TypeAdapter(StudentConfig)


class PoseStudent(FrameTask):
    """The network of `PoseTask`, learning as it does, with room for a teacher."""

    network: PoseNet

    def __init__(self, config: PoseConfig, samples: Sequence[Sample]) -> None:
        super().__init__(config)
        self.config = config
        self.network = start_network(config, samples)

    def outputs(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)
        return logits

    def label_loss(
        self, outputs: Any, batch: Batch, step: int = 0
    ) -> tuple[Tensor, dict[str, Tensor]]:
        keypoints = batch["keypoints"]
        target = gaussian_maps(keypoints, self.map_size(), MAP_STRIDE, self.config.sigma)
        return spatial_cross_entropy(outputs, target, keypoints[..., 2]), {}

    def map_loss(self, outputs: Any, heatmaps: Tensor, weight: Tensor) -> Tensor:
        """The teacher's heatmaps as a distribution; a joint counts as much as its peak is high."""
        heatmaps = heatmaps.clamp_min(0)
        peak = heatmaps.amax((2, 3))
        total = heatmaps.sum((2, 3), keepdim=True)
        distribution = heatmaps / total.clamp_min(1e-6)
        return spatial_cross_entropy(outputs, distribution, weight * peak.clamp_max(1))


def build_student(
    config: StudentConfig, samples: Sequence[Sample], *, taught: bool = False
) -> FrameTask:
    """The task of a student section; start weights are loaded here.

    Args:
        config: the section.
        samples: labelled people, on whose crops the norms of start weights are measured.
        taught: a teacher's maps will teach a regressed pose its scores and spreads.
    """
    if isinstance(config, PoseConfig):
        return PoseStudent(config, samples)
    if isinstance(config, FasterPoseConfig):
        return FasterPoseTask(config, samples)
    if isinstance(config, OKDHPConfig):
        return OKDHPTask(config, samples)
    return DistilPoseTask(config, samples, taught=taught)


def load_frame_model(state: Mapping[str, Any]) -> FrameModel:
    """The trained per-frame network of a checkpoint of any kind, with its averaged weights.

    Raises DataError for a checkpoint of something else, or one of OKDHP without a chosen branch.
    """
    section = state["recipe"]["task"]
    if section["kind"] == "distil":
        section = section["student"]
    if section["kind"] not in ("pose", "fasterpose", "okdhp", "distilpose"):
        raise DataError(f"a checkpoint of kind {section['kind']} holds no per-frame pose network")
    config = _STUDENTS.validate_python(section)
    weights = network_weights(state["averaged"])
    network = build_network(config, width_of(weights))
    network.load_state_dict(weights)
    return read_network(network.eval(), config)


def build_network(config: StudentConfig, width: float = LIGHTNING_WIDTH) -> nn.Module:
    """The network of a student section, untrained and without any data; `width`: of a PoseNet."""
    if isinstance(config, PoseConfig):
        return PoseNet(config.joints.num_keypoints, width)
    if isinstance(config, FasterPoseConfig):
        return build_fasterpose(config)
    if isinstance(config, OKDHPConfig):
        return build_okdhp(config)
    return build_distilpose(config)


def _pose_model(network: nn.Module, config: PoseConfig) -> FrameModel:
    return FrameModel(network, "distribution", config.size, config.sigma, config.joints)


def read_network(network: Any, config: StudentConfig) -> FrameModel:
    """How a finished network of a section is read.

    Raises DataError for a network of OKDHP that has no chosen branch.
    """
    if isinstance(config, PoseConfig):
        return _pose_model(network, config)
    if isinstance(config, FasterPoseConfig):
        return fasterpose_model(network, config)
    if isinstance(config, OKDHPConfig):
        assert isinstance(network, MultiBranchPose)
        chosen = int(network.chosen)
        if chosen < 0:
            raise DataError(
                "no branch is chosen in this checkpoint: the choice is made by an evaluation; "
                "train to the end"
            )
        return okdhp_model(network, chosen, config)
    return distilpose_model(network, config)
