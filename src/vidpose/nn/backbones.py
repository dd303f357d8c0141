"""Backbones from timm, as pose networks read them.

`TimmBackbone` gives the last map of any timm network that can give features; `HRNetBackbone` the
finest branch of timm's HRNet after its third or fourth stage, which is where heatmap networks read
it (Sun et al., "Deep High-Resolution Representation Learning", CVPR 2019, arXiv 1902.09212).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn

from vidpose.errors import DataError
from vidpose.nn.movenet import PoseBackbone
from vidpose.nn.movenet_weights import load_movenet_onnx

_MOVENET_TRUNK = "mobilenetv2_100"


class TimmBackbone(nn.Module):
    """The last feature map of a timm network.

    Input (N, 3, H, W) RGB in [-1, 1]; output (N, channels, H / stride, W / stride).

    Args:
        name: timm's name of the network; it must support `features_only`.
        imagenet: turn the input into what timm's published weights of this network expect.

    Raises DataError when timm has no such network.
    """

    def __init__(self, name: str, *, imagenet: bool = False) -> None:
        super().__init__()
        # MoveNet's trunk pads as TensorFlow does.
        extra: dict[str, Any] = {"pad_type": "same"} if name == _MOVENET_TRUNK else {}
        try:
            network: Any = timm.create_model(
                name, pretrained=False, features_only=True, out_indices=(-1,), **extra
            )
        except (RuntimeError, ValueError, TypeError) as error:
            reason = str(error).splitlines()[0]
            raise DataError(
                f"backbone '{name}': timm cannot give its features ({reason})"
            ) from error
        self.name = name
        self.network: nn.Module = network
        self.channels: int = network.feature_info.channels()[-1]
        self.stride: int = network.feature_info.reduction()[-1]
        self.normalise = _imagenet_input(name) if imagenet else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.network(self.normalise(x))[-1]
        return features

    def load_timm(self, path: Path) -> None:
        """Take published weights: a state dict of timm's network, head included or not.

        Raises DataError when the file cannot be read or lacks a weight of the backbone.
        """
        load_matching(self.network, path)

    def load_movenet(self, path: Path) -> None:
        """Take the trunk of MoveNet Lightning's ONNX file; `restore_batch_norm` before training.

        Raises DataError for a backbone of another shape, BundleError for another file.
        """
        if self.name != _MOVENET_TRUNK:
            raise DataError(f"MoveNet's trunk is a {_MOVENET_TRUNK}, the backbone is a {self.name}")
        donor = PoseBackbone()
        load_movenet_onnx(donor, path)
        names = {"stem.0.": "conv_stem.", "stem.1.": "bn1.", "blocks.": "blocks."}
        weights = {
            new + key.removeprefix(old): value
            for key, value in donor.state_dict().items()
            for old, new in names.items()
            if key.startswith(old)
        }
        self.network.load_state_dict(weights)


class HRNetBackbone(nn.Module):
    """The finest branch of timm's HRNet.

    Input (N, 3, H, W) RGB in [-1, 1], H and W multiples of 32, which is turned into what timm's
    published weights expect; output (N, channels, H/4, W/4).

    Args:
        name: `hrnet_w32`, `hrnet_w48`, or another of timm's.
        stages: 3 or 4; what lies behind, and what the last stage would give the coarser branches,
            is left out.
        options: changes of timm's description of the network, for smaller ones.
    """

    stride = 4

    def __init__(self, name: str, stages: int = 4, **options: Any) -> None:
        super().__init__()
        if stages not in (3, 4):
            raise DataError(f"HRNet is read after stage 3 or 4, not {stages}")
        network: Any = timm.create_model(
            name, pretrained=False, features_only=True, feature_location="", **options
        )
        self.stem = nn.Sequential(
            network.conv1, network.bn1, network.act1, network.conv2, network.bn2, network.act2
        )
        self.layer1: nn.Module = network.layer1
        self.transitions = nn.ModuleList(
            [network.transition1, network.transition2, network.transition3][: stages - 1]
        )
        self.stages = nn.ModuleList([network.stage2, network.stage3, network.stage4][: stages - 1])
        last: Any = [*self.stages[-1].children()][-1]
        last.fuse_layers = last.fuse_layers[:1]
        self.channels: int = last.num_in_chs[0]
        self.normalise = _imagenet_input(name)

    def forward(self, x: Tensor) -> Tensor:
        branches = [self.layer1(self.stem(self.normalise(x)))]
        for transition, stage in zip(self.transitions, self.stages, strict=True):
            # A new branch starts from the coarsest one.
            grown = [
                step(branches[min(i, len(branches) - 1)])
                for i, step in enumerate(transition.children())
            ]
            branches = stage(grown)
        finest: Tensor = branches[0]
        return finest

    def load_timm(self, path: Path) -> None:
        """Take published weights, as `TimmBackbone.load_timm`."""
        load_matching(self, path, _timm_name)


class _Rescale(nn.Module):
    """(x - shift) / scale for each colour, from [-1, 1] to what published weights expect."""

    shift: Tensor
    scale: Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        shift = torch.tensor(mean)[:, None, None] * 2 - 1
        self.register_buffer("shift", shift, persistent=False)
        self.register_buffer("scale", torch.tensor(std)[:, None, None] * 2, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.shift) / self.scale


def load_matching(
    network: nn.Module, path: Path, rename: Callable[[str], str] = lambda name: name
) -> None:
    """Load a state dict that holds at least the network's weights.

    Args:
        rename: from a weight's name in the network to its name in the file.

    Raises DataError when the file cannot be read, or lacks a weight or has it in another shape.
    """
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types for damaged files
        raise DataError(f"{path}: not a readable state dict ({error})") from error
    own = network.state_dict()
    names = {name: rename(name) for name in own}
    wrong = [
        name
        for name, value in own.items()
        if names[name] not in weights or weights[names[name]].shape != value.shape
    ]
    if wrong:
        raise DataError(
            f"{path}: {len(wrong)} weights do not fit the network, first {names[wrong[0]]}"
        )
    network.load_state_dict({name: weights[names[name]] for name in own})


def _timm_name(name: str) -> str:
    """timm's name of one of `HRNetBackbone`'s weights."""
    outer, number, *rest = name.split(".")
    if outer == "stem":
        return ".".join([{"0": "conv1", "1": "bn1", "3": "conv2", "4": "bn2"}[number], *rest])
    if outer in ("transitions", "stages"):
        first = 1 if outer == "transitions" else 2
        return ".".join([f"{outer.removesuffix('s')}{int(number) + first}", *rest])
    return name


def _imagenet_input(name: str) -> nn.Module:
    pretrained: Any = timm.models.get_pretrained_cfg(name)
    return _Rescale(pretrained.mean, pretrained.std)
