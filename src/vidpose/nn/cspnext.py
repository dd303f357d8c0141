"""CSPNeXt and its path aggregation neck: the feature extractor of RTMDet.

A CSP layer sends half of the channels through bottlenecks of large depthwise kernels and joins the
halves again; the neck passes features down and up a pyramid by the same layers. Convolutions carry
biases and no norms: published norms are folded into them, and none is re-estimated from the small
batches that a CPU trains with.

Sources: RTMDet (arXiv 2212.07784), CSPNet (arXiv 1911.11929), PANet (arXiv 1803.01534).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_POOLS = (5, 9, 13)
_GAIN = 1.7  # keeps the mean square of what passes SiLU


class ConvSiLU(nn.Sequential):
    """Convolution with bias, size kept up to the stride, and SiLU."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1):
        conv = nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups)
        # Without norms the start must keep the signal's size through all layers by itself.
        nn.init.normal_(conv.weight, std=_GAIN / (channels // groups * kernel**2) ** 0.5)
        super().__init__(conv, nn.SiLU())


class DepthwiseSeparable(nn.Sequential):
    """Depthwise convolution of side ``kernel``, then a pointwise one, each with SiLU."""

    def __init__(self, channels: int, out: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(
            ConvSiLU(channels, channels, kernel, stride, groups=channels),
            ConvSiLU(channels, out, 1),
        )


class Bottleneck(nn.Module):
    """Separable 3x3 and 5x5, added to the input where ``residual``."""

    def __init__(self, channels: int, residual: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            DepthwiseSeparable(channels, channels), DepthwiseSeparable(channels, channels, 5)
        )
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.residual else y


class ChannelAttention(nn.Module):
    """Channels weighted by a hard sigmoid of a linear map of their means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * functional.hardsigmoid(self.fc(x.mean((2, 3), keepdim=True)))


class CSPLayer(nn.Module):
    """(N, C, h, w) -> (N, out, h, w): half the width through bottlenecks, half past them."""

    def __init__(
        self, channels: int, out: int, depth: int = 1, *, residual: bool, attention: bool
    ) -> None:
        super().__init__()
        half = out // 2
        self.short = ConvSiLU(channels, half, 1)
        self.main = ConvSiLU(channels, half, 1)
        self.blocks = nn.Sequential(*(Bottleneck(half, residual) for _ in range(depth)))
        self.attention = ChannelAttention(out) if attention else nn.Identity()
        self.final = ConvSiLU(out, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        joined = torch.cat([self.blocks(self.main(x)), self.short(x)], 1)
        y: Tensor = self.final(self.attention(joined))
        return y


class PyramidPooling(nn.Module):
    """Maxima over windows of 5, 9 and 13 cells beside the map itself, mixed by 1x1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.narrow = ConvSiLU(channels, channels // 2, 1)
        self.mix = ConvSiLU(channels // 2 * (1 + len(_POOLS)), channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.narrow(x)
        pooled = [functional.max_pool2d(x, side, 1, side // 2) for side in _POOLS]
        y: Tensor = self.mix(torch.cat([x, *pooled], 1))
        return y


class CSPNeXt(nn.Module):
    """Images (N, 3, H, W), sides multiples of 32, -> maps at strides 8, 16 and 32.

    ``width``: channels of the stem; the maps have 4, 8 and 16 times as many.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            ConvSiLU(3, width // 2, 3, 2),
            ConvSiLU(width // 2, width // 2, 3),
            ConvSiLU(width // 2, width, 3),
        )
        self.stages = nn.ModuleList(
            self._stage(width << level, depth, last=level == 3)
            for level, depth in enumerate((1, 2, 2, 1))
        )

    def freeze(self, stages: int) -> None:
        """Take the stem and the first ``stages`` stages out of training, if any."""
        for part in (self.stem, *self.stages[:stages]) if stages else ():
            part.requires_grad_(False)

    @staticmethod
    def _stage(channels: int, depth: int, last: bool) -> nn.Sequential:
        out = 2 * channels
        pooling = [PyramidPooling(out)] if last else []
        layer = CSPLayer(out, out, depth, residual=not last, attention=True)
        return nn.Sequential(DepthwiseSeparable(channels, out, stride=2), *pooling, layer)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps[1:]


class PathAggregation(nn.Module):
    """Maps at strides 8, 16 and 32 -> as many of ``out`` channels, each aware of the others.

    ``width``: channels of the finest map; the next ones have twice and four times as many.
    """

    def __init__(self, width: int, out: int) -> None:
        super().__init__()

        def mix(channels: int, into: int) -> CSPLayer:
            return CSPLayer(channels, into, residual=False, attention=False)

        self.reduce_coarse = ConvSiLU(4 * width, 2 * width, 1)
        self.down_middle = mix(4 * width, 2 * width)
        self.reduce_middle = ConvSiLU(2 * width, width, 1)
        self.down_fine = mix(2 * width, width)
        self.shrink_fine = DepthwiseSeparable(width, width, stride=2)
        self.up_middle = mix(2 * width, 2 * width)
        self.shrink_middle = DepthwiseSeparable(2 * width, 2 * width, stride=2)
        self.up_coarse = mix(4 * width, 4 * width)
        self.out = nn.ModuleList(DepthwiseSeparable(c, out) for c in (width, 2 * width, 4 * width))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        fine, middle, coarse = maps
        coarse = self.reduce_coarse(coarse)
        middle = self.down_middle(torch.cat([_enlarged(coarse), middle], 1))
        middle = self.reduce_middle(middle)
        fine = self.down_fine(torch.cat([_enlarged(middle), fine], 1))
        middle = self.up_middle(torch.cat([self.shrink_fine(fine), middle], 1))
        coarse = self.up_coarse(torch.cat([self.shrink_middle(middle), coarse], 1))
        return [out(m) for out, m in zip(self.out, (fine, middle, coarse), strict=True)]


def _enlarged(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")
