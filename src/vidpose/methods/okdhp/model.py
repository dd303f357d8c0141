"""OKDHP: branches of one network that teach each other, and one that is kept.

Li et al., "Online Knowledge Distillation for Efficient Pose Estimation", ICCV 2021,
arXiv 2108.02092. A trunk is shared by T branches. A feature aggregation unit (FAU) weighs the
branches' heatmaps for each joint, and the weighted map teaches every branch back:

    target^k = sum_t a_t^k m_t^k,    sum_t a_t^k = 1

After training one branch is kept, `MultiBranchPose.joined`: a plain network that costs what it would
cost alone. With hourglasses (`nn/hourglass.py`) branches may be alike (balanced, for instance
2 shared + 2, 2, 2) or not (unbalanced, 2 shared + 2, 4, 6); with a light backbone from timm the
encoder is shared and the decoders are the branches (`LightTrunk`, `LightBranch`: the decoder is
an **interpretation**, the published one is not described).

Two aggregation units are here, the one of the paper's figure and the one of the released code, and
two relatives from image classification, carried over to heatmaps (both **interpretations**):

- `FeatureFusion`: FFL, Kim et al., "Feature Fusion for Online Mutual Knowledge Distillation",
  ICPR 2020, arXiv 1904.09058. The target comes from a classifier of its own on fused features.
- `Embedders`: MCL, Yang et al., "Mutual Contrastive Learning for Visual Representation Learning",
  AAAI 2022, arXiv 2104.12565. The branches' embeddings of one person attract each other.
"""  # noqa: E501

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidpose.errors import DataError
from vidpose.nn.hourglass import Branched, JoinedPose, Shared

_KERNELS = (3, 5, 7)
_MAP_STRIDE = 4


class BranchOutputs(NamedTuple):
    """Everything that learns in training.

    `shared`: heatmaps of the trunk. `branches`: what each branch gives. `ensemble` (N, K, h, w):
    the aggregated heatmaps.
    """

    shared: tuple[Tensor, ...]
    branches: tuple[Branched, ...]
    ensemble: Tensor


class MultiBranchPose(nn.Module):
    """A trunk, its branches, and the unit that aggregates their answers.

    Args:
        trunk: images -> Shared.
        branches: Shared.features -> Branched; one alone is the plain network.
        aggregation: (Shared.stem, branches' outputs) -> heatmaps (N, K, h, w).

    `chosen` is the branch that is kept, -1 until an evaluation chooses it.
    """

    chosen: Tensor

    def __init__(
        self, trunk: nn.Module, branches: Sequence[nn.Module], aggregation: nn.Module
    ) -> None:
        super().__init__()
        if not branches:
            raise DataError("a network of branches needs one at least, got none")
        self.trunk = trunk
        self.branches = nn.ModuleList(branches)
        self.aggregation = aggregation
        self.register_buffer("chosen", torch.tensor(-1))

    def forward(self, x: Tensor) -> BranchOutputs:
        shared = self.trunk(x)
        found = tuple(branch(shared.features) for branch in self.branches)
        return BranchOutputs(shared.maps, found, self.aggregation(shared.stem, found))

    def answers(self, x: Tensor) -> list[Tensor]:
        """The last heatmaps of each branch."""
        shared = self.trunk(x)
        return [branch(shared.features).maps[-1] for branch in self.branches]

    def joined(self, branch: int) -> JoinedPose:
        """Trunk and one branch as a plain network of its own, weights copied."""
        return JoinedPose(copy.deepcopy(self.trunk), copy.deepcopy(self.branches[branch]))


class CodeFAU(nn.Module):
    """The feature aggregation unit as the released code has it.

    U = sum over k in {3, 5, 7} of ReLU(BN(conv_k(stem))), s = mean of U over the cells,
    z = FC(s), a_t = FC_t(z), softmax over the branches for each joint.

    Args:
        channels: of the stem's features.
        num_keypoints: K.
        branches: T.
        width: channels of U; `squeezed`: of z.
    """

    def __init__(
        self,
        channels: int,
        num_keypoints: int,
        branches: int,
        width: int = 256,
        squeezed: int = 64,
    ) -> None:
        super().__init__()
        # The norm that follows makes the convolutions' biases idle.
        self.scales = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, width, k, padding=k // 2, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            )
            for k in _KERNELS
        )
        self.squeeze = nn.Linear(width, squeezed)
        self.weigh = nn.Linear(squeezed, branches * num_keypoints)
        self.branches = branches

    def forward(self, stem: Tensor, found: Sequence[Branched]) -> Tensor:
        return weighted_maps(self.weights(stem), found)

    def weights(self, stem: Tensor) -> Tensor:
        """a (N, T, K), summing to 1 over the branches."""
        united = torch.stack([scale(stem) for scale in self.scales]).sum(0)
        raw = self.weigh(self.squeeze(united.mean((2, 3))))
        weights: Tensor = raw.unflatten(1, (self.branches, -1)).softmax(dim=1)
        return weights


class PaperFAU(nn.Module):
    """The feature aggregation unit as the paper's figure has it.

    The stem's features go through 3x3, 5x5 and 7x7 convolutions, each followed by 1x1; what they
    give is concatenated and pooled over the cells, a fourth way pools first and convolves (1x1)
    then; the vector v of all four gives the weights through one FC layer. **Interpretation**:
    depthwise k x k before the 1x1, ReLU after each way, softmax over the branches.
    """

    def __init__(self, channels: int, num_keypoints: int, branches: int, width: int = 64) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, channels, k, padding=k // 2, groups=channels, bias=False),
                nn.Conv2d(channels, width, 1),
                nn.ReLU(inplace=True),
            )
            for k in _KERNELS
        )
        self.pooled = nn.Linear(channels, width)
        self.weigh = nn.Linear((len(_KERNELS) + 1) * width, branches * num_keypoints)
        self.branches = branches

    def forward(self, stem: Tensor, found: Sequence[Branched]) -> Tensor:
        return weighted_maps(self.weights(stem), found)

    def weights(self, stem: Tensor) -> Tensor:
        """a (N, T, K), summing to 1 over the branches."""
        parts = [scale(stem).mean((2, 3)) for scale in self.scales]
        parts.append(functional.relu(self.pooled(stem.mean((2, 3)))))
        raw = self.weigh(torch.cat(parts, dim=1))
        weights: Tensor = raw.unflatten(1, (self.branches, -1)).softmax(dim=1)
        return weights


class FeatureFusion(nn.Module):
    """FFL's fusion: the branches' features concatenated, fused and read by a layer of its own.

    Depthwise 3x3, BatchNorm, ReLU, 1x1 to the channels of one branch, BatchNorm, ReLU, 1x1 to K.

    Args:
        channels: of each branch's features, in the order of the branches.
        num_keypoints: K.
    """

    def __init__(self, channels: Sequence[int], num_keypoints: int) -> None:
        super().__init__()
        total, out = sum(channels), channels[0]
        self.layers = nn.Sequential(
            nn.Conv2d(total, total, 3, padding=1, groups=total, bias=False),
            nn.BatchNorm2d(total),
            nn.ReLU(inplace=True),
            nn.Conv2d(total, out, 1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(inplace=True),
            nn.Conv2d(out, num_keypoints, 1),
        )

    def forward(self, stem: Tensor, found: Sequence[Branched]) -> Tensor:
        maps: Tensor = self.layers(torch.cat([branch.features for branch in found], dim=1))
        return maps


class Embedders(nn.Module):
    """MCL's embeddings: for each branch the mean of its features, Linear to `width`, length 1."""

    def __init__(self, channels: Sequence[int], width: int = 128) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(c, width) for c in channels)

    def forward(self, found: Sequence[Branched]) -> list[Tensor]:
        """One (N, width) for each branch."""
        return [
            functional.normalize(layer(branch.features.mean((2, 3))), dim=1)
            for layer, branch in zip(self.layers, found, strict=True)
        ]


class LightTrunk(nn.Module):
    """A backbone shared by light branches; the aggregation unit reads its last features."""

    def __init__(self, backbone: nn.Module, channels: int, stride: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.channels = self.stem_channels = channels
        self.stride = stride

    def forward(self, x: Tensor) -> Shared:
        features = self.backbone(x)
        return Shared(features, features, ())


class LightBranch(nn.Module):
    """A light decoder: a backbone's last features -> heatmaps at stride 4.

    1x1 to `width`, then for every doubling nearest upsampling, depthwise 3x3 and 1x1 with norms and
    ReLU; a last 1x1 gives the maps.
    """

    def __init__(self, channels: int, stride: int, num_keypoints: int, width: int = 128) -> None:
        super().__init__()
        doublings = (stride // _MAP_STRIDE).bit_length() - 1
        if _MAP_STRIDE << doublings != stride:
            raise DataError(f"stride {stride} is no power of two times {_MAP_STRIDE}")
        self.channels = width
        self.narrow = nn.Sequential(
            nn.Conv2d(channels, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )
        self.up = nn.Sequential(*(_Doubling(width) for _ in range(doublings)))
        self.score = nn.Conv2d(width, num_keypoints, 1)

    def forward(self, x: Tensor) -> Branched:
        features = self.up(self.narrow(x))
        return Branched(features, (self.score(features),))


class _Doubling(nn.Sequential):
    def __init__(self, width: int) -> None:
        super().__init__(
            nn.Upsample(scale_factor=2.0),  # nearest
            nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
            nn.BatchNorm2d(width),
            nn.Conv2d(width, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )


def weighted_maps(weights: Tensor, found: Sequence[Branched]) -> Tensor:
    """Sum over the branches of weight (N, T, K) times last heatmaps: (N, K, h, w)."""
    maps = torch.stack([branch.maps[-1] for branch in found], dim=1)
    return (weights[..., None, None] * maps).sum(1)
