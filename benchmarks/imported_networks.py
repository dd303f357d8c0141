"""Imported networks beside our own in the same stream: time of a person and frame.

    python benchmarks/imported_networks.py VIDEO --bundle dkd-base-int8 --bundle dkd-lite-int8 \\
        --bundle tinypose.vidpose --bundle lightning.vidpose --json results/imported.json

Every round follows the first --frames of the video with each model, in an order that turns from
round to round; all share the finder. "pose ms": crops, pose networks and their decoding, for each
person that was followed, median of the rounds, by the clock and as the process' CPU time, which
other work on the machine disturbs less; "of first": the median of the rounds' ratios of that CPU
time to the first model's. "frame ms": from frame in to result out, median over all frames.
"initialised %": runs of the initializer (the imported network) for each person and frame.
Multiply-adds are counted from the graphs, at that rate.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from report import finish, machine, parser, table

from vidpose.bench.stages import CountedSession
from vidpose.bundle import find_bundle, read_bundle
from vidpose.inference import Detector, PoseModel
from vidpose.inference.detectors.default import DEFAULT_DETECTOR, detector_for
from vidpose.tracking import PoseStream
from vidpose.video import VideoReader

POSE = ("crop", "initialize", "step", "decode")  # a stream's timers
COLUMNS = ("pose ms", "pose CPU ms", "of first", "frame ms", "initialised %", "GMACs")


@dataclass(frozen=True)
class Round:
    """One pass of one model: milliseconds of pose by the clock and of CPU, of each whole frame;
    people followed, and how many of them were initialised."""

    pose_ms: float
    cpu_ms: float
    frames_ms: list[float]
    people: int
    initialised: int


def follow(model: PoseModel, detector: Detector, video: Path, frames: int) -> Round:
    """Follow everybody in a video's first frames."""
    looks = CountedSession(model.initializer.session)
    counted = replace(model, initializer=replace(model.initializer, session=looks))
    stream = PoseStream(counted, detector)
    pose_ms = cpu_ms = 0.0
    people = 0
    frames_ms = []
    with VideoReader(video) as reader:
        for frame, _ in zip(reader, range(frames), strict=False):
            start, cpu = time.perf_counter(), time.process_time()
            result = stream.step(frame.image, frame.time)
            frames_ms.append(1e3 * (time.perf_counter() - start))
            spent = 1e3 * (time.process_time() - cpu)
            share = sum(result.timings.get(name, 0.0) for name in POSE)
            pose_ms += share
            cpu_ms += spent * share / frames_ms[-1]
            people += len(result.people)
    return Round(pose_ms, cpu_ms, frames_ms, people, looks.pictures)


def row(rounds: list[Round], first: list[Round], metrics: dict[str, float]) -> dict[str, object]:
    """The figures of a model."""
    people = max(sum(each.people for each in rounds), 1)
    rate = sum(each.initialised for each in rounds) / people
    look = metrics.get("initializer_mmacs", metrics.get("frame_mmacs"))
    step = metrics.get("step_mmacs")
    made = None if look is None else rate * look + (1 - rate) * (step or 0)

    def each_person(chosen: list[Round]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([each.cpu_ms / max(each.people, 1) for each in chosen])

    return {
        "pose ms": float(np.median([each.pose_ms / max(each.people, 1) for each in rounds])),
        "pose CPU ms": float(np.median(each_person(rounds))),
        "of first": float(np.median(each_person(rounds) / each_person(first))),
        "frame ms": float(np.median(np.concatenate([each.frames_ms for each in rounds]))),
        "initialised %": 100 * rate,
        "GMACs": None if made is None else made / 1e3,
    }


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("video", type=Path)
    arguments.add_argument("--bundle", action="append", required=True, help="name or path")
    arguments.add_argument("--frames", type=int, default=60)
    arguments.add_argument("--rounds", type=int, default=5)
    given = arguments.parse_args()

    conditions = machine(given.threads)
    models = [PoseModel.load(bundle, threads=given.threads) for bundle in given.bundle]
    finders = [detector_for(each, DEFAULT_DETECTOR, given.threads, each.runtime) for each in models]
    passes = list(zip(models, finders, strict=True))
    rounds: list[list[Round]] = [[] for _ in models]
    for model, finder in passes:
        follow(model, finder, given.video, 5)  # warms up
    for number in range(given.rounds):
        for turn in range(len(models)):
            index = (number + turn) % len(models)
            rounds[index].append(follow(*passes[index], given.video, given.frames))
    rows = {}
    for bundle, model, found in zip(given.bundle, models, rounds, strict=True):
        metrics = dict(read_bundle(find_bundle(bundle)).metrics)
        rows[model.name] = row(found, rounds[0], metrics)
    cells = [
        [name, *("" if (v := each[c]) is None else f"{v:.2f}" for c in COLUMNS)]
        for name, each in rows.items()
    ]
    print(f"\n{given.video.name}, {given.frames} frames, {given.rounds} rounds\n")
    print(table(["model", *COLUMNS], cells))
    finish(given.json, {"machine": conditions, "networks": rows})


if __name__ == "__main__":
    main()
