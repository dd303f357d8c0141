"""What the networks of a table cost: parameters, multiply-adds and milliseconds beside a reference.

    python benchmarks/table_costs.py recipes/tables/clips.yaml --peer MODELS/movenet_lightning.onnx

Networks are built as the table's rows say (benchmarks/train_table.py) and exported with the weights
that they start from; training does not change what they cost. A network for clips is counted and
timed at a *later* frame, with the memory of a first one; the initializer is a row of its own where
the table has one. Times are of ONNX Runtime on one crop, alternately: every round calls each
network once, in an order that turns; the ratios are medians of the rounds' ratios to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from reference_networks import MoveNet
from report import finish, machine, parser, table
from torch import Tensor, nn
from train_table import row_overrides

from vidpose.export.graphs import FrameGraph, StepGraph, multiply_adds, normalise_crops
from vidpose.export.onnx import settle_weights, to_onnx
from vidpose.inference.backends.base import open_session
from vidpose.methods.clips.networks import SmallerInput, build_network
from vidpose.methods.clips.task import ClipsConfig
from vidpose.methods.distilpose.task import DistilPoseConfig
from vidpose.methods.dkd.light import SMALL
from vidpose.methods.dkd.model import DKD
from vidpose.methods.fasterpose.task import FasterPoseConfig
from vidpose.methods.lstm.light import LSTMLite
from vidpose.methods.lstm.lstm_pm import LSTMPoseMachine
from vidpose.methods.okdhp.model import MultiBranchPose
from vidpose.methods.okdhp.task import OKDHPConfig
from vidpose.methods.per_frame.pose import PoseConfig
from vidpose.methods.per_frame.students import build_network as build_student
from vidpose.methods.per_frame.students import read_network
from vidpose.nn.shrink import shrunk_size
from vidpose.training.distil import DistilConfig
from vidpose.training.recipe import Recipe, read_recipe

WARM_UP = 5


@dataclass(frozen=True)
class Deployed:
    """A frame's graph with example inputs by name."""

    graph: nn.Module
    inputs: dict[str, Tensor]

    @property
    def parameters(self) -> int:
        """Of what the frame's graph uses, so without an initializer."""
        named = self.graph.named_parameters()
        return sum(p.numel() for name, p in named if ".initializer." not in name)


def deployed(recipe: Recipe) -> Deployed:
    """The network of a recipe as it is used on a frame."""
    task = recipe.task
    if isinstance(task, ClipsConfig):
        return _later_frame(task)
    student = task.student if isinstance(task, DistilConfig) else task
    assert isinstance(student, PoseConfig | FasterPoseConfig | OKDHPConfig | DistilPoseConfig)
    network = build_student(student)
    if isinstance(network, MultiBranchPose):
        network.chosen.fill_(0)
    model = read_network(network, student)
    settle_weights(model.deployed().eval())
    image = torch.zeros(1, *model.size, 3, dtype=torch.uint8)
    return Deployed(FrameGraph(model.deployed()).eval(), {"image": image})


@torch.no_grad()
def _later_frame(task: ClipsConfig) -> Deployed:
    joints = task.skeleton.num_keypoints
    network = build_network(task.network, joints, task.size, task.loss == "l2").eval()
    settle_weights(network)
    size = task.size
    if isinstance(network, SmallerInput):
        network, size = network.network, SMALL.step
    if not isinstance(network, DKD | LSTMLite | LSTMPoseMachine):
        image = torch.zeros(1, *size, 3, dtype=torch.uint8)
        return Deployed(FrameGraph(network).eval(), {"image": image})
    first = torch.zeros(1, *size, 3, dtype=torch.uint8)
    _, memory = network.initialize(normalise_crops(first))
    image = torch.zeros(1, *shrunk_size(size, getattr(network, "ratio", 1)), 3, dtype=torch.uint8)
    return Deployed(StepGraph(network).eval(), {"image": image, "kernels": memory})


def call(given: Deployed, threads: int) -> Callable[[], object]:
    outputs = ("maps", "memory") if len(given.inputs) > 1 else ("maps",)
    content = to_onnx(given.graph, given.inputs, outputs, {})
    session = open_session(content, "table", threads, "onnxruntime")
    rng = np.random.default_rng(0)
    feed: dict[str, Any] = {n: value.numpy() for n, value in given.inputs.items()}
    feed["image"] = rng.integers(0, 256, feed["image"].shape, dtype=np.uint8)
    return lambda: session.run(list(outputs), feed)


def measure(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    spent: dict[str, list[float]] = {name: [] for name in calls}
    names = list(calls)
    for number in range(-WARM_UP, rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            start = time.perf_counter()
            calls[name]()
            if number >= 0:
                spent[name].append(1000 * (time.perf_counter() - start))
    return spent


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("table", type=Path, help="a file of recipes/tables/")
    arguments.add_argument("--peer", type=Path, required=True, help="MoveNet's ONNX file")
    arguments.add_argument("--rounds", type=int, default=100)
    given = arguments.parse_args()

    content = yaml.safe_load(given.table.read_text())
    conditions = machine(given.threads)
    calls: dict[str, Callable[[], object]] = {}
    rows: dict[str, dict[str, Any]] = {}
    for row in content["rows"]:
        overrides = row_overrides(content, row, given.table.stem)
        recipe = read_recipe(Path(row["recipe"]), overrides)
        frame = deployed(recipe)
        rows[row["name"]] = {
            "parameters, M": round(frame.parameters / 1e6, 2),
            "MMAC": round(multiply_adds(frame.graph, tuple(frame.inputs.values())) / 1e6, 1),
        }
        calls[row["name"]] = call(frame, given.threads)
    peer = MoveNet(given.peer, threads=given.threads)
    feed, _ = peer.prepare(np.zeros((192, 192, 3), np.uint8), (0.0, 0.0, 192.0, 192.0))
    calls["peer"] = lambda: peer.session.run(None, feed)
    spent = measure(calls, given.rounds)
    for name, costs in rows.items():
        ratio = float(np.median(np.array(spent[name]) / np.array(spent["peer"])))
        costs["ms"] = round(float(np.median(spent[name])), 2)
        costs[f"of {given.peer.stem}"] = round(ratio, 2)
    print(
        table(["network", *next(iter(rows.values()))], [[n, *r.values()] for n, r in rows.items()])
    )
    finish(given.json, {"machine": conditions, "peer": given.peer.name, "networks": rows})


if __name__ == "__main__":
    main()
