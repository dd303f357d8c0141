"""The light pose network."""

from __future__ import annotations

import torch

from vidpose.export.graphs import multiply_adds
from vidpose.nn.movenet import PoseNet

PARAMETERS = 2_320_489
MULTIPLY_ADDS = 317_159_424  # at 256 x 192


def test_size_and_cost_stay_what_they_are() -> None:
    network = PoseNet().eval()
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS
    assert multiply_adds(network, (torch.zeros(1, 3, 256, 192),)) == MULTIPLY_ADDS


def test_pyramid_levels() -> None:
    levels = PoseNet().eval().encoder.backbone.pyramid(torch.zeros(2, 3, 64, 96))
    shapes = [tuple(level.shape) for level in levels]
    assert shapes == [(2, 32, 4, 6), (2, 24, 8, 12), (2, 24, 16, 24)]
