"""DKD: Dynamic Kernel Distillation for pose in video.

Nie, Li, Luo, Zhang, Feng, "Dynamic Kernel Distillation for Efficient Pose Estimation in Videos",
ICCV 2019, arXiv 1908.09216. The authors published no code; what is ours is named below.

    h_1     = P(I_1)                    a pose initializer looks at the first frame
    f_t     = F(I_t)                    a small frame encoder looks at every frame
    k_t     = Phi(f_t, h_t)             the distillator turns features and maps into pose kernels
    h_{t+1} = k_t (x) f_{t+1}           one convolution per joint finds it in the next frame

Shapes: I (N, 3, H, W); f (N, C, h, w); h (N, K, h, w). The matching (x) comes in two forms:

- `FullMatching`: k (N, K, C, S, S), one kernel slice per joint, convolved with all channels.
- `FactorisedMatching`: k = U * k~ *_c V, where only k~ (N, 1, C, S, S) is distilled: a 1x1
  convolution V, one dynamic S x S kernel per channel, a 1x1 convolution U to the joints. The norms
  after V and U are those of a public relative of the authors' work.

Two distillators are here:

- `ConvDistillator`, the paper's: convolution, BatchNorm, ReLU and pooling, repeated. Its sizes
  (64 -> 62 -> 31 -> 15 -> 7) are that relative's too.
- `PooledDistillator`, ours, for networks that must be trained on little video: the kernel of a
  joint is a learned static kernel plus what the features look like where the joint's map is. With
  `PlaneWaves` among the features, a kernel can also say *where* the joint was, which a plain
  convolution kernel cannot.

The paper regresses Gaussian heights, which enter the distillator as they are (`DKD(heights=True)`).
Otherwise maps are logits of a spatial distribution (one softmax per map), and `map_distribution`
is the h that enters the distillator.

Built of these: methods/dkd/resnet.py (the paper's networks), methods/dkd/light.py (the light one).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidpose.nn.map_cells import flatten_cells, map_distribution
from vidpose.nn.shrink import shrink


def match_kernels(features: Tensor, kernels: Tensor) -> Tensor:
    """Dynamic kernel matching h^j = k^j (x) f, each image with its own kernels.

    Args:
        features: (N, C, h, w).
        kernels: (N, K, C, S, S), S odd.

    Returns:
        Map logits (N, K, h, w), divided by sqrt(C S S) so that their size does not grow with it.
    """
    channels, height, width = (int(side) for side in features.shape[1:])
    joints, size = int(kernels.shape[1]), int(kernels.shape[-1])
    scale = math.sqrt(channels * size * size)
    if size > 1 and not torch.onnx.is_in_onnx_export():
        # One group per image.
        n = features.shape[0]
        images = features.reshape(1, n * channels, height, width)
        weights = kernels.flatten(0, 1)
        maps = functional.conv2d(images, weights, padding=size // 2, groups=n)
        return maps.view(n, -1, height, width) / scale
    if size == 1:
        maps = torch.bmm(kernels.reshape(-1, joints, channels), flatten_cells(features))
        return maps.view(-1, joints, height, width) / scale
    # In an exported graph a convolution's number of groups could not follow the people. One
    # product gives every place of the kernels at every cell, its shifted maps add up.
    border = size // 2
    padded = functional.pad(features, (border, border, border, border))
    weights = kernels.permute(0, 3, 4, 1, 2).reshape(-1, size * size * joints, channels)
    places = torch.bmm(weights, flatten_cells(padded))
    places = places.view(-1, size * size, joints, height + 2 * border, width + 2 * border)
    maps = torch.zeros_like(places[:, 0, :, :height, :width])
    for row in range(size):
        for column in range(size):
            place = places[:, row * size + column]
            maps = maps + place[:, :, row : row + height, column : column + width]
    return maps / scale


def match_channels(features: Tensor, kernels: Tensor) -> Tensor:
    """Each channel convolved with its own kernel, each image with its own kernels (k~ *_c f).

    Args:
        features: (N, C, h, w).
        kernels: (N, 1, C, S, S), S odd.

    Returns:
        (N, C, h, w).
    """
    n, channels, height, width = features.shape
    size = int(kernels.shape[-1])
    if not torch.onnx.is_in_onnx_export():
        images = features.reshape(1, n * channels, height, width)
        weights = kernels.reshape(n * channels, 1, size, size)
        found = functional.conv2d(images, weights, padding=size // 2, groups=n * channels)
        return found.view(n, channels, height, width)
    border = size // 2
    padded = functional.pad(features, (border, border, border, border))
    found = torch.zeros_like(features)
    for row in range(size):
        for column in range(size):
            shifted = padded[:, :, row : row + height, column : column + width]
            found = found + shifted * kernels[:, 0, :, row, column, None, None]
    return found


class FullMatching(nn.Module):
    """`match_kernels` as a module: features (N, C, h, w), kernels (N, K, C, S, S) -> maps."""

    def forward(self, features: Tensor, kernels: Tensor) -> Tensor:
        return match_kernels(features, kernels)


class FactorisedMatching(nn.Module):
    """h = U * (k~ *_c (V * f)): features (N, C, h, w), kernels (N, 1, C, S, S) -> maps.

    V and U are learned 1x1 convolutions with BatchNorm, the same for all frames and joints; k~ is
    the distilled part. Of a full kernel's K C S S numbers only C S S change with the frame.

    The distillator never sees V * f: it reads the encoder's features in the first frame as in all
    others.
    """

    def __init__(self, channels: int, num_keypoints: int) -> None:
        super().__init__()
        self.v = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels)
        )
        self.u = nn.Sequential(
            nn.Conv2d(channels, num_keypoints, 1, bias=False), nn.BatchNorm2d(num_keypoints)
        )

    def forward(self, features: Tensor, kernels: Tensor) -> Tensor:
        maps: Tensor = self.u(match_channels(self.v(features), kernels))
        return maps


class PlaneWaves(nn.Module):
    """Position as features: cosines and sines of plane waves over the map.

    A kernel that weighs them by their values at a point gives a smooth bump around that point, so
    that matching multiplies what a joint looks like with where it was. The spread of a blurred
    position flattens the bump by itself (its characteristic function).

    Args:
        size: (h, w) of the map.
        wavelengths: in cells.
        directions: number of directions in the half plane, per wavelength.
    """

    waves: Tensor

    def __init__(
        self,
        size: tuple[int, int],
        wavelengths: tuple[float, ...] = (64.0, 32.0, 16.0, 8.0),
        directions: int = 6,
    ) -> None:
        super().__init__()
        rows = torch.arange(size[0], dtype=torch.float32)[:, None]
        columns = torch.arange(size[1], dtype=torch.float32)[None, :]
        waves = []
        for wavelength in wavelengths:
            for number in range(directions):
                angle = math.pi * number / directions
                phase = columns * math.cos(angle) + rows * math.sin(angle)
                phase = phase * (2 * math.pi / wavelength)
                waves += [phase.cos(), phase.sin()]
        self.register_buffer("waves", torch.stack(waves), persistent=False)

    @property
    def channels(self) -> int:
        return self.waves.shape[0]

    def forward(self, features: Tensor) -> Tensor:
        """Append the waves: (N, C, h, w) -> (N, C + channels, h, w)."""
        waves = self.waves.expand(features.shape[0], *self.waves.shape)
        return torch.cat([features, waves], dim=1)


class PooledDistillator(nn.Module):
    """Kernels of size 1 from the features under each joint's map (ours, see the module's text).

    k^j = b^j + a^j * t^j + M(t)^j with t^j = sum_x h^j(x) f(x): a static kernel b, the joint's own
    appearance and place t weighed by a, and a small network M over all joints.

    `gain` is a / GAIN_RATE: optimisers that move every weight alike move a faster by this factor,
    which it needs, being of the order of 1 where other weights are of the order of 0.1.
    """

    GAIN_RATE = 10.0

    def __init__(self, channels: int, num_keypoints: int, hidden: int = 64) -> None:
        super().__init__()
        self.static = nn.Parameter(torch.zeros(num_keypoints, channels))
        self.gain = nn.Parameter(torch.zeros(num_keypoints, channels))
        self.norm = nn.LayerNorm(channels)
        self.joint = nn.Linear(channels + 1, hidden)
        self.identity = nn.Parameter(torch.randn(num_keypoints, hidden) * 0.02)
        self.mix = nn.Linear(num_keypoints * hidden, hidden)
        self.update = nn.Linear(2 * hidden, channels)
        nn.init.zeros_(self.update.weight)
        nn.init.zeros_(self.update.bias)

    def forward(self, features: Tensor, maps: Tensor) -> Tensor:
        """features (N, C, h, w), maps (N, K, h, w) that sum to 1 -> kernels (N, K, C, 1, 1)."""
        k, channels = int(maps.shape[1]), int(features.shape[1])
        template = torch.bmm(flatten_cells(maps), flatten_cells(features).transpose(1, 2))
        sharpness = flatten_cells(maps).amax(dim=2, keepdim=True)
        joint = self.joint(torch.cat([self.norm(template), sharpness], dim=2))
        joint = functional.relu(joint + self.identity)
        context = functional.relu(self.mix(joint.reshape(-1, k * int(joint.shape[2]))))[:, None]
        # update([joint, context]), without a copy of the context for each joint
        weight, hidden = self.update.weight, int(joint.shape[2])
        update = functional.linear(joint, weight[:, :hidden], self.update.bias)
        update = update + functional.linear(context, weight[:, hidden:])
        kernels: Tensor = self.static + self.GAIN_RATE * self.gain * template + update
        return kernels.view(-1, k, channels, 1, 1)


class ConvDistillator(nn.Module):
    """The paper's distillator: convolution, BatchNorm, ReLU, pooling, repeated.

    On 64 x 64 maps the sizes go 64 -> 62 -> 31 -> 15 -> 7; where the last map is not S x S, it is
    averaged to that size.

    Args:
        channels: C of the features.
        num_keypoints: K of the maps.
        hidden: channels inside.
        kernel_size: S, odd.
        factorised: give one kernel per channel, for `FactorisedMatching`.
        poolings: stages that end in a pooling. Three are the relative's; the summary of the paper
            has two, which takes maps of 32 x 32 to 7 x 7.
    """

    def __init__(
        self,
        channels: int,
        num_keypoints: int,
        hidden: int = 256,
        kernel_size: int = 7,
        factorised: bool = False,
        poolings: int = 3,
    ) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f"a kernel's size must be odd to have a centre, got {kernel_size}")
        self.slices = 1 if factorised else num_keypoints
        self.kernel_size = kernel_size
        self.merge = nn.Sequential(
            nn.Conv2d(channels + num_keypoints, hidden, 1, bias=False), nn.BatchNorm2d(hidden)
        )
        stages: list[nn.Module] = []
        for padding in (0, *[1] * (poolings - 1)):
            stages += [
                nn.Conv2d(hidden, hidden, 3, padding=padding, bias=False),
                nn.BatchNorm2d(hidden),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(2),
            ]
        self.stages = nn.Sequential(*stages)
        out = channels * self.slices
        self.last = nn.Sequential(
            nn.Conv2d(hidden, out, 3, padding=1, bias=False), nn.BatchNorm2d(out)
        )

    def forward(self, features: Tensor, maps: Tensor) -> Tensor:
        """features (N, C, h, w), maps (N, K, h, w) -> kernels (N, K or 1, C, S, S)."""
        x = self.last(self.stages(self.merge(torch.cat([features, maps], dim=1))))
        x = _average_to(x, self.kernel_size)
        return x.view(x.shape[0], self.slices, -1, self.kernel_size, self.kernel_size)


def _average_to(x: Tensor, size: int) -> Tensor:
    """Adaptive average pooling to size x size, as matrix products, which exports at any size."""
    rows = _averaging(int(x.shape[2]), size).to(x)
    columns = _averaging(int(x.shape[3]), size).to(x)
    return rows @ x @ columns.T


def _averaging(cells: int, size: int) -> Tensor:
    """(size, cells): which cells are averaged, as in torch's adaptive pooling."""
    matrix = torch.zeros(size, cells)
    for row in range(size):
        first, last = row * cells // size, -(-(row + 1) * cells // size)
        matrix[row, first:last] = 1 / (last - first)
    return matrix


class DKDOutput(NamedTuple):
    """What one frame gives: maps (N, K, h, w), and kernels for the next frame."""

    maps: Tensor
    kernels: Tensor


class DKD(nn.Module):
    """Initializer, frame encoder, distillator and matching.

    Args:
        initializer: images at the initializer's size -> maps.
        encoder: images at the step's size -> features (the frame encoder).
        distillator: (features, maps) -> kernels.
        waves: position features, or None for the paper's plain matching.
        ratio: of the initializer's size to the step's, 1 or more.
        matching: (features, kernels) -> maps; `FullMatching` unless given.
        heights: maps are heights, as in the paper; otherwise logits of a distribution.

    The initializer's images have `ratio` times the sides of the step's, and so have its maps; the
    frame encoder sees the first frame averaged down by `ratio`.
    """

    def __init__(
        self,
        initializer: nn.Module,
        encoder: nn.Module,
        distillator: nn.Module,
        waves: PlaneWaves | None,
        ratio: float,
        matching: nn.Module | None = None,
        heights: bool = False,
    ) -> None:
        super().__init__()
        self.initializer = initializer
        self.encoder = encoder
        self.distillator = distillator
        self.waves = waves
        self.ratio = ratio
        self.matching = matching or FullMatching()
        self.heights = heights

    def encode(self, images: Tensor) -> Tensor:
        """Frame encoder: (N, 3, H, W) -> features (N, C, h, w), position included."""
        features: Tensor = self.encoder(images)
        return features if self.waves is None else self.waves(features)

    def distil(self, features: Tensor, maps: Tensor) -> Tensor:
        """Kernels (N, K or 1, C, S, S) from features and maps of the same size."""
        kernels: Tensor = self.distillator(features, self._read(maps))
        return kernels

    def initialize(self, images: Tensor) -> DKDOutput:
        """First frame, at the initializer's size: its maps and the kernels for the next frame."""
        maps = self.initializer(images)
        return DKDOutput(maps, self.first_kernels(images, maps))

    def first_kernels(self, images: Tensor, maps: Tensor) -> Tensor:
        """Kernels of the first frame from the initializer's images and maps."""
        features = self.encode(shrink(images, self.ratio))
        kernels: Tensor = self.distillator(features, self.pool_maps(self._read(maps)))
        return kernels

    def pool_maps(self, maps: Tensor) -> Tensor:
        """The initializer's maps (heights, or distributions) on the step's cells."""
        pooled = shrink(maps, self.ratio)
        return pooled if self.heights else pooled * self.ratio**2  # a distribution's mass stays 1

    def step(self, images: Tensor, kernels: Tensor) -> DKDOutput:
        """A later frame, at the step's size, found with the kernels of the frame before."""
        features = self.encode(images)
        maps = self.matching(features, kernels)
        return DKDOutput(maps, self.distil(features, maps))

    def _read(self, maps: Tensor) -> Tensor:
        """Maps as the distillator sees them."""
        return maps if self.heights else map_distribution(maps)

    def forward(self, first: Tensor, later: Tensor) -> list[Tensor]:
        """A clip: first frame (N, 3, H, W), later frames (N, T-1, 3, H/r, W/r) -> T maps."""
        maps, kernels = self.initialize(first)
        outputs = [maps]
        for t in range(later.shape[1]):
            maps, kernels = self.step(later[:, t], kernels)
            outputs.append(maps)
        return outputs
