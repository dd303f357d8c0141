"""Which networks a verb takes, and what runs them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from vidpose.cli._errors import UsageMistake
from vidpose.cli._options import RuntimeChoice
from vidpose.defaults import DEFAULT_MODEL, FAST_MODEL

if TYPE_CHECKING:
    from vidpose.inference import Detector, PoseModel
    from vidpose.inference.backends.base import Runtime
    from vidpose.inference.backends.select import RuntimeSelection


def chosen_model(model: str | None, *, fast: bool = False) -> str:
    """The model that ``--model`` and ``--fast`` mean; raises UsageMistake where both are given."""
    if fast and model is not None:
        raise UsageMistake(f"--fast names a model already, {FAST_MODEL}: give it or --model")
    if model is not None:
        return model
    return FAST_MODEL if fast else DEFAULT_MODEL


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
