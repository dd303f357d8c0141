"""Dynamic Kernel Distillation (DKD) as published: one network for pose in video.

Nie, Li, Luo, Zhang, Feng, "Dynamic Kernel Distillation for Efficient Pose Estimation in Videos",
ICCV 2019, arXiv 1908.09216. (Not Decoupled Knowledge Distillation, which shares the letters.)

    (1)  h_1     = P(I_1)                 the pose initializer finds the first frame's heatmaps
    (2)  f_t     = F(I_t)                 a small frame encoder gives every frame's features
    (3)  k_t     = Phi(f_t, h_t)          the distillator turns features and maps into kernels
    (4)  h_{t+1} = k_t (x) f_{t+1}        one convolution per joint finds it in the next frame
    (5)  k_t     = U * k~_t *_c V         kernels factorised: k~_t alone is distilled
    (6)  h_{t+1} = U * (k~_t *_c (V * f_{t+1}))        what (4) becomes with (5)

    I_t (N, 3, H, W)    h_t (N, K, h, w)    f_t (N, C, h, w)
    k_t (N, K, C, S, S)    k~_t (N, 1, C, S, S)    V: C -> C, U: C -> K, both 1 x 1

The numbers are this text's; the training losses go on from (7) in `methods/dkd/adversarial.py`.
Neither the authors' code nor the paper's full text is public. What follows from neither abstract
nor summaries is marked as an interpretation, with its source, beside the line that computes it;
"a public relative" is another project's network after the same idea.

Beside the paper: its networks are in resnet.py, our light variant in light.py and pooled.py, other
forms of the same products, for ONNX and for kernels of one cell, in products.py.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidpose.methods.dkd import products
from vidpose.nn.unroll import unroll


def match_kernels(features: Tensor, kernels: Tensor) -> Tensor:
    """Equation (4), h^j = k^j (x) f, each image with its own kernels.

    Args:
        features: (N, C, h, w).
        kernels: (N, K, C, S, S), S odd.

    Returns:
        (N, K, h, w).
    """
    n, channels, height, width = (int(side) for side in features.shape)
    size = int(kernels.shape[-1])
    if size == 1 or torch.onnx.is_in_onnx_export():
        maps = products.match_kernels(features, kernels)
    else:
        images = features.reshape(1, n * channels, height, width)  # one group per image
        maps = functional.conv2d(images, kernels.flatten(0, 1), padding=size // 2, groups=n)
        maps = maps.view(n, -1, height, width)
    # Interpretation (ours): divided so that the maps' size does not grow with C S S.
    return maps / math.sqrt(channels * size * size)


def match_channels(features: Tensor, kernels: Tensor) -> Tensor:
    """k~ *_c f of equation (6): each channel with its own kernel, each image with its own kernels.

    Args:
        features: (N, C, h, w).
        kernels: (N, 1, C, S, S), S odd.

    Returns:
        (N, C, h, w).
    """
    if torch.onnx.is_in_onnx_export():
        return products.match_channels(features, kernels)
    n, channels, height, width = features.shape
    size = int(kernels.shape[-1])
    images = features.reshape(1, n * channels, height, width)
    weights = kernels.reshape(n * channels, 1, size, size)
    found = functional.conv2d(images, weights, padding=size // 2, groups=n * channels)
    return found.view(n, channels, height, width)


class FullMatching(nn.Module):
    """Equation (4) as a module: features (N, C, h, w), kernels (N, K, C, S, S) -> (N, K, h, w)."""

    def forward(self, features: Tensor, kernels: Tensor) -> Tensor:
        return match_kernels(features, kernels)


class FactorisedMatching(nn.Module):
    """Equation (6): features (N, C, h, w), kernels (N, 1, C, S, S) -> (N, K, h, w).

    U and V are learned and the same for all frames; of a full kernel's K C S S numbers only C S S
    change with the frame.
    """

    def __init__(self, channels: int, num_keypoints: int) -> None:
        super().__init__()
        # Interpretation (a public relative): a BatchNorm after V and one after U.
        self.v = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels)
        )
        self.u = nn.Sequential(
            nn.Conv2d(channels, num_keypoints, 1, bias=False), nn.BatchNorm2d(num_keypoints)
        )

    def forward(self, features: Tensor, kernels: Tensor) -> Tensor:
        maps: Tensor = self.u(match_channels(self.v(features), kernels))  # (6)
        return maps


class ConvDistillator(nn.Module):
    """Phi of equation (3): convolution, BatchNorm, ReLU, pooling by 2, repeated.

    On 64 x 64 maps the sizes go 64 -> 62 -> 31 -> 15 -> 7 = S.

    Args:
        channels: C of the features.
        num_keypoints: K of the maps.
        hidden: channels inside.
        kernel_size: S, odd.
        factorised: give k~ (N, 1, C, S, S) in place of k (N, K, C, S, S).
        poolings: stages that end in a pooling. Interpretation: three are a public relative's, a
            summary of the paper has two, which take maps of 32 x 32 to 7 x 7.
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
        # Interpretation (a public relative): features and maps joined by a 1 x 1 convolution
        # first, no padding in the first stage, no pooling and no ReLU in the last.
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
        # Interpretation (ours): a last map of another size than S x S is averaged to it.
        x = products.average_to(x, self.kernel_size)
        return x.view(x.shape[0], self.slices, -1, self.kernel_size, self.kernel_size)


class DKDOutput(NamedTuple):
    """What one frame gives: maps (N, K, h, w), and kernels for the next frame."""

    maps: Tensor
    kernels: Tensor


class DKD(nn.Module):
    """Initializer, frame encoder, distillator and matching, as the equations have them.

    Args:
        initializer: P, images (N, 3, H, W) -> heatmaps (N, K, h, w).
        encoder: F, images (N, 3, H, W) -> features (N, C, h, w).
        distillator: Phi, (features, heatmaps) -> kernels.
        matching: (features, kernels) -> heatmaps; `FullMatching` unless given.

    `ratio`: of the first frame's size to the later ones'.
    """

    ratio: float = 1

    def __init__(
        self,
        initializer: nn.Module,
        encoder: nn.Module,
        distillator: nn.Module,
        matching: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.initializer = initializer
        self.encoder = encoder
        self.distillator = distillator
        self.matching = matching or FullMatching()

    def encode(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, C, h, w)."""
        features: Tensor = self.encoder(images)  # (2)
        return features

    def distil(self, features: Tensor, maps: Tensor) -> Tensor:
        """(N, C, h, w), (N, K, h, w) -> kernels (N, K or 1, C, S, S)."""
        # Interpretation (ours): Phi reads the encoder's features f in every frame, never V * f,
        # and the initializer's maps through f of the frame encoder as any other frame's.
        kernels: Tensor = self.distillator(features, maps)  # (3)
        return kernels

    def initialize(self, images: Tensor) -> DKDOutput:
        """The first frame (N, 3, H, W): its maps, and the kernels for the next frame."""
        maps = self.initializer(images)  # (1)
        return DKDOutput(maps, self.distil(self.encode(images), maps))

    def step(self, images: Tensor, kernels: Tensor) -> DKDOutput:
        """A later frame (N, 3, H, W), found with the kernels of the frame before."""
        features = self.encode(images)
        maps = self.matching(features, kernels)  # (4)
        return DKDOutput(maps, self.distil(features, maps))

    def forward(self, first: Tensor, later: Tensor) -> list[Tensor]:
        """A clip, first frame (N, 3, H, W), later frames (N, T - 1, 3, H, W) -> T maps."""
        return unroll(self, first, later)
