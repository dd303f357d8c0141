"""All measurements of one `vidpose bench`, in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from vidpose.bench.distilling import distilling_share
from vidpose.bench.networks import Timing, alternate, onnx_call, own_calls, timings
from vidpose.bench.scenes import cut, find_window, write_scene
from vidpose.bench.stages import Pass, run_stages
from vidpose.bench.whole import Networks, Whole, run_whole
from vidpose.bundle import find_bundle, read_bundle
from vidpose.inference import Detector, PoseModel
from vidpose.results import FrameResult
from vidpose.video import VideoReader, VideoWriter

AS_FILMED = "as filmed"
RATE = 30.0  # frames a second of a scene where the video does not say its own

Loaded = tuple[PoseModel, Detector]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure. `source`: a video, None for the networks only. `threads`, `people`: one
    measurement for each. `peers`: ONNX files of other networks. `frames`: of each clip, and
    rounds."""

    source: Path | str | None
    networks: Networks
    threads: tuple[int, ...]
    people: tuple[int, ...]
    peers: tuple[Path, ...]
    frames: int


@dataclass(frozen=True, slots=True)
class Run:
    """One clip with one number of threads. `asked`: people laid out, None as filmed. `table`:
    `vidpose run` to a .jsonl file; `whole`: to that and to the drawn video. `distilling`: part of
    the step's time that goes into the next kernels, None where that cannot be told.
    `gmacs_per_person`: 10^9 multiply-adds of the pose networks for each person and frame at the
    pass' own rate of initialisations; None where the bundle does not say its networks' or where
    no person was tracked."""

    scene: str
    asked: int | None
    threads: int
    stages: Pass
    table: Whole
    whole: Whole
    distilling: float | None
    gmacs_per_person: float | None


@dataclass(frozen=True, slots=True)
class Alone:
    """The networks alone, with so many threads."""

    threads: int
    timings: tuple[Timing, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """All figures. `notes`: what could not be measured, and why."""

    runs: tuple[Run, ...]
    alone: tuple[Alone, ...]
    notes: tuple[str, ...]


def measure(plan: Plan, load: Callable[[int], Loaded], say: Callable[[str], None]) -> Measured:
    """Measure what is planned.

    `load`: the networks for so many threads. `say` is told what comes next.

    Raises VidposeError when the video cannot be read, or a network not be loaded or run.
    """
    loaded: dict[int, Loaded] = {}
    for threads in plan.threads:
        say(f"loading, {_count(threads, 'thread')}")
        loaded[threads] = load(threads)
    first, (model, _) = next(iter(loaded.items()))
    for path in plan.peers:  # which fails now or not at all
        onnx_call(path, first, model.runtime)
    runs: list[Run] = []
    notes: list[str] = []
    if plan.source is not None:
        with TemporaryDirectory(prefix="vidpose-bench-") as folder:
            runs, notes = _measure_clips(plan, plan.source, loaded, Path(folder), say)
    alone = []
    for threads, (model, detector) in loaded.items():
        say(f"networks alone, {_count(threads, 'thread')}")
        alone.append(Alone(threads, _measure_alone(plan, model, detector, threads, runs)))
    return Measured(tuple(runs), tuple(alone), tuple(notes))


def gmacs_per_person(made: Pass, metrics: Mapping[str, object]) -> float | None:
    """10^9 multiply-adds for each person and frame, by a bundle's own figures."""
    first = metrics.get("initializer_mmacs", metrics.get("frame_mmacs"))
    later = metrics.get("step_mmacs", 0.0)
    if not made.person_frames or not isinstance(first, (int, float)):
        return None
    if not isinstance(later, (int, float)):
        return None
    return (made.initialise_rate * first + made.step_rate * later) / 1e3


def _measure_clips(
    plan: Plan,
    source: Path | str,
    loaded: Mapping[int, Loaded],
    folder: Path,
    say: Callable[[str], None],
) -> tuple[list[Run], list[str]]:
    """The video as filmed, then the scenes made of it; each with every number of threads."""
    bundle = read_bundle(find_bundle(plan.networks.model))
    runs: list[Run] = []
    found: list[FrameResult] = []

    def run(scene: str, asked: int | None, clip: Path | str, copy: Path) -> None:
        for threads, (model, detector) in loaded.items():
            say(f"{scene}, {_count(threads, 'thread')}")
            made, results = run_stages(clip, model, detector, plan.frames, folder / "drawn.mp4")
            table, whole = (
                run_whole(copy, plan.networks, threads, folder, kinds)
                for kinds in ((".jsonl",), (".jsonl", ".mp4"))
            )
            distilling = None
            if made.stepped and model.runtime == "onnxruntime":
                batch = max(1, round(made.people))
                distilling = distilling_share(bundle.graphs["step"], model, batch, threads)
            gmacs = gmacs_per_person(made, bundle.metrics)
            runs.append(Run(scene, asked, threads, made, table, whole, distilling, gmacs))
            if asked is None:
                found[:] = results

    size, rate = _copy(source, folder / "filmed.mp4", plan.frames)
    run(AS_FILMED, None, source, folder / "filmed.mp4")
    window = find_window(found, size) if plan.people else None
    if plan.people and window is None:
        return runs, [f"no scenes: no person was found in the first {len(found)} frames"]
    if window is not None:
        pictures = cut(source, window)
        for people in plan.people:
            clip = folder / f"{people}.mp4"
            write_scene(clip, pictures, people, plan.frames, rate)
            run(_count(people, "person", "people"), people, clip, clip)
            clip.unlink()
    return runs, []


def _copy(source: Path | str, target: Path, frames: int) -> tuple[tuple[int, int], float]:
    """The first frames as an H.264 clip; returns their size (height, width) and rate."""
    with VideoReader(source) as video:
        info = video.info
        with VideoWriter(target, width=info.width, height=info.height) as writer:
            for frame in islice(video, frames):
                writer.write(frame.image, frame.time)
    return (info.height, info.width), info.average_rate or RATE


def _measure_alone(
    plan: Plan, model: PoseModel, detector: Detector, threads: int, runs: Sequence[Run]
) -> tuple[Timing, ...]:
    calls = own_calls(model, detector)
    for path in plan.peers:
        calls[path.name] = onnx_call(path, threads, model.runtime)
    filmed = [r.stages for r in runs if r.asked is None and r.threads == threads]
    rates = None
    if filmed and filmed[0].person_frames:
        rates = filmed[0].initialise_rate, filmed[0].step_rate
    spent = alternate(calls, plan.frames)
    return timings(spent, tuple(path.name for path in plan.peers), rates)


def _count(number: int, one: str, more: str | None = None) -> str:
    return f"{number} {one if number == 1 else more or one + 's'}"
