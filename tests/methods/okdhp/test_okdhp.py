"""Hourglasses and branches: sizes, aggregation, and the branch that is kept."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from frame_networks import SIZE, hourglasses, light_branches
from vidpose.errors import DataError
from vidpose.export.graphs import multiply_adds
from vidpose.methods.okdhp.model import CodeFAU, Embedders, MultiBranchPose, PaperFAU, weighted_maps
from vidpose.nn.hourglass import Branched, HourglassBranch, HourglassTrunk, JoinedPose


def _plain(stacks: int, shared: int) -> JoinedPose:
    with torch.device("meta"):
        trunk, branch = HourglassTrunk(16, shared), HourglassBranch(16, stacks - shared)
        return JoinedPose(trunk, branch).eval()


def _residual(channels: int, out: int) -> int:
    """Parameters of a pre-activation bottleneck, by hand."""
    half = out // 2
    norms = 2 * (channels + half + half)
    convolutions = (channels + 1) * half + (9 * half + 1) * half + (half + 1) * out
    return norms + convolutions + (0 if channels == out else (channels + 1) * out)


@pytest.mark.parametrize("stacks", [2, 4, 8])
def test_parameters_of_stacked_hourglasses_by_hand(stacks: int) -> None:
    same = _residual(256, 256)
    stem = (3 * 49 + 1) * 64 + 2 * 64 + _residual(64, 128) + _residual(128, 256) + same
    stack = (3 * 4 + 1) * same  # three blocks a level, one at the bottom
    stack += same + 257 * 256 + 2 * 256 + 257 * 16
    between = 257 * 256 + 17 * 256
    expected = stem + stacks * stack + (stacks - 1) * between
    found = sum(p.numel() for p in _plain(stacks, stacks // 2).parameters())
    assert found == expected


def test_where_the_network_is_cut_changes_nothing() -> None:
    """Trunk and branch after each other are the plain network, wherever the cut."""
    image, costs = torch.zeros(1, 3, 32, 32), set()
    for shared in (0, 1, 2):
        trunk, branch = HourglassTrunk(4, shared, 8, 2), HourglassBranch(4, 3 - shared, 8, 2)
        costs.add(multiply_adds(JoinedPose(trunk, branch).eval(), (image,)))
    assert len(costs) == 1


@pytest.mark.parametrize(("branches", "kept"), [((1, 1), 1), ((1, 2, 3), 0), ((1, 2, 3), 2)])
def test_the_kept_branch_costs_what_it_would_cost_alone(
    branches: tuple[int, ...], kept: int
) -> None:
    network = hourglasses(5, branches).eval()
    joined = network.joined(kept).eval()
    trunk = HourglassTrunk(5, 1, channels=16, depth=2)
    alone = JoinedPose(trunk, HourglassBranch(5, branches[kept], channels=16, depth=2)).eval()
    image = torch.rand(1, 3, *SIZE)
    assert multiply_adds(joined, (image,)) == multiply_adds(alone, (image,))
    assert {k: v.shape for k, v in joined.state_dict().items()} == {
        k: v.shape for k, v in alone.state_dict().items()
    }
    with torch.no_grad():
        assert torch.equal(joined(image), network.answers(image)[kept])
        assert torch.equal(joined(image), network(image).branches[kept].maps[-1])


def test_the_kept_branch_is_a_copy() -> None:
    network = light_branches(3).eval()
    joined, image = network.joined(0).eval(), torch.rand(1, 3, *SIZE)
    with torch.no_grad():
        before = joined(image)
        for parameter in network.parameters():
            parameter.zero_()
        assert torch.equal(joined(image), before)


def test_every_stack_gives_maps() -> None:
    outputs = hourglasses(5, (1, 2, 3))(torch.rand(1, 3, *SIZE))
    assert len(outputs.shared) == 1
    assert [len(found.maps) for found in outputs.branches] == [1, 2, 3]


def _found(values: list[float]) -> list[Branched]:
    empty = torch.zeros(1, 1, 1, 1)
    return [Branched(empty, (torch.full((1, 2, 1, 1), value),)) for value in values]


def test_weighted_maps_by_hand() -> None:
    """Joint 0 follows branch 0, joint 1 takes a third of branch 0 and two of branch 1."""
    weights = torch.tensor([[[1.0, 1 / 3], [0.0, 2 / 3]]])
    maps = weighted_maps(weights, _found([3.0, 6.0]))
    assert maps.flatten().tolist() == pytest.approx([3.0, 5.0])


@pytest.mark.parametrize("unit", [CodeFAU(8, 5, 3, 12, 6), PaperFAU(8, 5, 3, 4)])
def test_weights_of_each_joint_sum_to_one(unit: CodeFAU | PaperFAU) -> None:
    """For other people they are others; all branches of one opinion give that opinion."""
    torch.manual_seed(0)
    stem = torch.randn(2, 8, 9, 7) * 3
    weights = unit.eval().weights(stem)
    assert weights.shape == (2, 3, 5)
    torch.testing.assert_close(weights.sum(1), torch.ones(2, 5))
    assert (weights[0] - weights[1]).abs().max() > 1e-4
    opinion = torch.randn(2, 5, 9, 7)
    same = [Branched(stem, (opinion,))] * 3
    torch.testing.assert_close(unit(stem, same), opinion)


def test_embeddings_have_length_one() -> None:
    features: list[Tensor] = [torch.randn(4, 6, 3, 2), torch.randn(4, 8, 3, 2)]
    found = [Branched(f, ()) for f in features]
    embeddings = Embedders([6, 8], 16)(found)
    for embedding in embeddings:
        assert embedding.shape == (4, 16)
        torch.testing.assert_close(embedding.norm(dim=1), torch.ones(4))


def test_without_a_branch_there_is_no_network() -> None:
    trunk = HourglassTrunk(3, 1, channels=8, depth=1)
    with pytest.raises(DataError, match="one at least"):
        MultiBranchPose(trunk, [], PaperFAU(8, 3, 1))


def test_one_branch_is_the_plain_network() -> None:
    """Its ensemble is its own answer."""
    network = hourglasses(3, (1,)).eval()
    with torch.no_grad():
        outputs = network(torch.rand(1, 3, *SIZE))
    torch.testing.assert_close(outputs.ensemble, outputs.branches[0].maps[-1])


def test_a_size_that_does_not_halve_is_refused() -> None:
    with pytest.raises(DataError, match=r"multiples of 16, got \(64, 72\)"):
        HourglassTrunk(2, 0, 8, 2)(torch.zeros(1, 3, 64, 72))
