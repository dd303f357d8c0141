"""Our variant of DKD, for networks that must learn from little video (model.py has the paper).

It differs in three things:

- Maps are logits of a distribution over the cells (one softmax per map); the distribution is the
  h that enters the distillator.
- `PooledDistillator`: the kernel of a joint is a learned static kernel plus what the features look
  like where the joint's map is. With `PlaneWaves` among the features a kernel can also say *where*
  the joint was, which a plain convolution kernel cannot.
- The initializer may see the first frame at a larger size than the step sees the later ones.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidpose.methods.dkd.model import DKD, DKDOutput
from vidpose.nn.map_cells import flatten_cells, map_distribution
from vidpose.nn.shrink import shrink


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
    """Kernels of size 1 from the features under each joint's map.

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


class StaticKernels(nn.Module):
    """In a distillator's place: learned kernels that no frame changes.

    `static`: (K, C), the start.
    """

    def __init__(self, static: Tensor) -> None:
        super().__init__()
        self.static = nn.Parameter(static.detach().clone())

    def forward(self, features: Tensor, maps: Tensor) -> Tensor:
        """features (N, C, h, w), maps (N, K, h, w) -> kernels (N, K, C, 1, 1)."""
        return self.static.expand(maps.shape[0], -1, -1)[..., None, None]


class DistributionDKD(DKD):
    """DKD whose maps are logits of distributions.

    Args:
        initializer: images (N, 3, H r, W r) -> map logits (N, K, h r, w r).
        encoder: images (N, 3, H, W) -> features (N, C, h, w).
        distillator: (features with waves, distributions) -> kernels.
        waves: position features, or None.
        ratio: r, of the initializer's size to the step's, 1 or more. The frame encoder sees the
            first frame averaged down by it.
        matching: (features with waves, kernels) -> map logits; `FullMatching` unless given.
    """

    def __init__(
        self,
        initializer: nn.Module,
        encoder: nn.Module,
        distillator: nn.Module,
        waves: PlaneWaves | None = None,
        ratio: float = 1,
        matching: nn.Module | None = None,
    ) -> None:
        super().__init__(initializer, encoder, distillator, matching)
        self.waves = waves
        self.ratio = ratio

    def encode(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> features (N, C, h, w), position included."""
        features = super().encode(images)
        return features if self.waves is None else self.waves(features)

    def distil(self, features: Tensor, maps: Tensor) -> Tensor:
        """Kernels (N, K or 1, C, S, S) from features and map logits of the same size."""
        return super().distil(features, map_distribution(maps))

    def initialize(self, images: Tensor) -> DKDOutput:
        """First frame (N, 3, H r, W r): its map logits, and the kernels for the next frame."""
        maps = self.initializer(images)
        return DKDOutput(maps, self.first_kernels(images, maps))

    def first_kernels(self, images: Tensor, maps: Tensor) -> Tensor:
        """Kernels of the first frame from the initializer's images and map logits."""
        features = self.encode(shrink(images, self.ratio))
        kernels: Tensor = self.distillator(features, self.pool_maps(map_distribution(maps)))
        return kernels

    def pool_maps(self, distributions: Tensor) -> Tensor:
        """The initializer's distributions on the step's cells; each still sums to 1."""
        return shrink(distributions, self.ratio) * self.ratio**2
