"""``vidpose run``: pose in videos, from files to files."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidpose.cli._errors import FAILED, DebugOption, UsageMistake, say_error
from vidpose.cli._runtime import RuntimeChoice, RuntimeOption, load_networks, usable_threads
from vidpose.defaults import DEFAULT_MODEL
from vidpose.errors import VidposeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from vidpose.cli._interrupt import StopRequest
    from vidpose.cli._outputs import Job
    from vidpose.cli._progress import Meter
    from vidpose.pipeline import Outcome
    from vidpose.results import SourceInfo

    Process = Callable[..., Outcome]


class TrackerChoice(str, Enum):
    """What ``--tracker`` takes; the same names as the runtime's, without importing it."""

    default = "default"
    poseflow = "poseflow"
    flow = "flow"


def run(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Video files, folders of videos or of images, and globs.",
            show_default=False,
        ),
    ],
    out: Annotated[
        list[str] | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE|DIR/|.KIND",
            help="What to write; may be given several times. The suffix chooses the kind: .jsonl "
            ".csv .parquet .json (COCO results) .mp4 (annotated) .openpose.zip .mmpose.json "
            ".ultralytics.json .rrd (rerun). A folder or only a suffix means "
            "one file per source, named after it. Default: NAME.jsonl and NAME_pose.mp4 in the "
            "current folder.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="Name of a shipped model (see `vidpose models`) or a bundle's path.")
    ] = DEFAULT_MODEL,
    detector: Annotated[
        str | None,
        typer.Option(
            help="Another person detector: a bundle, or a YOLOX- or RTMDet-style ONNX file. "
            "Default: the shipped finder.",
            show_default=False,
        ),
    ] = None,
    no_smooth: Annotated[
        bool, typer.Option("--no-smooth", help="Leave the keypoints as the network gives them.")
    ] = False,
    angles: Annotated[
        bool, typer.Option("--angles", help="Add joint and segment angles to .csv and .parquet.")
    ] = False,
    max_people: Annotated[
        int | None,
        typer.Option(min=1, help="Follow at most this many people.", show_default="all"),
    ] = None,
    tracker: Annotated[
        TrackerChoice,
        typer.Option(
            help="How people are told apart. default: followed by the model's memory. poseflow, "
            "flow: found anew in every frame, which takes three to six times as long."
        ),
    ] = TrackerChoice.default,
    fps: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=1000,
            help="Frames a second of image folders and stacks; videos have their own times.",
            show_default="30",
        ),
    ] = None,
    track: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Which video track of a file with several, counted from 1.",
            show_default="the best one, and a line says which that is",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Threads of the networks, at most one for each CPU that may be used.",
            show_default="half of the cores; all of them for a webcam or a stream",
        ),
    ] = None,
    runtime: RuntimeOption = RuntimeChoice.onnxruntime,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace outputs that exist already.")
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Find the people in videos and follow their keypoints.

    Outputs appear only when they are complete. One that this source, model and options made is
    kept, so the same command goes on with a half-done set; any other is never replaced unasked.

    \b
    Examples:
      vidpose run dance.mp4
      vidpose run dance.mp4 --out dance.csv --out dance_pose.mp4
      vidpose run clips/ 'more/*.mkv' --out results/
      vidpose run clips/ --out results/.parquet --no-smooth

    Exit codes: 0 done; 1 some inputs failed (each is named); 2 wrong usage; 130 interrupted.
    """
    from vidpose.cli._outputs import plan_jobs
    from vidpose.inference.backends.cpus import default_threads
    from vidpose.inference.detectors.default import DEFAULT_DETECTOR
    from vidpose.pipeline import process_video
    from vidpose.video.sources import is_stream

    found, failed = _find(sources)
    jobs = plan_jobs(found, out or [])
    if angles and not any(
        path.suffix in (".csv", ".parquet") for job in jobs for path in job.outputs
    ):
        raise UsageMistake(
            "--angles: only .csv and .parquet have columns for them; add such an --out"
        )
    live = any(is_stream(source) for source in found)
    count = usable_threads(threads) if threads else default_threads(live=live)
    pose_model, finder = load_networks(model, detector or DEFAULT_DETECTOR, count, runtime)
    process = partial(
        process_video,
        model=pose_model,
        detector=finder,
        smooth=not no_smooth,
        max_people=max_people,
        tracker=tracker.value,
        image_rate=fps,
        angles=angles,
        video_track=track,
        overwrite=overwrite,
    )
    failed += _run_all(jobs, process)
    if failed:
        raise typer.Exit(FAILED)


def _find(specs: list[str]) -> tuple[list[Path | str], int]:
    """The sources behind ``specs``, each once, and the number of specs that led to none."""
    from vidpose.video import expand_sources

    found: dict[Path | str, None] = {}
    failed = 0
    for spec in specs:
        try:
            found.update(dict.fromkeys(expand_sources([spec])))
        except VidposeError as error:
            say_error(error)
            failed += 1
    return list(found), failed


def _run_all(jobs: list[Job], process: Process) -> int:
    """Work through ``jobs``, saying how each went; returns how many failed."""
    from vidpose.cli._interrupt import Interrupted, stop_on_signals

    done = failed = 0
    with stop_on_signals() as stop:
        for number, job in enumerate(jobs, start=1):
            short = Path(job.name).name or job.name
            title = short if len(jobs) == 1 else f"[{number} of {len(jobs)}] {short}"
            try:
                outcome = _run_one(job, process, title, stop)
            except Interrupted as interruption:
                _say_interrupted(job, done, len(jobs))
                raise typer.Exit(interruption.exit_code) from None
            except VidposeError as error:
                say_error(error)
                failed += 1
            except Exception as error:  # also after a bug here, the other sources get their turn
                say_error(error, about=job.name)
                failed += 1
            else:
                _say_done(job, outcome)
                done += bool(outcome.written)
    if len(jobs) > 1:
        kept = len(jobs) - done - failed
        print(f"{len(jobs)} sources: {done} done, {kept} kept, {failed} failed")
    return failed


def _run_one(job: Job, process: Process, title: str, stop: StopRequest) -> Outcome:
    """One source with its progress. Raises Interrupted, except where a live source has frames:
    being stopped is how its video ends."""
    from vidpose.cli._progress import show_progress
    from vidpose.video.sources import is_stream

    live = is_stream(job.source)
    seen = 0
    with ExitStack() as stack:
        meters: list[Meter] = []

        def on_start(info: SourceInfo) -> None:
            meters.append(stack.enter_context(show_progress(title, _expected_frames(info))))

        def on_frame(*_: object) -> None:
            nonlocal seen
            seen += 1
            meters[0].advance()

        def should_stop() -> bool:
            if not live or seen == 0:
                stop.check()
            return stop.requested

        return process(
            job.source,
            job.outputs,
            on_start=on_start,
            on_frame=on_frame,
            should_stop=should_stop,
        )


def _expected_frames(info: SourceInfo) -> int | None:
    if info.frames:
        return info.frames
    if info.duration and info.average_rate:
        return round(info.duration * info.average_rate)
    return None


def _say_done(job: Job, outcome: Outcome) -> None:
    if not outcome.written:
        print(f"{job.name}: already done, kept (--overwrite makes it anew)")
        return
    rate = outcome.frames / outcome.seconds
    people = "1 person" if outcome.people == 1 else f"{outcome.people} people"
    print(
        f"{job.name}: {outcome.frames} frames, {people}, "
        f"{outcome.seconds:.1f} s, {rate:.1f} frames/s"
    )
    for path in outcome.written:
        print(f"  wrote {path}")
    for path in outcome.kept:
        print(f"  kept  {path} (already done; --overwrite makes it anew)")
    for warning in outcome.warnings:
        print(f"vidpose: warning: {warning}", file=sys.stderr)


def _say_interrupted(job: Job, done: int, total: int) -> None:
    text = f"vidpose: interrupted in {job.name}; its unfinished outputs were removed"
    if total > 1:
        text += f", {done} of {total} sources were finished (run the same command to go on)"
    print(text, file=sys.stderr)
