"""Stacked hourglasses: a stem, then as many hourglasses as wanted, each with maps of its own.

Newell, Yang, Deng, "Stacked Hourglass Networks for Human Pose Estimation", ECCV 2016,
arXiv 1603.06937, in the shape that later work trains: pre-activation bottlenecks of expansion 2,
one for each level, depth 4, nearest upsampling.

A network is cut in two so that several branches can share the first part
(`methods/okdhp/model.py`): a `HourglassTrunk` (stem and the first stacks) and a `HourglassBranch`
(the other stacks). Trunk and branch after each other, `JoinedPose`, are the plain stacked
hourglass.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from vidpose.errors import DataError

CHANNELS = 256
DEPTH = 4


class Shared(NamedTuple):
    """What a trunk gives its branches.

    `stem` (N, C', h', w'): early features, read by an aggregation unit. `features`: the branches'
    input. `maps`: heatmaps (N, K, H/4, W/4) of the trunk itself, possibly none.
    """

    stem: Tensor
    features: Tensor
    maps: tuple[Tensor, ...]


class Branched(NamedTuple):
    """What a branch gives: its last features (N, C, H/4, W/4), and its heatmaps, the last one its
    answer."""

    features: Tensor
    maps: tuple[Tensor, ...]


class JoinedPose(nn.Module):
    """A trunk and one branch: a plain per-frame network, images -> heatmaps (N, K, H/4, W/4)."""

    def __init__(self, trunk: nn.Module, branch: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk
        self.branch = branch

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.branch(self.trunk(x).features).maps[-1]
        return answer


class HourglassTrunk(nn.Module):
    """Stem and `stacks` hourglasses, which pass on what they found.

    Input (N, 3, H, W) RGB in [-1, 1], H and W multiples of 4 * 2^depth.

    Args:
        num_keypoints: K.
        stacks: hourglasses in the trunk, none or more.
        channels: of the features, a multiple of 4.
        depth: levels of an hourglass.
    """

    def __init__(
        self, num_keypoints: int, stacks: int, channels: int = CHANNELS, depth: int = DEPTH
    ) -> None:
        super().__init__()
        self.channels = channels
        self.stem_channels = channels
        self.stride = 4 * 2**depth
        quarter = channels // 4
        self.stem = nn.Sequential(
            nn.Conv2d(3, quarter, 7, 2, 3),
            nn.BatchNorm2d(quarter),
            nn.ReLU(inplace=True),
            Residual(quarter, 2 * quarter),
            nn.MaxPool2d(2),
            Residual(2 * quarter, channels),
            Residual(channels, channels),
        )
        self.stacks = nn.ModuleList(
            Stack(channels, num_keypoints, depth, last=False) for _ in range(stacks)
        )

    def forward(self, x: Tensor) -> Shared:
        if x.shape[2] % self.stride or x.shape[3] % self.stride:
            raise DataError(
                f"hourglasses of this depth need sides that are multiples of {self.stride}, "
                f"got {tuple(x.shape[2:])}"
            )
        stem = features = self.stem(x)
        maps = []
        for stack in self.stacks:
            features, _, scores = stack(features)
            maps.append(scores)
        return Shared(stem, features, tuple(maps))


class HourglassBranch(nn.Module):
    """`stacks` hourglasses, at least one, on a trunk's features (N, C, h, w)."""

    def __init__(
        self, num_keypoints: int, stacks: int, channels: int = CHANNELS, depth: int = DEPTH
    ) -> None:
        super().__init__()
        self.channels = channels
        self.stacks = nn.ModuleList(
            Stack(channels, num_keypoints, depth, last=i == stacks - 1) for i in range(stacks)
        )

    def forward(self, x: Tensor) -> Branched:
        maps = []
        features = x
        for stack in self.stacks:
            x, features, scores = stack(x)
            maps.append(scores)
        return Branched(features, tuple(maps))


class Stack(nn.Module):
    """One hourglass with its maps: x -> (input of the next stack, features, heatmaps).

    The next stack reads x + fc'(y) + score'(heatmaps); the last stack has nothing to pass on.
    """

    def __init__(self, channels: int, num_keypoints: int, depth: int, *, last: bool) -> None:
        super().__init__()
        self.hourglass = Hourglass(channels, depth)
        self.features = nn.Sequential(
            Residual(channels, channels),
            nn.Conv2d(channels, channels, 1),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )
        self.score = nn.Conv2d(channels, num_keypoints, 1)
        self.pass_features = None if last else nn.Conv2d(channels, channels, 1)
        self.pass_maps = None if last else nn.Conv2d(num_keypoints, channels, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = self.features(self.hourglass(x))
        maps = self.score(features)
        if self.pass_features is not None and self.pass_maps is not None:
            x = x + self.pass_features(features) + self.pass_maps(maps)
        return x, features, maps


class Hourglass(nn.Module):
    """Down and up again, `depth` levels: (N, C, h, w) -> the same shape."""

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        self.beside = Residual(channels, channels)
        self.down = Residual(channels, channels)
        bottom = depth == 1
        self.inner = Residual(channels, channels) if bottom else Hourglass(channels, depth - 1)
        self.up = Residual(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        below = self.up(self.inner(self.down(functional.max_pool2d(x, 2))))
        y: Tensor = self.beside(x) + functional.interpolate(below, scale_factor=2.0)  # nearest
        return y


class Residual(nn.Module):
    """Pre-activation bottleneck of expansion 2: norm, ReLU, convolution, three times."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        half = out // 2
        self.layers = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, half, 1),
            nn.BatchNorm2d(half),
            nn.ReLU(inplace=True),
            nn.Conv2d(half, half, 3, padding=1),
            nn.BatchNorm2d(half),
            nn.ReLU(inplace=True),
            nn.Conv2d(half, out, 1),
        )
        self.skip = nn.Identity() if channels == out else nn.Conv2d(channels, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x) + self.skip(x)
        return y
