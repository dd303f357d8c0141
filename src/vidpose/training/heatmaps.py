"""Heatmaps: Gaussians with peak 1 that a network regresses, as most published ones do."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vidpose.nn.map_cells import map_distribution

_LOWEST = 1e-4


def gaussian_heatmaps(
    keypoints: Tensor, size: tuple[int, int], stride: float, sigma: float
) -> Tensor:
    """Gaussians of height 1 around keypoints.

    Args:
        keypoints: (..., K, 2 or 3), x and y in crop pixels.
        size: (h, w) of the maps.
        stride: crop pixels per map cell.
        sigma: standard deviation in cells.

    Returns:
        (..., K, h, w) in [0, 1].
    """
    x = (keypoints[..., 0] + 0.5) / stride - 0.5
    y = (keypoints[..., 1] + 0.5) / stride - 0.5
    columns = torch.arange(size[1], device=keypoints.device, dtype=keypoints.dtype)
    rows = torch.arange(size[0], device=keypoints.device, dtype=keypoints.dtype)
    across = torch.exp(-((columns - x[..., None]) ** 2) / (2 * sigma**2))
    down = torch.exp(-((rows - y[..., None]) ** 2) / (2 * sigma**2))
    maps: Tensor = down[..., :, None] * across[..., None, :]
    return maps


def heatmap_loss(maps: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Squared differences, summed over a map's cells.

    Args:
        maps, target: (N, K, h, w).
        weight: (N, K), 0 = the joint does not count.

    Returns:
        A scalar, the weighted mean over joints. A flat map of zeros costs pi sigma^2.
    """
    return joint_mean((maps - target).square().sum(dim=(2, 3)), weight)


def weighted_mse(maps: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Half the squared error, mean over cells, people and joints; weight (N, K) multiplies.

    As published for heatmap networks: joints of weight 0 stay in the mean's count.
    """
    return 0.5 * ((maps - target).square().mean((2, 3)) * weight).mean()


def joint_mean(per_joint: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean over joints (N, K); 0 where no joint counts."""
    mean: Tensor = (per_joint * weight).sum() / weight.sum().clamp_min(1.0)
    return mean


def logits_to_heatmaps(logits: Tensor, sigma: float) -> Tensor:
    """Distributions as heatmaps: one that equals a Gaussian of `sigma` cells gets height 1."""
    return map_distribution(logits) * (2 * math.pi * sigma**2)


def heatmaps_to_logits(heatmaps: Tensor, sigma: float) -> Tensor:
    """Heatmaps for `inference.decode.decode_maps`: a Gaussian of `sigma` cells becomes the logits
    of one of 1 cell, which the window of the decoding holds."""
    return heatmaps.clamp_min(_LOWEST).log() * sigma**2
