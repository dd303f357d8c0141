"""Regressed poses drawn as maps, so that they are exported and decoded as heatmap networks are."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidpose.methods.distilpose.model import MAP_STRIDE
from vidpose.nn.heatmap_logits import confident_logits

_RENDERED_SPREAD = 0.7  # cells: narrow enough for the runtime's window, wide enough to interpolate
_CUT = 2.0  # cells from the border's within which that Gaussian is cut


class RenderedPose(nn.Module):
    """A `DistilPose`, or what else gives a `TokenPose`, as a network of map logits.

    Each map is the distribution s G + (1 - s) / cells around the regressed point, with G a narrow
    Gaussian and s the score: its peak is the point and its mass there, the runtime's raw
    confidence, is the score. A network without scores is always sure.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        pose = self.network(x)
        size = (x.shape[2] // MAP_STRIDE, x.shape[3] // MAP_STRIDE)
        across = _centred_bump(pose.points[..., 0], size[1])
        down = _centred_bump(pose.points[..., 1], size[0])
        bump = down[..., :, None] * across[..., None, :]
        scores = torch.ones_like(pose.points[..., 0]) if pose.scores is None else pose.scores
        return confident_logits(bump, scores[..., None, None])


def _centred_bump(places: Tensor, cells: int) -> Tensor:
    """A distribution over `cells` cells around places (N, K), parts of the image's side, whose
    mean is the place also where the border cuts it: (N, K, cells).

    A Gaussian that is cut has its mean m too far inside. With the share 1 - c / m of the mass in
    the outermost cell it is c again. No mean lies beyond the middle of that cell, so places in
    the outermost half cell, and outside the image, count as its middle.
    """
    centre = (places * cells - 0.5).clamp(0, cells - 1)[..., None]
    index = torch.arange(cells, device=places.device, dtype=places.dtype)
    gaussian = torch.exp(-0.5 * ((index - centre) / _RENDERED_SPREAD).square())
    gaussian = gaussian / gaussian.sum(-1, keepdim=True)
    mean = (gaussian * index).sum(-1, keepdim=True)
    # Two cells inside, the border cuts nothing worth mending, and rounding would be mended.
    near_first, near_last = centre < _CUT, centre > cells - 1 - _CUT
    to_first = (1 - centre / mean).clamp(min=0) * near_first
    to_last = ((centre - mean) / (cells - 1 - mean)).clamp(min=0) * near_last
    first, last = (index == 0).to(places.dtype), (index == cells - 1).to(places.dtype)
    return (1 - to_first - to_last) * gaussian + to_first * first + to_last * last
