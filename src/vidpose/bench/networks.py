"""The networks alone, one person at a time, alternately with other people's networks.

Every round calls each network once, in an order that turns from round to round, so that a busy
machine and its clock rate slow all of them alike. A ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from vidpose.errors import BundleError
from vidpose.files import read_bytes
from vidpose.inference import Detector, PoseModel
from vidpose.inference.backends.base import Port, Runtime, Session, open_session

WARM_UP = 5  # rounds
PICTURE = (720, 1280)  # (height, width) for the detector
INITIALISE, STEP, DETECT, AMORTISED = "initialise", "step", "detect", "amortised"

Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of one call by rounds, and `ratios` to each reference in the same round."""

    name: str
    median_ms: float
    p95_ms: float
    ratios: Mapping[str, float]


def own_calls(model: PoseModel, detector: Detector) -> dict[str, Call]:
    """Our networks, each at one picture of noise; the time does not depend on what is seen."""
    first = _noise((1, *model.initializer.size, 3))
    picture = _noise((*PICTURE, 3))
    calls: dict[str, Call] = {
        INITIALISE: lambda: model.initialize(first),
        DETECT: lambda: detector.detect(picture),
    }
    _, kernels = model.initialize(first)
    if model.stepper is not None and kernels is not None:
        later, memory = _noise((1, *model.stepper.size, 3)), kernels
        calls[STEP] = lambda: model.step(later, memory)
    return calls


def onnx_call(path: Path, threads: int, runtime: Runtime) -> Call:
    """One call of any ONNX network at noise of its own inputs' form, in a batch of 1.

    Raises BundleError when the file cannot be read or run, or leaves the size of its input open.
    """
    graph = read_bytes(path, BundleError)
    session = open_session(graph, str(path), threads, runtime)
    feed = {port.name: _values(port, path) for port in session.inputs}
    return _checked(session, feed, path)


def alternate(
    calls: Mapping[str, Call], rounds: int, clock: Callable[[], float] = perf_counter
) -> dict[str, NDArray[np.float64]]:
    """Milliseconds (rounds,) of each call."""
    names = list(calls)
    spent: dict[str, list[float]] = {name: [] for name in names}
    for number in range(-WARM_UP, rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            start = clock()
            calls[name]()
            if number >= 0:
                spent[name].append(1e3 * (clock() - start))
    return {name: np.array(values) for name, values in spent.items()}


def timings(
    spent: Mapping[str, NDArray[np.float64]],
    references: tuple[str, ...],
    rates: tuple[float, float] | None,
) -> tuple[Timing, ...]:
    """The rounds in figures.

    `rates`: initialisations and steps for each person and frame, by which the row
    "amortised" is made; None leaves it out.
    """
    rows = dict(spent)
    if rates is not None and STEP in rows:
        rows[AMORTISED] = rates[0] * spent[INITIALISE] + rates[1] * spent[STEP]
    return tuple(
        Timing(
            name,
            float(np.median(values)),
            float(np.percentile(values, 95)),
            {reference: float(np.median(values / spent[reference])) for reference in references},
        )
        for name, values in rows.items()
    )


def _checked(session: Session, feed: dict[str, NDArray[np.generic]], path: Path) -> Call:
    try:
        session.run(None, feed)
    except Exception as error:  # the runtimes' own errors share no narrower base
        reason = " ".join(str(error).split())
        raise BundleError(f"{path}: cannot run on one picture ({reason})") from error
    return lambda: session.run(None, feed)


def _values(port: Port, path: Path) -> NDArray[np.generic]:
    batch, *sides = port.shape or (1,)
    if None in sides:
        raise BundleError(
            f"{path}: input '{port.name}' has the shape {list(port.shape)}: its time depends on a "
            "size that the file leaves open; export it with a fixed size"
        )
    shape = (batch or 1, *(side or 1 for side in sides))
    kind = np.dtype(port.element)
    if kind.kind == "f":
        return np.random.default_rng(0).standard_normal(shape).astype(kind)
    return _noise(shape).astype(kind)


def _noise(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)
