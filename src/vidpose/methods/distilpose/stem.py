"""DistilPose-S's backbone, which learns from random weights."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from vidpose.methods.distilpose.model import MAP_STRIDE


class StemBackbone(nn.Module):
    """DistilPose-S's backbone: two strided convolutions and four bottlenecks.

    (N, 3, H, W) -> (N, 4 width, H/4, W/4); 256 channels at the published width. Without
    pre-training, which is why no normalisation is asked for.
    """

    stride = MAP_STRIDE

    def __init__(self, width: int = 64, blocks: int = 4) -> None:
        super().__init__()
        self.channels = 4 * width
        first = [_Bottleneck(width, width)]
        rest = [_Bottleneck(self.channels, width) for _ in range(blocks - 1)]
        self.layers = nn.Sequential(
            *_convolution(3, width, 3, stride=2),
            nn.ReLU(inplace=True),
            *_convolution(width, width, 3, stride=2),
            nn.ReLU(inplace=True),
            *first,
            *rest,
        )

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.layers(x)
        return features


class _Bottleneck(nn.Module):
    """ResNet's bottleneck: 1x1, 3x3, 1x1 to 4 width."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        out = 4 * width
        self.layers = nn.Sequential(
            *_convolution(channels, width, 1),
            nn.ReLU(inplace=True),
            *_convolution(width, width, 3),
            nn.ReLU(inplace=True),
            *_convolution(width, out, 1),
        )
        same = channels == out
        self.skip = nn.Identity() if same else nn.Sequential(*_convolution(channels, out, 1))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.layers(x) + self.skip(x))


def _convolution(channels: int, out: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False)
    return [conv, nn.BatchNorm2d(out)]
