"""``vidpose run``: pose in videos, from files to files."""

from __future__ import annotations

from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from vidpose.cli._errors import FAILED, DebugOption, UsageMistake, option_mistake, say_error
from vidpose.cli._files import OverwriteOption
from vidpose.cli._runtime import RuntimeChoice, RuntimeOption, load_networks, usable_threads
from vidpose.defaults import DEFAULT_MODEL, FAST_MODEL
from vidpose.errors import InputError, VidposeError

PART, PEOPLE = "Which part of the video", "Which people, and how"
DRAWING = "How they are drawn"


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
    model: Annotated[
        str | None,
        typer.Option(
            help="Name of a shipped model (see `vidpose models`) or a bundle's path.",
            show_default=DEFAULT_MODEL,
        ),
    ] = None,
    fast: Annotated[
        bool,
        typer.Option("--fast", help=f"Less accurate in about half of the time: {FAST_MODEL}."),
    ] = False,
    detector: Annotated[
        str | None,
        typer.Option(
            help="Another person detector: a bundle, or a YOLOX- or RTMDet-style ONNX file. "
            "Default: the shipped finder.",
            show_default=False,
        ),
    ] = None,
    no_smooth: Annotated[
        bool,
        typer.Option(
            "--no-smooth",
            help="Leave the keypoints as the network gives them.",
            rich_help_panel=PEOPLE,
        ),
    ] = False,
    angles: Annotated[
        bool, typer.Option("--angles", help="Add joint and segment angles to .csv and .parquet.")
    ] = False,
    start: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="Begin here: seconds or hh:mm:ss.mmm from the video's first frame.",
            show_default="the beginning",
            rich_help_panel=PART,
        ),
    ] = "0",
    end: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Stop before the frame of this time.",
            show_default="the end",
            rich_help_panel=PART,
        ),
    ] = None,
    every: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Take only every Nth frame.", rich_help_panel=PART),
    ] = 1,
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
    max_side: Annotated[
        int | None,
        typer.Option(
            min=16,
            metavar="PIXELS",
            help="Make larger pictures smaller, before people are detected and drawn, until "
            "their longer side has so many pixels: for 4K. Coordinates in tables stay those of "
            "the video.",
            show_default=False,
            rich_help_panel=PART,
        ),
    ] = None,
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
    max_people: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Follow at most this many people at a time; those who are there first stay.",
            show_default="all",
            rich_help_panel=PEOPLE,
        ),
    ] = None,
    min_score: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Leave people out of the frames in which their score is below this.",
            rich_help_panel=PEOPLE,
        ),
    ] = 0.0,
    confirm_score: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Leave out who never has this median score over a second, as drawings and posters "
            "do; 0 takes everybody.",
            show_default="0.6, or 0 for models without calibrated confidences",
            rich_help_panel=PEOPLE,
        ),
    ] = None,
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
    draw_min_confidence: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Keypoints below this confidence are not drawn.",
            rich_help_panel=DRAWING,
        ),
    ] = 0.05,
    trails: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=3600.0,
            metavar="SECONDS",
            help="Show everybody's way of the last seconds.",
            rich_help_panel=DRAWING,
        ),
    ] = 0.0,
    ids_only: Annotated[
        bool,
        typer.Option("--ids-only", help="Draw boxes and ids alone.", rich_help_panel=DRAWING),
    ] = False,
    blur_faces: Annotated[
        bool,
        typer.Option(
            "--blur-faces",
            help="Make the heads of the people who were found unrecognisable.",
            rich_help_panel=DRAWING,
        ),
    ] = False,
    on_black: Annotated[
        bool,
        typer.Option(
            "--on-black", help="Draw skeletons without the picture.", rich_help_panel=DRAWING
        ),
    ] = False,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Threads of the networks, at most one for each CPU that may be used.",
            show_default="half of the cores; all of them for a webcam or a stream",
        ),
    ] = None,
    runtime: RuntimeOption = RuntimeChoice.onnxruntime,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing but warnings and errors.")
    ] = False,
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
    if fast and model is not None:
        raise UsageMistake(f"--fast names a model already, {FAST_MODEL}: give it or --model")
    chosen = model or (FAST_MODEL if fast else DEFAULT_MODEL)
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
