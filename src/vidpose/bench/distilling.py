"""How much of a step is distilling: from ONNX Runtime's own profile, node by node.

New kernels are distilled inside the step's graph, so no clock outside can tell them apart. The
exporter keeps the names of the network's parts in the nodes' names.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime as ort

from vidpose.inference import PoseModel

PART = "/distillator/"  # in node names of the distillators of methods/dkd
ROUNDS = 30


def distilling_share(graph: bytes, model: PoseModel, people: int, threads: int) -> float | None:
    """Part of the step's time, in [0, 1], that goes into the next kernels.

    `graph`: the step's ONNX file. `model`: the model it belongs to, for the sizes. It counts
    what the nodes do themselves, not the way from one to the next. None where no
    node of the graph says that it distils.
    """
    if model.stepper is None:
        return None
    noise = np.random.default_rng(0)
    first, later = (
        noise.integers(0, 256, (people, *of.size, 3), np.uint8)
        for of in (model.initializer, model.stepper)
    )
    _, kernels = model.initialize(first)
    with TemporaryDirectory(prefix="vidpose-profile-") as folder:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "step")
        session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        for _ in range(ROUNDS):
            session.run(None, {"image": later, "kernels": kernels})
        events = json.loads(Path(session.end_profiling()).read_text())
    return share_of(events)


def share_of(events: list[dict[str, Any]]) -> float | None:
    """Part of the nodes' time in the nodes of `PART`; of each node the median over its rounds,
    which a busy machine disturbs less than the sum."""
    nodes: dict[str, list[float]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            nodes.setdefault(event["name"], []).append(float(event["dur"]))
    spent = {name: median(rounds) for name, rounds in nodes.items()}
    whole = sum(spent.values())
    ours = [time for name, time in spent.items() if PART in name]
    return sum(ours) / whole if ours and whole else None
