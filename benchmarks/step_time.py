"""Time of the step network and the initializer beside a peer, measured alternately in one run.

    python benchmarks/step_time.py --bundle dkd-lite --peer MODELS/movenet_lightning.onnx \\
        --lspet DATA/lspet --rounds 300 --threads 2 --json step_time.json

Each round times every network once on the same person (real crops, cut beforehand), in an order
that turns from round to round, so that a busy machine and its clock slow all of them alike. Only
the networks are timed: for crop, decoding and tracking see `vidpose run`. The ratios are medians
over rounds of the ratio within a round; "CPU" is the process' CPU time (all its threads), which
other programs on the machine disturb less. "amortised": one initialisation in --refresh frames.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from peers import MoveNet
from report import finish, machine, parser, table

from vidpose.data.lspet import load_lspet
from vidpose.data.samples import Sample, read_image
from vidpose.runtime.crop import crop_image, region_around
from vidpose.runtime.model import PoseModel

WARM_UP = 10


def prepare(model: PoseModel, peer: MoveNet, sample: Sample) -> dict[str, Callable[[], object]]:
    """The timed calls for one person; the step gets the memory of a first look at the person."""
    image = read_image(sample.image)
    region = region_around(sample.box, aspect=model.aspect, padding=model.padding)
    first = crop_image(image, region, model.initializer.size)[None]
    feed, _ = peer.prepare(image, sample.box)
    calls: dict[str, Callable[[], object]] = {
        "peer": lambda: peer.session.run(None, feed),
        "initializer": lambda: model.initialize(first),
    }
    _, kernels = model.initialize(first)
    if model.stepper is not None and kernels is not None:
        later = crop_image(image, region, model.stepper.size)[None]
        memory = kernels
        calls["step"] = lambda: model.step(later, memory)
    return calls


def measure(
    people: list[dict[str, Callable[[], object]]], rounds: int
) -> dict[str, NDArray[np.float64]]:
    """Milliseconds (rounds, 2) of each call: by the wall's clock and of the CPU."""
    names = list(people[0])
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for number in range(-WARM_UP, rounds):
        calls = people[number % len(people)]
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            wall, cpu = time.perf_counter(), time.process_time()
            calls[name]()
            if number >= 0:
                passed = time.perf_counter() - wall, time.process_time() - cpu
                spent[name].append(passed)
    return {name: 1000 * np.array(values) for name, values in spent.items()}


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--bundle", required=True, help="name or path")
    arguments.add_argument("--peer", type=Path, required=True, help="MoveNet as an ONNX file")
    arguments.add_argument("--lspet", type=Path, required=True, help="Leeds Sports Pose Extended")
    arguments.add_argument("--rounds", type=int, default=300)
    arguments.add_argument("--people", type=int, default=20, help="different crops")
    arguments.add_argument("--refresh", type=int, default=30)
    given = arguments.parse_args()

    conditions = machine(given.threads)
    model = PoseModel.load(given.bundle, threads=given.threads)
    peer = MoveNet(given.peer, threads=given.threads)
    samples = load_lspet(given.lspet)[: given.people]
    spent = measure([prepare(model, peer, sample) for sample in samples], given.rounds)
    if "step" in spent:
        share = 1 / given.refresh
        spent["amortised"] = share * spent["initializer"] + (1 - share) * spent["step"]
    rows = {}
    for name, values in spent.items():
        ratio = np.median(values / spent["peer"], axis=0)
        rows[name] = {
            "median ms": float(np.median(values[:, 0])),
            "p95 ms": float(np.percentile(values[:, 0], 95)),
            "of the peer": float(ratio[0]),
            "CPU ms": float(np.median(values[:, 1])),
            "CPU of the peer": float(ratio[1]),
        }
    print(f"\n{model.name} beside {given.peer.name}, {given.rounds} rounds\n")
    cells = [[name, *(f"{value:.2f}" for value in row.values())] for name, row in rows.items()]
    print(table(["network", *rows["peer"]], cells))
    finish(given.json, {"machine": conditions, "peer": given.peer.name, "networks": rows})


if __name__ == "__main__":
    main()
