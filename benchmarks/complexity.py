"""Parameters and multiply-adds of DKD and of what its paper compares it with.

    python benchmarks/complexity.py --json complexity.json
    python benchmarks/complexity.py --time --rounds 10 --threads 2

Counted by layer sizes alone, without weights, so the table is the same on every machine. "first"
is a frame without a memory (DKD's initializer and first kernels), "later" every other frame.
"published" counts a later frame as many papers do: transposed convolutions at their output
resolution, in 2^30 (vidpose.nn.complexity). The ratios are LSTM-PM's multiply-adds of a later
frame over the network's: at the paper's sizes (LSTM-PM at 368 x 368) and at 256 x 256 for both.

With --time, a later frame of every network is run in turn, in an order that changes from round to
round, with random weights, in torch on the CPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from report import finish, machine, parser, table
from torch import Tensor, nn

from vidpose.methods.dkd.model import DKD
from vidpose.methods.dkd.resnet import dkd_resnet
from vidpose.methods.lstm.lstm_pm import LSTMPoseMachine
from vidpose.nn.complexity import Complexity, count
from vidpose.nn.simple_baseline import SimpleBaseline

JOINTS = 13  # Penn Action's
LSTM_PM, LSTM_PM_SMALL = "LSTM-PM", "LSTM-PM at 256"


@dataclass(frozen=True)
class Entry:
    """A network and the side of its square input."""

    build: Callable[[], nn.Module]
    side: int = 256


ENTRIES: Mapping[str, Entry] = {
    "DKD, ResNet-50": Entry(lambda: dkd_resnet(JOINTS)),
    "DKD, ResNet-50, full kernels": Entry(lambda: dkd_resnet(JOINTS, kernel="full")),
    "DKD, ResNet-50, initializer 101": Entry(lambda: dkd_resnet(JOINTS, initializer=101)),
    "DKD, ResNet-34": Entry(lambda: dkd_resnet(JOINTS, encoder="resnet34")),
    "DKD, ResNet-18": Entry(lambda: dkd_resnet(JOINTS, encoder="resnet18")),
    "DKD, small CPM": Entry(lambda: dkd_resnet(JOINTS, encoder="small-cpm")),
    "Simple Baseline, ResNet-50": Entry(lambda: SimpleBaseline(JOINTS, 50)),
    "Simple Baseline, ResNet-101": Entry(lambda: SimpleBaseline(JOINTS, 101)),
    LSTM_PM: Entry(lambda: LSTMPoseMachine(15), 368),
    LSTM_PM_SMALL: Entry(lambda: LSTMPoseMachine(15, (256, 256))),
}


def frames(network: nn.Module, image: Tensor) -> tuple[Callable[[], object], Callable[[], object]]:
    """The calls for a first frame and for a later one."""
    if isinstance(network, DKD | LSTMPoseMachine):
        _, memory = network.initialize(image)
        return lambda: network.initialize(image), lambda: network.step(image, memory)
    return lambda: network(image), lambda: network(image)


def costs(entry: Entry) -> tuple[Complexity, Complexity]:
    """Of a first frame and of a later one."""
    with torch.device("meta"), torch.no_grad():
        network = entry.build().eval()
        first, later = frames(network, torch.zeros(1, 3, entry.side, entry.side))
        return count(network, first), count(network, later)


def measure(rounds: int) -> dict[str, float]:
    """Median milliseconds of a later frame."""
    calls = {}
    with torch.no_grad():
        for name, entry in ENTRIES.items():
            image = torch.rand(1, 3, entry.side, entry.side) * 2 - 1
            calls[name] = frames(entry.build().eval(), image)[1]
        spent: dict[str, list[float]] = {name: [] for name in calls}
        names = list(calls)
        for number in range(-1, rounds):  # the first round warms up
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                start = time.perf_counter()
                calls[name]()
                if number >= 0:
                    spent[name].append(1000 * (time.perf_counter() - start))
    return {name: float(np.median(values)) for name, values in spent.items()}


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--time", action="store_true", help="also measure milliseconds")
    arguments.add_argument("--rounds", type=int, default=10, help="of the measurement (10)")
    given = arguments.parse_args()

    conditions = machine(given.threads) | {"torch": torch.__version__}
    counted = {name: costs(entry) for name, entry in ENTRIES.items()}
    torch.set_num_threads(given.threads)
    milliseconds = measure(given.rounds) if given.time else {}
    rows = {}
    for name, (first, later) in counted.items():
        rows[name] = {
            "input": f"{ENTRIES[name].side} x {ENTRIES[name].side}",
            "parameters, M": round(later.parameters / 1e6, 1),
            "first, G": round(first.giga, 2),
            "later, G": round(later.giga, 2),
            "later, published": round(later.published, 2),
            "LSTM-PM : it": round(counted[LSTM_PM][1].giga / later.giga, 1),
            "both at 256": round(counted[LSTM_PM_SMALL][1].giga / later.giga, 1),
        }
        if name in milliseconds:
            rows[name]["later, ms"] = round(milliseconds[name], 1)
    columns = ["network", *next(iter(rows.values()))]
    print(table(columns, [[name, *row.values()] for name, row in rows.items()]))
    finish(given.json, {"machine": conditions, "networks": rows})


if __name__ == "__main__":
    main()
