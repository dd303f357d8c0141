"""Time of models' networks beside those of others, measured alternately in one run.

    python benchmarks/step_time.py --bundle dkd-lite --bundle dkd-lite-int8 --peers MODELS \\
        --simple-baseline --lspet DATA/lspet --rounds 300 --threads 1 --json step_time.json

Each round times every network once on the same person (real crops, cut beforehand), in an order
that turns from round to round, so that a busy machine and its clock slow all of them alike. Only
the networks are timed: for crop, decoding and tracking see `vidpose run`. The ratios are medians
over rounds of the ratio within a round, to MoveNet Lightning, TinyPose 256x192 and, if asked for,
Simple Baseline R50 at 256x192 (exported with random weights; it needs torch). "CPU" is the process'
CPU time (all its threads), which other programs on the machine disturb less. "amortised": one
initialisation in --refresh frames.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from reference_networks import MoveNet, TinyPose
from report import finish, machine, parser, table

from vidpose.data.datasets.lspet import load_lspet
from vidpose.data.samples import Sample, read_image
from vidpose.inference.backends.base import Session, open_session
from vidpose.inference.crop import crop_image, region_around
from vidpose.inference.pose_model import PoseModel

WARM_UP = 10
LIGHTNING, TINYPOSE, BASELINE = "MoveNet Lightning", "TinyPose", "Simple Baseline R50"

Calls = dict[str, Callable[[], object]]


def model_calls(model: PoseModel, sample: Sample) -> Calls:
    """The timed calls for one person; the step gets the memory of the person's initialisation."""
    image = read_image(sample.image)
    region = region_around(sample.box, aspect=model.aspect, padding=model.padding)
    first = crop_image(image, region, model.initializer.size)[None]
    calls: Calls = {f"{model.name} initializer": lambda: model.initialize(first)}
    _, kernels = model.initialize(first)
    if model.stepper is not None and kernels is not None:
        later = crop_image(image, region, model.stepper.size)[None]
        memory = kernels
        calls[f"{model.name} step"] = lambda: model.step(later, memory)
    return calls


def peer_calls(
    movenet: MoveNet, tinypose: TinyPose, baseline: Session | None, sample: Sample
) -> Calls:
    image = read_image(sample.image)
    feed, _ = movenet.prepare(image, sample.box)
    height, width = tinypose.size
    region = region_around(sample.box, aspect=width / height)
    crop = crop_image(image, region, tinypose.size)
    small = {tinypose.input.name: crop.astype(np.float32).transpose(2, 0, 1)[None] / 255}
    calls: Calls = {
        LIGHTNING: lambda: movenet.session.run(None, feed),
        TINYPOSE: lambda: tinypose.session.run(None, small),
    }
    if baseline is not None:
        calls[BASELINE] = lambda: baseline.run(["maps"], {"image": crop[None]})
    return calls


def simple_baseline(threads: int) -> Session:
    """Simple Baseline R50 at 256 x 192 with random weights, crops uint8 (1, 256, 192, 3)."""
    import torch

    from vidpose.export.graphs import FrameGraph
    from vidpose.export.onnx import settle_weights, to_onnx
    from vidpose.nn.simple_baseline import SimpleBaseline

    network = SimpleBaseline(17, 50).eval()
    settle_weights(network)
    image = torch.zeros(1, 256, 192, 3, dtype=torch.uint8)
    content = to_onnx(FrameGraph(network), {"image": image}, ("maps",), {})
    return open_session(content, BASELINE, threads, "onnxruntime")


def measure(people: list[Calls], rounds: int) -> dict[str, NDArray[np.float64]]:
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
    arguments.add_argument("--bundle", required=True, action="append", help="name or path")
    arguments.add_argument("--peers", type=Path, required=True, help="folder of the ONNX files")
    arguments.add_argument(
        "--simple-baseline", action="store_true", help="a reference that needs torch"
    )
    arguments.add_argument("--lspet", type=Path, required=True, help="Leeds Sports Pose Extended")
    arguments.add_argument("--rounds", type=int, default=300)
    arguments.add_argument("--people", type=int, default=20, help="different crops")
    arguments.add_argument("--refresh", type=int, default=30)
    given = arguments.parse_args()

    conditions = machine(given.threads)
    models = [PoseModel.load(bundle, threads=given.threads) for bundle in given.bundle]
    movenet = MoveNet(given.peers / "movenet_lightning.onnx", threads=given.threads)
    tinypose = TinyPose(given.peers / "tinypose_256x192.onnx", threads=given.threads)
    baseline = simple_baseline(given.threads) if given.simple_baseline else None
    people = []
    for sample in load_lspet(given.lspet)[: given.people]:
        calls = peer_calls(movenet, tinypose, baseline, sample)
        for model in models:
            calls |= model_calls(model, sample)
        people.append(calls)
    spent = measure(people, given.rounds)
    share = 1 / given.refresh
    for model in models:
        if model.stepper is not None:
            parts = spent[f"{model.name} initializer"], spent[f"{model.name} step"]
            spent[f"{model.name} amortised"] = share * parts[0] + (1 - share) * parts[1]
    references = [name for name in (LIGHTNING, TINYPOSE, BASELINE) if name in spent]
    rows = {}
    for name, values in spent.items():
        row = {
            "median ms": float(np.median(values[:, 0])),
            "p95 ms": float(np.percentile(values[:, 0], 95)),
            "CPU ms": float(np.median(values[:, 1])),
        }
        for other in references:
            ratio = np.median(values / spent[other], axis=0)
            row[f"of {other}"], row[f"CPU of {other}"] = float(ratio[0]), float(ratio[1])
        rows[name] = row
    columns = next(iter(rows.values()))
    cells = [[name, *(f"{value:.3f}" for value in row.values())] for name, row in rows.items()]
    print(f"\n{given.rounds} rounds\n")
    print(table(["network", *columns], cells))
    finish(given.json, {"machine": conditions, "networks": rows})


if __name__ == "__main__":
    main()
