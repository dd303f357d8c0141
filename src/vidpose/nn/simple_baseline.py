"""Simple Baseline: a ResNet, three deconvolutions and a 1x1 head.

Xiao, Wu, Wei, "Simple Baselines for Human Pose Estimation and Tracking", ECCV 2018,
arXiv 1804.06208. No shortcut joins the ResNet's stages with the deconvolutions.

    trunk            ResNet-18, 34, 50 or 101             stride 32, 512 or 2048 channels
    deconvolutions   3 x (4x4, stride 2, 256, BN, ReLU)   stride 4, 256 channels
    head             1x1                                  stride 4, K maps

`SimpleBaselineEncoder` is the first two: DKD's frame encoder (methods/dkd/resnet.py).
`SimpleBaseline` is all three: DKD's pose initializer, and the per-frame network beside it.

Weights of others come in by `load_imagenet`, `load_pose_encoder` and `load_simple_baseline`
(nn/simple_baseline_names.py knows how they name things).
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torchvision.models import resnet

from vidpose.errors import DataError
from vidpose.nn.simple_baseline_names import PoseWeights, read_imagenet, read_pose_weights

ResNetDepth = Literal[18, 34, 50, 101]

STRIDE = 4
CHANNELS = 256

_BUILDERS = {
    18: resnet.resnet18,
    34: resnet.resnet34,
    50: resnet.resnet50,
    101: resnet.resnet101,
}
_TOP = {18: 512, 34: 512, 50: 2048, 101: 2048}
# ImageNet's mean and standard deviation of RGB in [0, 1].
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)


class SimpleBaselineEncoder(nn.Module):
    """ResNet and deconvolutions: features at stride 4.

    Input: (N, 3, H, W) RGB in [-1, 1], H and W multiples of 32; ImageNet's normalisation is
    inside, as weights that come from elsewhere expect it. Output: (N, channels, H/4, W/4) >= 0.

    Args:
        depth: layers of the ResNet.
        channels: of the last deconvolution; the others have 256.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, depth: ResNetDepth = 50, channels: int = CHANNELS) -> None:
        super().__init__()
        self.depth = depth
        self.channels = channels
        # Buffers that are saved: the authors' own checkpoints exchange red and blue.
        self.register_buffer("mean", torch.tensor(_MEAN).view(3, 1, 1))
        self.register_buffer("deviation", torch.tensor(_DEVIATION).view(3, 1, 1))
        self.trunk = _trunk(depth)
        layers: list[nn.Module] = []
        widths = (_TOP[depth], CHANNELS, CHANNELS, channels)
        for inputs, outputs in pairwise(widths):
            deconvolution = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)
            nn.init.normal_(deconvolution.weight, std=0.001)
            layers += [deconvolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        self.deconvolutions = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        x = ((images + 1) / 2 - self.mean) / self.deviation
        features: Tensor = self.deconvolutions(self.trunk(x))
        return features


class SimpleBaseline(nn.Module):
    """Per-frame pose network: (N, 3, H, W) RGB in [-1, 1] -> K maps (N, K, H/4, W/4)."""

    def __init__(self, num_keypoints: int, depth: ResNetDepth = 50) -> None:
        super().__init__()
        self.encoder = SimpleBaselineEncoder(depth)
        self.head = nn.Conv2d(CHANNELS, num_keypoints, 1)
        nn.init.normal_(self.head.weight, std=0.001)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.head(self.encoder(images))
        return maps


def load_imagenet(encoder: SimpleBaselineEncoder, path: Path) -> None:
    """Give the trunk the weights of a torchvision (or timm) ResNet classifier.

    Raises DataError for an unreadable file, another network or another depth.
    """
    found = read_imagenet(path)
    _require_depth(encoder, found.depth, path)
    _load(encoder.trunk, found.trunk, path)


def load_pose_encoder(encoder: SimpleBaselineEncoder, path: Path) -> None:
    """Give trunk and deconvolutions those of a Simple Baseline of any skeleton.

    Files of MMPose and of the authors are understood. Raises DataError as `load_simple_baseline`
    does, but for the skeleton.
    """
    _load_encoder(encoder, read_pose_weights(path), path)


def load_simple_baseline(network: SimpleBaseline, path: Path) -> None:
    """Give the whole network the weights of a Simple Baseline checkpoint.

    Files of MMPose and of the authors are understood. Raises DataError for an unreadable file,
    another network, another depth, or another number of keypoints.
    """
    found = read_pose_weights(path)
    own = network.head.out_channels
    theirs = found.head["weight"].shape[0]
    if theirs != own:
        raise DataError(
            f"{path}: has {theirs} keypoints, this network has {own}; "
            f"only its encoder can be used here (load_pose_encoder)"
        )
    _load_encoder(network.encoder, found, path)
    _load(network.head, found.head, path)


def _trunk(depth: int) -> nn.Sequential:
    """torchvision's ResNet up to its last stage; the parts keep their names."""
    full = _BUILDERS[depth](weights=None)
    names = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
    trunk = nn.Sequential()
    for name in names:
        trunk.add_module(name, getattr(full, name))
    return trunk


def _load_encoder(encoder: SimpleBaselineEncoder, found: PoseWeights, path: Path) -> None:
    _require_depth(encoder, found.depth, path)
    _load(encoder.trunk, found.trunk, path)
    _load(encoder.deconvolutions, found.deconvolutions, path)
    order = [2, 1, 0] if found.blue_first else [0, 1, 2]
    with torch.no_grad():
        first = encoder.trunk.get_submodule("conv1")
        assert isinstance(first, nn.Conv2d)
        first.weight.copy_(first.weight[:, order].clone())
        encoder.mean.copy_(torch.tensor(_MEAN)[order].view(3, 1, 1))
        encoder.deviation.copy_(torch.tensor(_DEVIATION)[order].view(3, 1, 1))


def _require_depth(encoder: SimpleBaselineEncoder, depth: int, path: Path) -> None:
    if depth != encoder.depth:
        raise DataError(f"{path}: holds a ResNet-{depth}, this network is a ResNet-{encoder.depth}")


def _load(module: nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: does not fit a Simple Baseline: {reason}") from error
