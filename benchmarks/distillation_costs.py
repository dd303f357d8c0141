"""Parameters and multiply-adds of FasterPose, OKDHP and DistilPose, nothing trained or downloaded.

    python benchmarks/distillation_costs.py
    python benchmarks/distillation_costs.py --time --rounds 10 --threads 1

Counted by torch on the meta device at the published sizes. "true": every convolution and matrix
product, in 10^9 multiply-adds. "published": as the method's own papers count. For FasterPose and
its baseline that is transposed convolutions at their output's resolution, over 2^30; for DistilPose
the products inside attention are left out, over 10^9. A dash: the same as true. "printed": what
the papers print (FasterPose: 58 % less than the baseline; OKDHP prints none).

With --time, every network runs one crop in turn, in an order that changes from round to round,
with random weights, in torch on the CPU.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from report import machine, table
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from vidpose.methods.distilpose.model import DistilPose, TokenDistillingEncoder, TokenHeatmaps
from vidpose.methods.distilpose.stem import StemBackbone
from vidpose.methods.fasterpose.model import FasterPose, Head
from vidpose.nn.backbones import HRNetBackbone, TimmBackbone
from vidpose.nn.complexity import count
from vidpose.nn.hourglass import HourglassBranch, HourglassTrunk, JoinedPose
from vidpose.nn.simple_baseline import SimpleBaseline

JOINTS = 17
SIZE = (256, 192)


@dataclass(frozen=True)
class Entry:
    """A network and what its paper prints: parameters in 10^6, "GFLOPs"."""

    build: Callable[[], nn.Module]
    printed: tuple[float | None, float | None] = (None, None)


def _faster_pose(form: Head) -> nn.Module:
    return FasterPose(TimmBackbone("resnet50"), 2048, 32, JOINTS, form)


def _hourglasses(stacks: int) -> nn.Module:
    half = stacks // 2
    return JoinedPose(HourglassTrunk(JOINTS, half), HourglassBranch(JOINTS, half))


def _encoder(channels: int) -> TokenDistillingEncoder:
    return TokenDistillingEncoder(channels, (SIZE[0] // 4, SIZE[1] // 4), JOINTS)


ENTRIES = {
    "Simple Baseline R50": Entry(lambda: SimpleBaseline(JOINTS, 50), (34.0, 8.9)),
    "FasterPose R50, shuffle": Entry(lambda: _faster_pose("shuffle"), (None, 3.74)),
    "FasterPose R50, bottleneck": Entry(lambda: _faster_pose("bottleneck"), (None, 3.74)),
    "FasterPose R50, direct": Entry(lambda: _faster_pose("direct"), (None, 3.74)),
    "OKDHP, 2 hourglasses": Entry(lambda: _hourglasses(2)),
    "OKDHP, 4 hourglasses": Entry(lambda: _hourglasses(4)),
    "OKDHP, 8 hourglasses": Entry(lambda: _hourglasses(8)),
    "DistilPose-S": Entry(lambda: DistilPose(StemBackbone(), _encoder(256)), (5.36, 2.38)),
    "DistilPose-L": Entry(
        lambda: DistilPose(HRNetBackbone("hrnet_w48", 3), _encoder(48)), (21.3, 10.33)
    ),
    "its teacher, TokenPose-L": Entry(
        lambda: TokenHeatmaps(HRNetBackbone("hrnet_w48", 4), _encoder(48)), (69.4, 17.03)
    ),
}


def costs(entry: Entry) -> tuple[float, float, float | None]:
    """Parameters, true multiply-adds, and the figure in the published way of counting."""
    with torch.device("meta"):
        network, images = entry.build().eval(), torch.zeros(1, 3, *SIZE)
        counted = count(network, lambda: network(images))
        published: float | None = counted.published
        if isinstance(network, DistilPose | TokenHeatmaps):
            published = (counted.multiply_adds - _attention(network, images)) / 1e9
        elif isinstance(network, JoinedPose):
            published = None
    return counted.parameters / 1e6, counted.giga, published


def _attention(network: nn.Module, images: torch.Tensor) -> int:
    """Multiply-adds of the products inside attention."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(images)
    return int(counter.get_flop_counts()["Global"].get(torch.ops.aten.bmm, 0)) // 2


def measure(rounds: int) -> dict[str, float]:
    """Median milliseconds."""
    images = torch.rand(1, 3, *SIZE) * 2 - 1
    networks = {name: entry.build().eval() for name, entry in ENTRIES.items()}
    spent: dict[str, list[float]] = {name: [] for name in networks}
    names = list(networks)
    with torch.no_grad():
        for number in range(-1, rounds):  # the first round warms up
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                start = time.perf_counter()
                networks[name](images)
                if number >= 0:
                    spent[name].append(1000 * (time.perf_counter() - start))
    return {name: float(np.median(values)) for name, values in spent.items()}


def rows(milliseconds: dict[str, float]) -> Iterator[list[str]]:
    for name, entry in ENTRIES.items():
        parameters, true, published = costs(entry)
        printed = ["-" if value is None else f"{value:g}" for value in entry.printed]
        way = "-" if published is None else f"{published:.2f}"
        cells = [name, f"{parameters:.2f}", printed[0], f"{true:.2f}", way, printed[1]]
        yield cells + ([f"{milliseconds[name]:.0f}"] if milliseconds else [])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--time", action="store_true", help="also measure milliseconds")
    parser.add_argument("--rounds", type=int, default=10, help="of the measurement (10)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (1)")
    given = parser.parse_args()
    conditions = machine(given.threads) | {"torch": torch.__version__}
    torch.set_num_threads(given.threads)
    milliseconds = measure(given.rounds) if given.time else {}
    columns = ["network", "parameters, 1e6", "printed", "true", "published way", "printed"]
    print(table(columns + (["ms"] if milliseconds else []), list(rows(milliseconds))))
    print("\n" + ", ".join(f"{key} {value}" for key, value in conditions.items()))


if __name__ == "__main__":
    main()
