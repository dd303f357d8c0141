"""A clip stage by stage, one after the other: finding people first, drawing and writing then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidpose.errors import InputError
from vidpose.inference import Detector, PoseModel
from vidpose.inference.backends.base import Session
from vidpose.inference.graphs import PoseGraph
from vidpose.results import FrameResult
from vidpose.skeleton import Skeleton
from vidpose.tracking import PoseStream
from vidpose.video import VideoReader, VideoWriter, draw_result

WARM_UP = 3  # frames that a stream of its own sees first

LATENCY = "frame in to result out"
STEP = "step, with distilling"

NAMES: Mapping[str, str] = {
    "decode video": "decode video",
    "detect": "detect",
    "crop": "crop",
    "initialize": "initialise",
    "step": STEP,
    "decode": "decode maps",
    "track": "track",
    "smooth": "smooth",
    LATENCY: LATENCY,
    "draw": "draw",
    "write": "write",
}
"""The stages in their order: the timer's name and the table's."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Milliseconds of one stage: median and 95th percentile over the frames in which it ran,
    `share` of the frames in which it did, and mean over all frames."""

    name: str
    median_ms: float
    p95_ms: float
    share: float
    mean_ms: float


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass over a clip gave.

    `person_frames`: people tracked, summed over the frames. `initialised`, `stepped`: crops
    given to the two networks. `pose_ms`: what both took, in all.
    """

    frames: int
    person_frames: int
    initialised: int
    stepped: int
    pose_ms: float
    stages: tuple[Stage, ...]

    @property
    def people(self) -> float:
        """People tracked in a frame, on average."""
        return self.person_frames / self.frames

    @property
    def initialise_rate(self) -> float:
        """Calls of the initializer for each person and frame."""
        return self.initialised / max(self.person_frames, 1)

    @property
    def step_rate(self) -> float:
        """Steps for each person and frame."""
        return self.stepped / max(self.person_frames, 1)

    @property
    def pose_ms_per_person(self) -> float:
        """Milliseconds of the pose networks for each person and frame."""
        return self.pose_ms / max(self.person_frames, 1)


def run_stages(
    source: Path | str, model: PoseModel, detector: Detector, frames: int, drawn: Path
) -> tuple[Pass, list[FrameResult]]:
    """Measure the first `frames` of a clip; the drawn video is written to `drawn`.

    Returns the figures and what was found. Raises InputError when no frame can be decoded.
    """
    _warm_up(source, model, detector)
    counted, (first, later) = _counted(model)
    table: dict[str, list[float]] = defaultdict(list)
    results = _track(source, PoseStream(counted, detector), frames, table)
    _draw(source, results, model.skeleton, drawn, table)
    made = Pass(
        frames=len(results),
        person_frames=sum(len(result.people) for result in results),
        initialised=first.pictures,
        stepped=later.pictures if later else 0,
        pose_ms=sum(table["initialize"]) + sum(table["step"]),
        stages=tuple(_stage(NAMES[name], table[name]) for name in NAMES),
    )
    return made, results


def _track(
    source: Path | str, stream: PoseStream, frames: int, table: dict[str, list[float]]
) -> list[FrameResult]:
    """Decode and find people; the times go to `table`."""
    results: list[FrameResult] = []
    with VideoReader(source) as video:
        for _ in range(frames):
            start = perf_counter()
            frame = next(video, None)
            if frame is None:
                break
            decoded = perf_counter()
            result = stream.step(frame.image, frame.time)
            table["decode video"].append(1e3 * (decoded - start))
            table[LATENCY].append(1e3 * (perf_counter() - decoded))
            for name, spent in result.timings.items():
                table[name].append(spent)
            results.append(result)
    if not results:
        raise InputError(f"{source}: no frame could be decoded")
    return results


def _draw(
    source: Path | str,
    results: Sequence[FrameResult],
    skeleton: Skeleton,
    drawn: Path,
    table: dict[str, list[float]],
) -> None:
    """Draw and write what was found; afterwards, since the encoder's threads would disturb the
    search for people."""
    with VideoReader(source) as video:
        width, height = video.info.width, video.info.height
        with VideoWriter(drawn, width=width, height=height) as writer:
            for frame, result in zip(video, results, strict=False):
                start = perf_counter()
                picture = draw_result(frame.image, result, skeleton)
                made = perf_counter()
                writer.write(picture, frame.time)
                table["draw"].append(1e3 * (made - start))
                table["write"].append(1e3 * (perf_counter() - made))


class CountedSession:
    """A session that counts the pictures it is given."""

    def __init__(self, session: Session) -> None:
        self.inputs = session.inputs
        self.outputs = session.outputs
        self.pictures = 0
        self._session = session

    def run(
        self, outputs: Sequence[str] | None, feed: Mapping[str, NDArray[Any]]
    ) -> list[NDArray[Any]]:
        """See `Session.run`."""
        self.pictures += len(feed["image"])
        return self._session.run(outputs, feed)


def _counted(model: PoseModel) -> tuple[PoseModel, tuple[CountedSession, CountedSession | None]]:
    """The same model with counters before its graphs."""

    def counted(graph: PoseGraph) -> tuple[PoseGraph, CountedSession]:
        counter = CountedSession(graph.session)
        return replace(graph, session=counter), counter

    initializer, first = counted(model.initializer)
    if model.stepper is None:
        return replace(model, initializer=initializer), (first, None)
    stepper, later = counted(model.stepper)
    return replace(model, initializer=initializer, stepper=stepper), (first, later)


def _warm_up(source: Path | str, model: PoseModel, detector: Detector) -> None:
    stream = PoseStream(model, detector)
    with VideoReader(source) as video:
        for frame in islice(video, WARM_UP):
            stream.step(frame.image, frame.time)


def _stage(name: str, spent: Sequence[float]) -> Stage:
    """A stage that did not run in a frame took no time at all there."""
    values = np.array(spent)
    ran = values[values > 0]
    if not len(ran):
        return Stage(name, 0.0, 0.0, 0.0, 0.0)
    return Stage(
        name,
        float(np.median(ran)),
        float(np.percentile(ran, 95)),
        len(ran) / len(values),
        float(values.mean()),
    )
