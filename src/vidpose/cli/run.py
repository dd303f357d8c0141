"""``vidpose run``: pose in videos, from files to files."""

from __future__ import annotations

from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from vidpose.cli._errors import FAILED, option_mistake, say_error
from vidpose.cli._options import (
    PART,
    PEOPLE,
    AnglesOption,
    BlurFacesOption,
    ConfirmScoreOption,
    DebugOption,
    DetectorOption,
    DrawMinConfidenceOption,
    EndOption,
    EveryOption,
    FastOption,
    IdsOnlyOption,
    MaxPeopleOption,
    MaxSideOption,
    MinScoreOption,
    ModelOption,
    NoSmoothOption,
    OnBlackOption,
    OverwriteOption,
    QuietOption,
    RuntimeChoice,
    RuntimeOption,
    StartOption,
    TrailsOption,
)
from vidpose.cli._runtime import chosen_model, load_networks, usable_threads
from vidpose.errors import InputError, VidposeError


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
            help="Video files, folders of videos or of images, globs, webcam:0, addresses such as "
            "rtsp://HOST/PATH, and - for the standard input.",
            show_default=False,
        ),
    ],
    out: Annotated[
        list[str] | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE|DIR/|.KIND|-",
            help="What to write; may be given several times. The suffix chooses the kind: .jsonl "
            ".csv .parquet .json (COCO results) .openpose.zip .mmpose.json .ultralytics.json .rrd "
            "(rerun); .mp4 (annotated), .gif or .webp (its first minute, small), .jpg or .png (a "
            "contact sheet of 16 frames), frames/*.png (a file per frame). A folder or only a "
            "suffix means one file per source, named after it; - means JSON lines on standard "
            "output. "
            "Default: NAME.jsonl and NAME_pose.mp4 in the current folder.",
            show_default=False,
        ),
    ] = None,
    model: ModelOption = None,
    fast: FastOption = False,
    detector: DetectorOption = None,
    no_smooth: NoSmoothOption = False,
    angles: AnglesOption = False,
    start: StartOption = "0",
    end: EndOption = None,
    every: EveryOption = 1,
    region: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y,W,H",
            help="Search only this rectangle, in pixels; coordinates stay those of the whole "
            "picture.",
            show_default=False,
            rich_help_panel=PART,
        ),
    ] = None,
    max_side: MaxSideOption = None,
    person: Annotated[
        str | None,
        typer.Option(
            metavar="largest|first|ID|X,Y@TIME",
            help="Keep one person. largest: in each frame the one with the largest box. first: "
            "the one who was there first. ID: that one. X,Y@TIME: whoever's box has the pixel X,Y "
            "at that time, from then on.",
            show_default="all",
            rich_help_panel=PEOPLE,
        ),
    ] = None,
    max_people: MaxPeopleOption = None,
    min_score: MinScoreOption = 0.0,
    confirm_score: ConfirmScoreOption = None,
    min_duration: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            help="Leave out who is seen for less than this, at most 1.5; `vidpose convert` takes "
            "longer ones.",
            rich_help_panel=PEOPLE,
        ),
    ] = 0.0,
    tracker: Annotated[
        TrackerChoice,
        typer.Option(
            help="How people are told apart. default: followed by the model's memory. poseflow, "
            "flow: found anew in every frame, which takes three to six times as long.",
            rich_help_panel=PEOPLE,
        ),
    ] = TrackerChoice.default,
    fps: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=1000,
            help="Frames a second of image folders and stacks; videos have their own times.",
            show_default="30",
            rich_help_panel=PART,
        ),
    ] = None,
    track: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Which video track of a file with several, counted from 1.",
            show_default="the best one, and a line says which that is",
            rich_help_panel=PART,
        ),
    ] = None,
    draw_min_confidence: DrawMinConfidenceOption = 0.05,
    trails: TrailsOption = 0.0,
    ids_only: IdsOnlyOption = False,
    blur_faces: BlurFacesOption = False,
    on_black: OnBlackOption = False,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Threads of the networks, at most one for each CPU that may be used.",
            show_default="half of the cores; all of them for a webcam or a stream",
        ),
    ] = None,
    runtime: RuntimeOption = RuntimeChoice.onnxruntime,
    quiet: QuietOption = False,
    overwrite: OverwriteOption = False,
    debug: DebugOption = False,
) -> None:
    """Find the people in videos and follow their keypoints.

    Outputs appear only when they are complete. One that this source, model and options made is
    kept, so the same command goes on with a half-done set; any other is never replaced unasked.

    \b
    Examples:
      vidpose run dance.mp4
      vidpose run dance.mp4 --fast --out fast/
      vidpose run dance.mp4 --out dance.csv --out dance_pose.mp4
      vidpose run clips/ 'more/*.mkv' --out results/
      vidpose run clips/ --out results/.parquet --no-smooth
      vidpose run game.mp4 --start 1:30 --end 1:45 --person 320,200@91 --out player.csv
      vidpose run walk.mp4 --out walk.gif --out sheet.jpg --trails 1 --blur-faces
      vidpose run - --out - < dance.mp4 | head

    Exit codes: 0 done; 1 some inputs failed (each is named); 2 wrong usage; 130 interrupted.
    """
    from vidpose.cli._batch import Say, run_all
    from vidpose.cli._outputs import plan_jobs, refuse_idle_options
    from vidpose.inference.backends.cpus import default_threads
    from vidpose.inference.detectors.default import DEFAULT_DETECTOR
    from vidpose.pipeline import TrackOptions, process_video
    from vidpose.pipeline.options import expected_frames, with_defaults
    from vidpose.video.drawing import DrawStyle
    from vidpose.video.sources import is_stream

    options: TrackOptions = {
        "smooth": not no_smooth,
        "max_people": max_people,
        "tracker": tracker.value,
        "image_rate": fps,
        "video_track": track,
        "start": start,
        "end": end,
        "every": every,
        "region": region,
        "max_side": max_side,
        "person": person,
        "min_score": min_score,
        "confirm_score": confirm_score,
        "min_duration": min_duration,
    }
    try:
        with_defaults(options)
    except InputError as error:
        raise option_mistake(error) from error
    found, failed = _find(sources)
    jobs = plan_jobs(found, out or [])
    style = DrawStyle(draw_min_confidence, trails, ids_only, blur_faces, on_black)
    refuse_idle_options(jobs, style, angles=angles)
    chosen = chosen_model(model, fast=fast)
    live = any(is_stream(source) for source in found)
    count = usable_threads(threads) if threads else default_threads(live=live)
    say = Say(quiet=quiet, aside="-" in (out or []))
    pose_model, finder = load_networks(chosen, detector or DEFAULT_DETECTOR, count, runtime, say)
    process = partial(
        process_video,
        model=pose_model,
        detector=finder,
        angles=angles,
        style=style,
        overwrite=overwrite,
        **options,
    )
    failed += run_all(jobs, process, lambda info: expected_frames(info, options), say)
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
        except Exception as error:
            say_error(error, about=spec)
            failed += 1
    return list(found), failed
