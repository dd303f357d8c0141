"""FasterPose: heatmaps straight from low-resolution features.

Dai, Shi, Liu, Wang, Liu, Mei, "FasterPose: A Faster Simple Baseline for Human Pose Estimation",
ACM TOMM 2022, arXiv 2107.03215. The authors published no code and the paper's text was not at hand
beyond its abstract, so the head is an **interpretation**: of the abstract ("heatmaps inferred
directly from low-resolution features", 58 % fewer operations than the Simple Baseline with
ResNet-50) three heads remain that reach the published saving. All use sub-pixel convolution
(Shi et al., CVPR 2016): a cell at stride 32 holds the 8 x 8 cells at stride 4 below it.

| head | from 2048 x 8 x 6 to K x 64 x 48 |
|---|---|
| `direct` | 1x1 to 64 K channels, pixel shuffle by 8 |
| `bottleneck` | 1x1 to 256 channels, BatchNorm, ReLU, 1x1 to 64 K channels, pixel shuffle by 8 |
| `shuffle` | pixel shuffle by 8 to 32 channels, 1x1 to K: the cheapest, the default |
| `deconvolution` | three deconvolutions of 256 channels, 1x1: Simple Baseline's, to compare with |

The loss that belongs to it, regressive cross-entropy, is in `vidpose.methods.fasterpose.task`.
"""

from __future__ import annotations

import math
from typing import Literal

from torch import Tensor, nn

from vidpose.errors import DataError

Head = Literal["shuffle", "direct", "bottleneck", "deconvolution"]

MAP_STRIDE = 4
FOREGROUND = 0.01
"""Height that an untrained network gives every cell: about the part of a map that is foreground."""

_BOTTLENECK = 256
_DECONVOLUTION = 256


class LowResolutionHead(nn.Module):
    """Heatmap logits from the last map of a backbone.

    (N, channels, h, w) -> (N, K, factor h, factor w).

    Args:
        channels: of the features; the head `shuffle` needs a multiple of factor^2.
        num_keypoints: K.
        factor: from the features' side to the maps'.
        form: see the module's text.
        sigmoid: outputs are logits of heatmaps; otherwise heatmaps.
    """

    def __init__(
        self,
        channels: int,
        num_keypoints: int,
        factor: int,
        form: Head,
        *,
        sigmoid: bool = True,
    ) -> None:
        super().__init__()
        cells = factor * factor
        shuffle = nn.PixelShuffle(factor)
        if form == "shuffle":
            if channels % cells:
                raise DataError(
                    f"head 'shuffle' needs a multiple of {cells} channels, the backbone has "
                    f"{channels}: take 'direct' or 'bottleneck'"
                )
            last = nn.Conv2d(channels // cells, num_keypoints, 1)
            self.layers = nn.Sequential(shuffle, last)
        elif form == "direct":
            last = nn.Conv2d(channels, num_keypoints * cells, 1)
            self.layers = nn.Sequential(last, shuffle)
        elif form == "deconvolution":
            if factor == 1:
                raise DataError("head 'deconvolution' enlarges: its backbone's stride is 8 or more")
            last = nn.Conv2d(_DECONVOLUTION, num_keypoints, 1)
            self.layers = nn.Sequential(*_deconvolutions(channels, factor), last)
        else:
            last = nn.Conv2d(_BOTTLENECK, num_keypoints * cells, 1)
            self.layers = nn.Sequential(
                nn.Conv2d(channels, _BOTTLENECK, 1, bias=False),
                nn.BatchNorm2d(_BOTTLENECK),
                nn.ReLU(inplace=True),
                last,
                shuffle,
            )
        _start_dark(last, FOREGROUND if sigmoid else 0.5)

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.layers(features)
        return logits


class FasterPose(nn.Module):
    """Any backbone and a low-resolution head.

    Input (N, 3, H, W) RGB in [-1, 1], H and W multiples of the backbone's stride; output
    (N, K, H/4, W/4), logits of each cell's height: the heatmap is their sigmoid. Without `sigmoid`
    the output is the heatmap itself.

    Args:
        backbone: images -> (N, channels, H / stride, W / stride).
        channels, stride: of its output; the stride is a multiple of 4.
        num_keypoints: K.
        form: of the head.
        sigmoid: see above.
    """

    def __init__(
        self,
        backbone: nn.Module,
        channels: int,
        stride: int,
        num_keypoints: int = 17,
        form: Head = "shuffle",
        *,
        sigmoid: bool = True,
    ) -> None:
        super().__init__()
        if stride % MAP_STRIDE:
            raise DataError(f"a backbone of stride {stride} gives no maps of stride {MAP_STRIDE}")
        self.backbone = backbone
        factor = stride // MAP_STRIDE
        self.head = LowResolutionHead(channels, num_keypoints, factor, form, sigmoid=sigmoid)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.backbone(x))
        return logits


def _deconvolutions(channels: int, factor: int) -> list[nn.Module]:
    """Simple Baseline's (arXiv 1804.06208): 4x4, stride 2, BatchNorm, ReLU for each doubling."""
    layers: list[nn.Module] = []
    for inputs in (channels, *[_DECONVOLUTION] * (factor.bit_length() - 2)):
        deconvolution = nn.ConvTranspose2d(inputs, _DECONVOLUTION, 4, 2, 1, bias=False)
        nn.init.normal_(deconvolution.weight, std=0.001)
        layers += [deconvolution, nn.BatchNorm2d(_DECONVOLUTION), nn.ReLU(inplace=True)]
    return layers


def _start_dark(conv: nn.Conv2d, height: float) -> None:
    """Start so that the sigmoid of every cell is `height`, nearly: most of a heatmap is empty."""
    nn.init.normal_(conv.weight, std=0.001)
    assert conv.bias is not None
    nn.init.constant_(conv.bias, math.log(height / (1 - height)))
