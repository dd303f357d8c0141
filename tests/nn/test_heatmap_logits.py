"""Heatmaps as the runtime reads them: the peak keeps its place, the confidence is its height."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from vidpose.inference.decode import decode_maps
from vidpose.nn.heatmap_logits import HeatmapLogits, distribution_heatmaps


class _Fixed(nn.Module):
    def __init__(self, maps: Tensor) -> None:
        super().__init__()
        self.maps = maps

    def forward(self, _: Tensor) -> Tensor:
        return self.maps


def _gaussian(x: float, y: float, sigma: float, peak: float) -> Tensor:
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(24.0), indexing="ij")
    square = (columns - x) ** 2 + (rows - y) ** 2
    return (peak * torch.exp(-square / (2 * sigma**2)))[None, None]


@pytest.mark.parametrize("peak", [0.9, 0.5, 0.2])
@pytest.mark.parametrize("sigmoid", [False, True])
def test_peak_and_confidence(peak: float, sigmoid: bool) -> None:
    heatmaps = _gaussian(10.3, 17.8, 2.0, peak)
    maps = torch.logit(heatmaps, 1e-6) if sigmoid else heatmaps
    logits = HeatmapLogits(_Fixed(maps), 2.0, sigmoid=sigmoid)(torch.zeros(1))
    points, mass = decode_maps(logits.numpy())
    assert points[0, 0] == pytest.approx([10.3, 17.8], abs=0.1)
    # The window holds 97.5 % of a Gaussian, and its share of what is spread over the map.
    assert mass[0, 0] == pytest.approx(peak, abs=0.06)


@pytest.mark.parametrize("value", [0.0, -0.3, 2.0])
def test_a_flat_map_gives_no_nan(value: float) -> None:
    logits = HeatmapLogits(_Fixed(torch.full((1, 2, 8, 8), value)), 2.0, sigmoid=False)
    assert logits(torch.zeros(1)).isfinite().all()


def test_heatmaps_of_a_distribution() -> None:
    """The peak is as high as the runtime's raw confidence, the shape is the softmax's."""
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 16, 12) * 2
    heatmaps = distribution_heatmaps(logits)
    _, mass = decode_maps(logits.numpy())
    torch.testing.assert_close(heatmaps.amax((2, 3)), torch.from_numpy(mass))
    probability = logits.flatten(2).softmax(2).view_as(logits)
    ratio = heatmaps / probability
    torch.testing.assert_close(ratio, ratio[..., :1, :1].expand_as(ratio), rtol=1e-4, atol=1e-4)
