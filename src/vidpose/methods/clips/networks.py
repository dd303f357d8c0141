"""The networks that learn from clips side by side, as a recipe names them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from vidpose.errors import RecipeError
from vidpose.methods.dkd.light import SMALL, KernelOptions, build_light_dkd, start_from_frames
from vidpose.methods.dkd.model import DKD, FactorisedMatching
from vidpose.methods.dkd.resnet import FrameEncoder, KernelForm, KernelSize, dkd_resnet
from vidpose.methods.lstm.light import LSTMLite
from vidpose.methods.lstm.light import start_from_frames as start_lstm
from vidpose.methods.lstm.lstm_pm import LSTMPoseMachine
from vidpose.nn.checkpoint import load_into, load_weights
from vidpose.nn.movenet import PoseEncoder, PoseNet
from vidpose.nn.movenet_weights import load_movenet_pose
from vidpose.nn.norms import fix_norms
from vidpose.nn.simple_baseline import (
    ResNetDepth,
    SimpleBaseline,
    SimpleBaselineEncoder,
    load_imagenet,
    load_pose_encoder,
    load_simple_baseline,
)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StartConfig(_Section):
    """Weights that a Simple Baseline, or its encoder alone, starts from."""

    kind: Literal["imagenet", "pose-encoder", "pose"]
    """torchvision's ResNet; a Simple Baseline of any skeleton, its head left out; or with its
    head. An encoder takes no head in any case."""
    file: Path


class DKDNetwork(_Section):
    """The paper's DKD (methods/dkd/resnet.py)."""

    form: Literal["dkd"]
    initializer: ResNetDepth = 50
    """Depth of the pose initializer's ResNet."""
    encoder: FrameEncoder = "resnet50"
    kernel: KernelForm = "factorised"
    kernel_size: KernelSize = 7
    channels: int | None = Field(default=None, gt=0)
    """C of the features; 256, or 128 of the small CPM, unless given."""
    hidden: int | None = Field(default=None, gt=0)
    """Channels inside the distillator; as many as the features' unless given."""
    initializer_start: StartConfig | None = None
    encoder_start: StartConfig | None = None


class _LightSection(_Section):
    """Networks of dkd-nano's sizes: an initializer at 256 x 192, an encoder at 128 x 96."""

    initializer: Path | None = None
    """Checkpoint of the per-frame network at the initializer's size."""
    encoder: Path | None = None
    """Checkpoint of the per-frame network at the step's size; both are given or none."""
    movenet: Path | None = None
    """MoveNet Lightning's .onnx, the start of both in place of checkpoints."""
    frozen_initializer: bool = False
    """Whether the initializer keeps its weights."""

    @model_validator(mode="after")
    def _one_start(self) -> _LightSection:
        both = self.initializer is not None, self.encoder is not None
        if both[0] != both[1] or (both[0] and self.movenet is not None):
            raise ValueError("start from initializer and encoder, from movenet, or from nothing")
        return self

    @property
    def started(self) -> bool:
        """Whether weights are given."""
        return self.initializer is not None or self.movenet is not None


class DKDNanoNetwork(_LightSection):
    """dkd-nano (methods/dkd/light.py), or the paper's kernels on its networks."""

    form: Literal["dkd-nano"]
    kernel: Literal["own"] | KernelForm = "own"
    """dkd-nano's own kernels, or the paper's from the paper's distillator."""
    kernel_size: KernelSize = 7
    """S of the paper's kernels."""


class LSTMLiteNetwork(_LightSection):
    """A convolutional LSTM on dkd-nano's networks (methods/lstm/light.py)."""

    form: Literal["lstm-lite"]


class PoseNetNetwork(_Section):
    """One of dkd-nano's networks by itself, every frame anew (nn/movenet.py)."""

    form: Literal["pose-net"]
    size: Literal["initializer", "step"]
    """Whether it sees 256 x 192 or 128 x 96 pixels."""
    movenet: Path | None = None
    """MoveNet Lightning's .onnx, the start."""

    @property
    def started(self) -> bool:
        """Whether weights are given."""
        return self.movenet is not None


class LSTMNetwork(_Section):
    """LSTM Pose Machines (methods/lstm/lstm_pm.py)."""

    form: Literal["lstm-pm"]


class FrameNetwork(_Section):
    """Simple Baseline: every frame by itself (nn/simple_baseline.py)."""

    form: Literal["simple-baseline"]
    depth: ResNetDepth = 50
    start: StartConfig | None = None


NetworkConfig = Annotated[
    DKDNetwork | DKDNanoNetwork | LSTMLiteNetwork | PoseNetNetwork | LSTMNetwork | FrameNetwork,
    Field(discriminator="form"),
]


def build_network(
    config: NetworkConfig, num_keypoints: int, size: tuple[int, int], heatmaps: bool
) -> nn.Module:
    """The network with its start weights.

    Args:
        size: (H, W) of the crops.
        heatmaps: maps are heatmaps; otherwise logits of distributions.

    Raises RecipeError when the size or a start does not fit, DataError for unusable weights.
    """
    step = 8 if isinstance(config, LSTMNetwork) else 32
    if size[0] % step or size[1] % step:
        raise RecipeError(f"size {list(size)}: {config.form} needs multiples of {step}")
    if isinstance(config, DKDNetwork):
        return _dkd(config, num_keypoints, heatmaps)
    if isinstance(config, DKDNanoNetwork | LSTMLiteNetwork | PoseNetNetwork):
        if size != SMALL.initializer or heatmaps:
            raise RecipeError(
                f"{config.form} works at size {list(SMALL.initializer)} with loss cross-entropy"
            )
        return _light(config, num_keypoints)
    if isinstance(config, LSTMNetwork):
        return LSTMPoseMachine(num_keypoints, size)
    network = SimpleBaseline(num_keypoints, config.depth)
    _start_whole(network, config.start)
    return network


def _dkd(config: DKDNetwork, num_keypoints: int, heatmaps: bool) -> DKD:
    network = dkd_resnet(
        num_keypoints,
        initializer=config.initializer,
        encoder=config.encoder,
        kernel=config.kernel,
        kernel_size=config.kernel_size,
        channels=config.channels,
        hidden=config.hidden,
        heatmaps=heatmaps,
    )
    assert isinstance(network.initializer, SimpleBaseline)
    _start_whole(network.initializer, config.initializer_start)
    if config.encoder_start is not None:
        if not isinstance(network.encoder, SimpleBaselineEncoder):
            raise RecipeError(f"network.encoder_start: {config.encoder} starts from scratch")
        _start_encoder(network.encoder, config.encoder_start)
    return network


class SmallerInput(nn.Module):
    """A per-frame network that sees images averaged down by `ratio`."""

    ratio: int

    def __init__(self, network: nn.Module, ratio: int) -> None:
        super().__init__()
        self.network = network
        self.ratio = ratio

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.network(functional.avg_pool2d(images, self.ratio))
        return maps


def is_started(config: NetworkConfig) -> bool:
    """Whether it is a light network that starts from the weights of a pose network."""
    return isinstance(config, PoseNetNetwork | _LightSection) and config.started


def fix_started_norms(config: NetworkConfig, network: nn.Module) -> None:
    """Norms of light networks with start weights keep their statistics in training.

    MoveNet's are folded, and few clips would give poor ones.
    """
    if is_started(config):
        for part in list(network.modules()):
            if isinstance(part, PoseEncoder | FactorisedMatching):
                fix_norms(part)


def _light(
    config: DKDNanoNetwork | LSTMLiteNetwork | PoseNetNetwork, num_keypoints: int
) -> nn.Module:
    if isinstance(config, PoseNetNetwork):
        single = _per_frame(config.movenet, num_keypoints)
        return single if config.size == "initializer" else SmallerInput(single, 2)
    network: DKD | LSTMLite
    first = _per_frame(config.movenet or config.initializer, num_keypoints)
    later = _per_frame(config.movenet or config.encoder, num_keypoints)
    if isinstance(config, LSTMLiteNetwork):
        network = LSTMLite(num_keypoints)
        start_lstm(network, first, later)
    else:
        network = build_light_dkd(num_keypoints, _kernels(config), SMALL)
        if config.started:
            start_from_frames(network, first, later)
    if config.frozen_initializer:
        network.initializer.requires_grad_(False)
    return network


def _kernels(config: DKDNanoNetwork) -> KernelOptions | None:
    return None if config.kernel == "own" else KernelOptions(config.kernel, config.kernel_size)


def _per_frame(weights_file: Path | None, num_keypoints: int) -> PoseNet:
    """A PoseNet from a checkpoint or from MoveNet's .onnx; untrained without a file."""
    network = PoseNet(num_keypoints)
    if weights_file is None:
        return network
    if weights_file.suffix == ".onnx":
        load_movenet_pose(network, weights_file)
        return network
    return _from_checkpoint(network, weights_file, num_keypoints)


def _from_checkpoint(network: PoseNet, checkpoint: Path, num_keypoints: int) -> PoseNet:
    weights = load_weights(checkpoint, prefix="network.")
    found = weights["classifier.weight"].shape[0] if "classifier.weight" in weights else None
    if found not in (None, num_keypoints):
        raise RecipeError(f"{checkpoint}: has {found} keypoints, the skeleton {num_keypoints}")
    load_into(network, weights, checkpoint)
    return network


def _start_whole(network: SimpleBaseline, start: StartConfig | None) -> None:
    if start is not None and start.kind == "pose":
        load_simple_baseline(network, start.file)
    elif start is not None:
        _start_encoder(network.encoder, start)


def _start_encoder(encoder: SimpleBaselineEncoder, start: StartConfig) -> None:
    load = load_imagenet if start.kind == "imagenet" else load_pose_encoder
    load(encoder, start.file)
