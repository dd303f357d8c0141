"""DKD with the paper's networks (methods/dkd/model.py has the method).

Initializer: Simple Baseline on ResNet-50 or 101. Frame encoder: the same shape on ResNet-50, 34
or 18 without its head, or a small CPM. Input 256 x 256, maps 64 x 64, kernels 7 x 7. The sizes of
distillator and kernels are those of a public relative of the authors' work.
"""

from __future__ import annotations

from typing import Literal

from vidpose.methods.dkd.model import DKD, ConvDistillator, FactorisedMatching, FullMatching
from vidpose.methods.dkd.pooled import DistributionDKD
from vidpose.nn.simple_baseline import (
    CHANNELS,
    ResNetDepth,
    SimpleBaseline,
    SimpleBaselineEncoder,
)
from vidpose.nn.small_cpm import SmallCPM

FrameEncoder = Literal["resnet50", "resnet34", "resnet18", "small-cpm"]
KernelForm = Literal["factorised", "full"]
KernelSize = Literal[1, 3, 5, 7]

SIZE = (256, 256)


def dkd_resnet(
    num_keypoints: int,
    *,
    initializer: ResNetDepth = 50,
    encoder: FrameEncoder = "resnet50",
    kernel: KernelForm = "factorised",
    kernel_size: KernelSize = 7,
    channels: int | None = None,
    hidden: int | None = None,
    heatmaps: bool = True,
) -> DKD:
    """Build the paper's DKD with untrained weights.

    Args:
        num_keypoints: K.
        initializer: depth of the initializer's ResNet.
        encoder: the frame encoder.
        kernel: whole kernels S x S x C x K, or factorised ones (methods/dkd/model.py).
        kernel_size: S.
        channels: C, of the features; 256, or 128 of the small CPM, unless given.
        hidden: channels inside the distillator; as many as the features' unless given.
        heatmaps: maps are Gaussian heatmaps, as in the paper; otherwise logits of distributions.
    """
    features = _encoder(encoder, channels)
    channels = features.channels
    factorised = kernel == "factorised"
    matching = FactorisedMatching(channels, num_keypoints) if factorised else FullMatching()
    distillator = ConvDistillator(
        channels, num_keypoints, hidden or channels, kernel_size, factorised
    )
    first = SimpleBaseline(num_keypoints, initializer)
    if heatmaps:
        return DKD(first, features, distillator, matching)
    return DistributionDKD(first, features, distillator, matching=matching)


def _encoder(name: FrameEncoder, channels: int | None) -> SimpleBaselineEncoder | SmallCPM:
    if name == "small-cpm":
        return SmallCPM(channels or 128)
    depths: dict[str, ResNetDepth] = {"resnet50": 50, "resnet34": 34, "resnet18": 18}
    return SimpleBaselineEncoder(depths[name], channels or CHANNELS)
