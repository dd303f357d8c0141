"""Maps as heatmaps: targets, loss, and the way to logits and back."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from vidpose.inference.decode import decode_maps, map_to_crop
from vidpose.training.heatmaps import (
    gaussian_heatmaps,
    heatmap_loss,
    heatmaps_to_logits,
    logits_to_heatmaps,
)


def test_a_target_is_one_at_the_keypoint_and_falls_by_sigma() -> None:
    """Cell (3, 5) has its centre at pixel (21.5, 13.5) for stride 4."""
    keypoints = torch.tensor([[21.5, 13.5, 1.0]])
    maps = gaussian_heatmaps(keypoints, (10, 12), 4, 2.0)
    assert maps.shape == (1, 10, 12)
    assert maps[0, 3, 5] == 1
    assert maps[0, 3, 7].item() == pytest.approx(math.exp(-0.5))
    assert maps[0, 5, 7].item() == pytest.approx(math.exp(-1))


def test_the_loss_sums_cells_and_averages_joints_that_count() -> None:
    target = torch.zeros(1, 3, 2, 2)
    maps = torch.tensor([1.0, 2.0, 50.0]).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    weight = torch.tensor([[1.0, 0.5, 0.0]])
    assert heatmap_loss(maps, target, weight).item() == pytest.approx((4 + 0.5 * 16) / 1.5)


def test_a_flat_map_costs_pi_sigma_squared() -> None:
    target = gaussian_heatmaps(torch.tensor([[[64.0, 64.0, 1.0]]]), (32, 32), 4, 2.0)
    loss = heatmap_loss(torch.zeros_like(target), target, torch.ones(1, 1))
    assert loss.item() == pytest.approx(math.pi * 4, rel=1e-3)


def test_a_gaussian_distribution_is_a_gaussian_height() -> None:
    heatmaps = gaussian_heatmaps(torch.tensor([[[60.0, 70.0]]]), (32, 32), 4, 1.5)
    found = logits_to_heatmaps(heatmaps.clamp_min(1e-30).log(), 1.5)
    torch.testing.assert_close(found, heatmaps, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("place", [(50.0, 41.0), (63.3, 30.9), (20.2, 77.7)])
def test_heatmaps_decode_to_their_keypoint(place: tuple[float, float]) -> None:
    heatmaps = gaussian_heatmaps(torch.tensor([[place]]), (32, 32), 4, 2.0)
    points, _ = decode_maps(heatmaps_to_logits(heatmaps[None, 0], 2.0).numpy())
    np.testing.assert_allclose(map_to_crop(points, 4)[0, 0], place, atol=0.4)
