"""Gaussian heatmaps (peak 1) in the form that the runtime reads: logits of a distribution.

Networks trained with Gaussian heatmaps as target (FasterPose, hourglasses, TokenPose) say how high
each cell is. The runtime takes the softmax of a map for where the keypoint may be, reads the peak
from the window of five cells that holds the most of it, and its mass as raw confidence.
`HeatmapLogits` turns the one into the other: the peak keeps its place, the confidence is the peak's
height.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

MapKind = Literal["heatmaps", "sigmoid", "distribution"]
"""What a map holds: a heatmap (peak 1), its logits, or logits of a distribution over the map."""

_LOWEST = 0.001


class HeatmapLogits(nn.Module):
    """A network of Gaussian heatmaps as one of map logits: (N, 3, H, W) -> (N, K, h, w).

    Args:
        network: images -> heatmaps, or logits of heatmaps.
        sigma: standard deviation, in cells, of the Gaussians that it was trained with. Heatmaps are
            raised to sigma^2, which leaves a Gaussian with a standard deviation of one cell: it
            fits the runtime's window.
        sigmoid: the network gives logits of heatmaps.
    """

    def __init__(self, network: nn.Module, sigma: float, *, sigmoid: bool) -> None:
        super().__init__()
        self.network = network
        self.power = max(sigma, 1.0) ** 2
        self.sigmoid = sigmoid

    def forward(self, x: Tensor) -> Tensor:
        maps = self.network(x)
        heatmaps = torch.sigmoid(maps) if self.sigmoid else maps
        peak = heatmaps.amax((2, 3), keepdim=True)
        shape = (heatmaps / peak.clamp_min(_LOWEST)).clamp(0, 1).pow(self.power)
        # Where no cell is above zero the shape has no mass: any positive number will do.
        shape = shape / shape.sum((2, 3), keepdim=True).clamp_min(_LOWEST)
        return confident_logits(shape, peak)


def confident_logits(distribution: Tensor, confidence: Tensor) -> Tensor:
    """Logits of `confidence * distribution + (1 - confidence) / cells`.

    Args:
        distribution: (N, K, h, w), each map summing to 1.
        confidence: (N, K, 1, 1); what lies outside [0.001, 0.999] counts as the nearer end.
    """
    share = confidence.clamp(_LOWEST, 1 - _LOWEST)
    cells = distribution.shape[2] * distribution.shape[3]
    return torch.log(share * distribution + (1 - share) / cells)


def distribution_heatmaps(logits: Tensor) -> Tensor:
    """Heatmaps in [0, 1] of map logits: the softmax, scaled so that its peak is as high as it is
    sure.

    The height of the peak is the mass in the runtime's window, the raw confidence.
    (N, K, h, w) -> the same shape.
    """
    probability = logits.flatten(2).softmax(dim=2).view_as(logits)
    mass = functional.avg_pool2d(probability, 5, 1, 2, divisor_override=1)
    confidence = mass.amax((2, 3), keepdim=True)
    peak = probability.amax((2, 3), keepdim=True)
    return probability / peak * confidence
