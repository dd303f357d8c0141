"""Parameters and multiply-adds of FasterPose, OKDHP and DistilPose, nothing trained or downloaded.

    python benchmarks/distillation_costs.py

Counted by torch on the meta device at the published sizes. "true": every convolution and matrix
product, in 10^9 multiply-adds. "published": as the method's own papers count. For FasterPose and
its baseline that is transposed convolutions at their output's resolution, over 2^30; for DistilPose
the products inside attention are left out, over 10^9. A dash: the same as true.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from vidpose.models.backbones import HRNetBackbone, TimmBackbone
from vidpose.models.distilpose import (
    DistilPose,
    StemBackbone,
    TokenDistillingEncoder,
    TokenHeatmaps,
)
from vidpose.models.fasterpose import FasterPose, Head
from vidpose.models.hourglass import HourglassBranch, HourglassTrunk, JoinedPose

JOINTS = 17
Row = tuple[str, float, float, float | None]


def main() -> None:
    print("| network | input | parameters, 1e6 | true | published way |")
    print("|---|---|---|---|---|")
    with torch.device("meta"):
        for name, parameters, true, published in rows():
            other = "-" if published is None else f"{published:.2f}"
            print(f"| {name} | 256 x 192 | {parameters / 1e6:.2f} | {true / 1e9:.2f} | {other} |")


def rows() -> Iterator[Row]:
    yield from _faster_pose()
    for stacks in (2, 4, 8):
        half = stacks // 2
        network = JoinedPose(HourglassTrunk(JOINTS, half), HourglassBranch(JOINTS, half))
        true, _ = _count(network)
        yield f"OKDHP, {stacks} hourglasses", _parameters(network), true, None
    for name, network in _token_networks():
        true, attention = _count(network)
        yield name, _parameters(network), true, (true - attention) / 1e9


def _faster_pose() -> Iterator[Row]:
    backbone = TimmBackbone("resnet50")
    up = nn.Sequential(*(nn.ConvTranspose2d(c, 256, 4, 2, 1, bias=False) for c in (2048, 256, 256)))
    last = nn.Conv2d(256, JOINTS, 1)
    baseline = nn.Sequential(backbone, up, last)
    true, _ = _count(baseline)
    at_output = true + 3 * _deconvolutions(up)
    # Without the norms between its deconvolutions, which have 1536 parameters.
    yield "Simple Baseline R50", _parameters(baseline) + 1536, true, at_output / 2**30
    forms: tuple[Head, ...] = ("shuffle", "bottleneck", "direct")
    for form in forms:
        network = FasterPose(backbone, 2048, 32, JOINTS, form)
        true, _ = _count(network)
        yield f"FasterPose R50, {form}", _parameters(network), true, true / 2**30


def _token_networks() -> Iterator[tuple[str, nn.Module]]:
    cells = (64, 48)
    yield "DistilPose-S", DistilPose(StemBackbone(), TokenDistillingEncoder(256, cells, JOINTS))
    encoder = TokenDistillingEncoder(48, cells, JOINTS)
    yield "DistilPose-L", DistilPose(HRNetBackbone("hrnet_w48", 3), encoder)
    yield "its teacher, TokenPose-L", TokenHeatmaps(HRNetBackbone("hrnet_w48", 4), encoder)


def _count(network: nn.Module) -> tuple[int, int]:
    """Multiply-adds at 256 x 192, and those of them that are products inside attention."""
    network.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, 256, 192))
    attention = counter.get_flop_counts()["Global"].get(torch.ops.aten.bmm, 0)
    return counter.get_total_flops() // 2, attention // 2


def _deconvolutions(up: nn.Module) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        up(torch.zeros(1, 2048, 8, 6))
    return int(counter.get_total_flops() // 2)


def _parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


if __name__ == "__main__":
    main()
