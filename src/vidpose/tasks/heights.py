"""Targets and losses of networks that give heights (heatmaps with peak 1)."""

from __future__ import annotations

import torch
from torch import Tensor


def gaussian_heights(keypoints: Tensor, size: tuple[int, int], stride: int, sigma: float) -> Tensor:
    """Gaussians with peak 1 around keypoints, exact to a part of a cell.

    Args:
        keypoints: (..., K, 2 or 3), x and y in crop pixels.
        size: (h, w) of the maps.
        stride: crop pixels per map cell.
        sigma: standard deviation in cells.

    Returns:
        (..., K, h, w).
    """
    x = (keypoints[..., 0] + 0.5) / stride - 0.5
    y = (keypoints[..., 1] + 0.5) / stride - 0.5
    columns = torch.arange(size[1], device=keypoints.device, dtype=keypoints.dtype)
    rows = torch.arange(size[0], device=keypoints.device, dtype=keypoints.dtype)
    across = torch.exp(-((columns - x[..., None]) ** 2) / (2 * sigma**2))
    down = torch.exp(-((rows - y[..., None]) ** 2) / (2 * sigma**2))
    return down[..., :, None] * across[..., None, :]


def weighted_mse(maps: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Half the squared error, mean over cells, people and joints; weight (N, K) multiplies.

    As published for heatmap networks: joints of weight 0 stay in the mean's count.
    """
    return 0.5 * ((maps - target).square().mean((2, 3)) * weight).mean()


def joint_mean(per_joint: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean over joints (N, K); 0 where no joint counts."""
    mean: Tensor = (per_joint * weight).sum() / weight.sum().clamp_min(1.0)
    return mean
