"""Which runtime is faster here, by a short measurement of the model itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import get_args

import numpy as np

from vidpose.bundle import find_bundle, read_bundle
from vidpose.inference.backends.base import Runtime
from vidpose.inference.backends.openvino import has_openvino
from vidpose.inference.detectors.bundle import Detector, load_detector
from vidpose.inference.pose_model import PoseModel, runtimes_for

WARM_UP = 3
ROUNDS = 15
PICTURE = (360, 640)  # (height, width) of the picture that detectors are timed on


@dataclass(frozen=True, slots=True)
class RuntimeSelection:
    """The faster runtime, and the median ms of one call by which it was chosen; these are empty
    where there was no choice: OpenVINO is not installed, or not for this model."""

    runtime: Runtime
    milliseconds: Mapping[Runtime, float] = field(default_factory=dict)


def load_faster_model(
    name_or_path: str | Path, threads: int | None = None
) -> tuple[PoseModel, RuntimeSelection]:
    """A pose model on the runtime on which its step for one person is faster (its only network's
    call, for a model without memory).

    Arguments and errors as `PoseModel.load`.
    """
    fitting = runtimes_for(read_bundle(find_bundle(name_or_path)))
    models = {
        runtime: PoseModel.load(name_or_path, threads, runtime)
        for runtime in _candidates()
        if runtime in fitting
    }
    choice = choose({runtime: _pose_call(model) for runtime, model in models.items()})
    return models[choice.runtime], choice


def load_faster_detector(
    name_or_path: str | Path, threads: int | None = None
) -> tuple[Detector, RuntimeSelection]:
    """A detector on the runtime that detects people faster. As `load_detector`."""
    picture = _noise((*PICTURE, 3))
    detectors = {
        runtime: load_detector(name_or_path, threads, runtime) for runtime in _candidates()
    }
    choice = choose(
        {
            runtime: (lambda detector=detector: detector.detect(picture))  # type: ignore[misc]
            for runtime, detector in detectors.items()
        }
    )
    return detectors[choice.runtime], choice


def choose(calls: Mapping[Runtime, Callable[[], object]]) -> RuntimeSelection:
    """The runtime with the smallest median time, called in turn so that a busy machine slows
    all of them alike. A single one is not timed."""
    if len(calls) == 1:
        return RuntimeSelection(next(iter(calls)))
    spent: dict[Runtime, list[float]] = {runtime: [] for runtime in calls}
    for number in range(-WARM_UP, ROUNDS):
        for runtime, call in calls.items():
            start = perf_counter()
            call()
            if number >= 0:
                spent[runtime].append(1e3 * (perf_counter() - start))
    medians = {runtime: median(values) for runtime, values in spent.items()}
    return RuntimeSelection(min(medians, key=lambda runtime: medians[runtime]), medians)


def _candidates() -> tuple[Runtime, ...]:
    return get_args(Runtime) if has_openvino() else ("onnxruntime",)


def _pose_call(model: PoseModel) -> Callable[[], object]:
    first = _noise((1, *model.initializer.size, 3))
    _, kernels = model.initialize(first)
    if model.stepper is None or kernels is None:
        return lambda: model.initialize(first)
    later, memory = _noise((1, *model.stepper.size, 3)), kernels
    return lambda: model.step(later, memory)


def _noise(shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)
