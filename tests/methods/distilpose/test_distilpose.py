"""DistilPose: published sizes, tokens, drawn heatmaps, and the way back from a mirrored image."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from frame_networks import SIZE, student, token_teacher
from vidpose.errors import DataError
from vidpose.methods.distilpose.model import (
    DistilPose,
    TokenDistillingEncoder,
    TokenHeatmaps,
    TokenPose,
    average_poses,
    simulated_heatmaps,
    sine_position,
    unmirror,
)
from vidpose.methods.distilpose.stem import StemBackbone
from vidpose.nn.backbones import HRNetBackbone
from vidpose.skeleton import COCO_17

MAP = (64, 48)


def _published(name: str) -> nn.Module:
    with torch.device("meta"):
        if name == "S":
            stem = StemBackbone()
            return DistilPose(stem, TokenDistillingEncoder(256, MAP, 17))
        backbone = HRNetBackbone("hrnet_w48", 3 if name == "L" else 4)
        encoder = TokenDistillingEncoder(48, MAP, 17)
        whole = DistilPose if name == "L" else TokenHeatmaps
        return whole(backbone, encoder)


@pytest.mark.parametrize(
    ("name", "parameters", "giga"),
    [("S", 5.36e6, 2.38), ("L", 21.3e6, 10.33), ("teacher", 69.4e6, 17.03)],
)
def test_published_sizes(name: str, parameters: float, giga: float) -> None:
    """Within 2 %. Published GFLOPs: multiply-adds of convolutions and linear layers in 10^9, the
    two products inside attention left out; true multiply-adds are 0.34e9 more for each."""
    network = _published(name).eval()
    found = sum(p.numel() for p in network.parameters())
    assert found == pytest.approx(parameters, rel=0.02)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, 256, 192, device="meta"))
    attention = counter.get_flop_counts()["Global"].get(torch.ops.aten.bmm, 0)
    total = counter.get_total_flops()
    assert (total - attention) / 2e9 == pytest.approx(giga, rel=0.02)
    assert attention / 2e9 == pytest.approx(12 * 2 * 273**2 * 192 / 1e9)


def test_patches_are_cut_row_by_row() -> None:
    """A mark in one cell changes the one patch that holds it."""
    encoder = TokenDistillingEncoder(2, (8, 6), 3, width=8, depth=1, heads=2)
    features = torch.zeros(1, 2, 8, 6)
    features[0, 1, 5, 4] = 1  # second row of patches, second column: the fourth patch
    patches = encoder._patches(features)
    assert patches.shape == (1, 4, 24)
    assert patches.abs().sum(2)[0].tolist() == [0, 0, 0, 1]


def test_tokens_and_their_passes() -> None:
    network = student(5).eval()
    image = torch.rand(2, 3, *SIZE)
    with torch.no_grad():
        one, two = network.tokens(image, 2)
        (again,) = network.tokens(image, 1)
    assert one.visual.shape == (2, 4 * 8, 16)
    assert one.keypoint.shape == (2, 5, 16)
    assert torch.equal(one.keypoint, again.keypoint)
    assert (two.keypoint - one.keypoint).abs().max() > 1e-3


def test_student_and_teacher_tokens_have_one_shape() -> None:
    image = torch.rand(1, 3, *SIZE)
    with torch.no_grad():
        own, shown = student(5).tokens(image)[0], token_teacher(5).eval().tokens(image)[0]
    assert own.visual.shape == shown.visual.shape
    assert own.keypoint.shape == shown.keypoint.shape


def test_ranges_of_a_pose() -> None:
    torch.manual_seed(0)
    pose = student(5).eval()(torch.rand(2, 3, *SIZE))
    assert ((pose.points > 0) & (pose.points < 1)).all()
    assert pose.spread is not None
    assert (pose.spread > 0).all()
    bare = student(5, scores=False).eval()(torch.rand(2, 3, *SIZE))
    assert bare.spread is None
    assert bare.scores is None


@pytest.mark.parametrize("size", [(64, 48), (16, 12), (8, 8)])
def test_a_drawn_heatmap_peaks_at_the_point(size: tuple[int, int]) -> None:
    """The middle of cell i is (i + 1/2) / w of the image: one rule for both axes and every size."""
    row, column = size[0] - 2, 1
    point = torch.tensor([[[(column + 0.5) / size[1], (row + 0.5) / size[0]]]])
    drawn = simulated_heatmaps(point, torch.tensor([[[1.0, 2.0]]]), size)[0, 0]
    assert drawn.argmax().item() == row * size[1] + column
    assert drawn.max().item() == pytest.approx(1)
    assert drawn[row, column + 1].item() == pytest.approx(math.exp(-0.5))
    assert drawn[row - 1, column].item() == pytest.approx(math.exp(-0.125))


def test_unmirroring_exchanges_sides_of_points_spreads_and_scores() -> None:
    """By hand: what the mirrored image shows of the left wrist is the right one's."""
    left, right = (COCO_17.keypoints.index(f"{side}_wrist") for side in ("left", "right"))
    points, spread = torch.full((1, 17, 2), 0.5), torch.ones(1, 17, 2)
    scores = torch.zeros(1, 17)
    points[0, left] = torch.tensor([0.2, 0.7])
    spread[0, left], scores[0, left] = 3, 0.9
    pose = unmirror(TokenPose(points, spread, scores), COCO_17.flip_index)
    assert pose.points[0, right].tolist() == pytest.approx([0.8, 0.7])
    assert pose.spread is not None
    assert pose.spread[0, right].tolist() == [3, 3]
    assert pose.scores is not None
    assert pose.scores[0, right].item() == pytest.approx(0.9)
    assert pose.scores[0, left].item() == 0


def test_unmirroring_twice_changes_nothing() -> None:
    pose = TokenPose(torch.rand(2, 17, 2), torch.rand(2, 17, 2), torch.rand(2, 17))
    back = unmirror(unmirror(pose, COCO_17.flip_index), COCO_17.flip_index)
    for one, two in zip(pose, back, strict=True):
        torch.testing.assert_close(one, two)
    mean = average_poses(pose, back)
    torch.testing.assert_close(mean.points, pose.points)


def test_a_position_tells_rows_and_columns_apart() -> None:
    position = sine_position((5, 7), 16)[0].view(5, 7, 16)
    assert torch.equal(position[:, 0, :8], position[:, 6, :8])  # the row's half
    assert torch.equal(position[0, :, 8:], position[4, :, 8:])  # the column's half
    flat = position.flatten(0, 1)
    assert (torch.cdist(flat, flat) + torch.eye(35) * 9).min() > 0.1


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="patches"):
        TokenDistillingEncoder(4, (16, 10), 5)
    encoder = TokenDistillingEncoder(4, (16, 12), 5, width=8, depth=1, heads=2)
    with pytest.raises(DataError, match=r"\(8, 6\) cells, not \(16, 12\)"):
        encoder(torch.zeros(1, 4, 8, 6))
    with pytest.raises(DataError, match="multiple of 4"):
        sine_position((2, 2), 6)
