"""``--runtime``: what runs the networks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Annotated, cast

import typer

if TYPE_CHECKING:
    from vidpose.inference import Detector, PoseModel
    from vidpose.inference.backends.base import Runtime
    from vidpose.inference.backends.select import RuntimeSelection


class RuntimeChoice(str, Enum):
    """What ``--runtime`` takes."""

    onnxruntime = "onnxruntime"
    openvino = "openvino"
    auto = "auto"


RuntimeOption = Annotated[
    RuntimeChoice,
    typer.Option(
        help="What runs the networks. openvino: needs `pip install 'vidpose\\[openvino]'`, "
        "takes the float version of an INT8 model. auto: "
        "each model is timed on both for a moment, and the choice is printed."
    ),
]


def usable_threads(asked: int) -> int:
    """As many threads as `--threads` asks for and CPUs allow; says so where these are fewer."""
    from vidpose.inference.backends.cpus import bounded_threads

    given = bounded_threads(asked)
    if given < asked:
        cpus = "1 CPU" if given == 1 else f"{given} CPUs"
        text = f"vidpose: --threads {asked}: this process may use {cpus}, so {given} it is"
        print(text, file=sys.stderr)
    return given


def load_networks(
    model: str,
    detector: str,
    threads: int | None,
    runtime: RuntimeChoice,
    say: Callable[[str], object] = print,
) -> tuple[PoseModel, Detector]:
    """The pose model and the detector on the runtime.

    ``say`` is told what ``auto`` chose, and of a float model in the place of an INT8 one.
    """
    from vidpose.inference import PoseModel
    from vidpose.inference.backends.select import load_faster_detector, load_faster_model
    from vidpose.inference.detectors.default import detector_for
    from vidpose.inference.graphs import OneStageGraph
    from vidpose.inference.pose_model import fitting_model

    if runtime is RuntimeChoice.auto:
        pose_model, choice = load_faster_model(model, threads)
        say(_sentence(model, threads, choice))
        if isinstance(pose_model.initializer, OneStageGraph):
            return pose_model, detector_for(pose_model, detector, threads, pose_model.runtime)
        finder, choice = load_faster_detector(detector, threads)
        say(_sentence(detector, threads, choice))
        return pose_model, finder
    name = cast("Runtime", runtime.value)
    chosen = fitting_model(model, name)
    if chosen != model:
        say(f"{model}: INT8 is for onnxruntime; on {name} its float version {chosen} is taken")
    pose_model = PoseModel.load(chosen, threads, name)
    return pose_model, detector_for(pose_model, detector, threads, name)


def _sentence(name: str, threads: int | None, choice: RuntimeSelection) -> str:
    if not choice.milliseconds:
        return f"{name}: runtime {choice.runtime}, the only one for it here"
    used = "" if threads is None else f", threads {threads}"
    times = ", ".join(f"{each} {ms:.2f} ms" for each, ms in choice.milliseconds.items())
    return f"{name}{used}: runtime {choice.runtime} ({times} a call)"
