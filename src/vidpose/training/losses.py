"""Heatmap targets and the spatial cross-entropy loss."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def gaussian_maps(keypoints: Tensor, size: tuple[int, int], stride: float, sigma: float) -> Tensor:
    """Gaussian distributions around keypoints, each map summing to 1.

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
    across = functional.softmax(-((columns - x[..., None]) ** 2) / (2 * sigma**2), dim=-1)
    down = functional.softmax(-((rows - y[..., None]) ** 2) / (2 * sigma**2), dim=-1)
    maps: Tensor = down[..., :, None] * across[..., None, :]
    return maps


def peak_mass(maps: Tensor, window: int = 5) -> Tensor:
    """How sure a teacher is: the most mass of each map in any window of cells.

    Args:
        maps: (N, K, h, w), each summing to 1.
        window: cells on a side, odd.

    Returns:
        (N, K) in [0, 1]: near 1 for one clear peak, near 0 for a joint that is not to be seen.
    """
    mass: Tensor = functional.avg_pool2d(maps, window, stride=1) * window**2
    return mass.flatten(2).amax(dim=2)


def downweight_labels(
    keypoints: Tensor, maps: Tensor, confidence: Tensor, stride: float, distance: float
) -> Tensor:
    """Keypoints whose weights fall where a confident teacher sees the joint elsewhere.

    A weight is multiplied by 1 - c d^2 / (d^2 + s^2): d is how far the label lies from the
    teacher's peak, c how sure the teacher is.

    Args:
        keypoints: (N, K, 3), x, y in crop pixels and the weight.
        maps: (N, K, h, w), the teacher's maps of the same crops.
        confidence: (N, K) in [0, 1], c.
        stride: crop pixels per map cell.
        distance: s in crop pixels, where a sure teacher halves the weight.

    Returns:
        (N, K, 3).
    """
    best = maps.flatten(2).argmax(dim=2)
    columns = maps.shape[3]
    peak = torch.stack([best % columns, best // columns], dim=2)
    peak = (peak + 0.5) * stride - 0.5
    squared = (peak - keypoints[..., :2]).square().sum(dim=2)
    share = 1 - confidence * squared / (squared + distance**2)
    return torch.cat([keypoints[..., :2], (keypoints[..., 2] * share)[..., None]], dim=2)


def spatial_cross_entropy(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Mean cross-entropy between target distributions and the softmax over each map's cells.

    Args:
        logits, target: (N, K, h, w); each target map sums to 1.
        weight: (N, K), 0 = the joint does not count.

    Returns:
        A scalar in nats: the weighted mean over joints, above the target's own entropy.
    """
    log_probability = logits.flatten(2).float().log_softmax(dim=2)
    target = target.flatten(2).float()
    entropy = torch.special.entr(target).sum(dim=2)
    cross = -(target * log_probability).sum(dim=2) - entropy
    mean: Tensor = (cross * weight).sum() / weight.sum().clamp_min(1.0)
    return mean
