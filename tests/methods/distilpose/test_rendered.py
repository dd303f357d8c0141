"""Maps of regressed poses."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vidpose.inference.decode import decode_maps
from vidpose.methods.distilpose.model import TokenPose
from vidpose.methods.distilpose.rendered import RenderedPose


class _Known(nn.Module):
    def __init__(self, pose: TokenPose) -> None:
        super().__init__()
        self.pose = pose

    def forward(self, _: torch.Tensor) -> TokenPose:
        return self.pose


@pytest.mark.parametrize("score", [0.9, 0.4, None])
def test_the_runtime_decodes_the_regressed_pose(score: float | None) -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(3, 17, 2, generator=generator) * 0.8 + 0.1
    scores = None if score is None else torch.full((3, 17), score)
    network = RenderedPose(_Known(TokenPose(points, None, scores)))
    found, mass = decode_maps(network(torch.zeros(3, 3, 256, 192)).numpy())
    parts = (torch.from_numpy(found) + 0.5) / torch.tensor([48.0, 64.0])
    torch.testing.assert_close(parts, points, atol=0.05 / 48, rtol=0)
    torch.testing.assert_close(
        torch.from_numpy(mass), torch.full((3, 17), score or 1.0), atol=0.01, rtol=0
    )


@pytest.mark.parametrize("side", [0, 1])
def test_points_at_the_border_are_where_they_were_regressed(side: int) -> None:
    """Closed form: the place in cells, at most the middle of the outermost one."""
    length = (48, 64)[side]
    cells = torch.cat([torch.linspace(-0.5, 4, 91), torch.linspace(length - 5, length - 0.5, 91)])
    points = torch.full((1, len(cells), 2), 0.5)
    points[0, :, side] = (cells + 0.5) / length
    found, _ = decode_maps(
        RenderedPose(_Known(TokenPose(points, None, None)))(torch.zeros(1, 3, 256, 192)).numpy()
    )
    expected = cells.clamp(0, length - 1)
    torch.testing.assert_close(torch.from_numpy(found)[0, :, side], expected, atol=0.02, rtol=0)


def test_points_far_outside_lie_on_the_border() -> None:
    points = torch.tensor([[[-3.0, 0.5], [0.5, 4.0]]])
    maps = RenderedPose(_Known(TokenPose(points, None, None)))(torch.zeros(1, 3, 256, 192))
    assert maps.isfinite().all()
    found, _ = decode_maps(maps.numpy())
    assert found[0].tolist() == [
        pytest.approx([0, 31.5], abs=0.02),
        pytest.approx([23.5, 63], abs=0.02),
    ]
