"""``vidpose batch``: thousands of videos into one data set, on this machine or on a cluster."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidpose.cli._errors import FAILED, UsageMistake, option_mistake, say_error
from vidpose.cli._options import (
    AnglesOption,
    ConfirmScoreOption,
    DebugOption,
    DetectorOption,
    EndOption,
    EveryOption,
    FastOption,
    MaxPeopleOption,
    MaxSideOption,
    MinScoreOption,
    ModelOption,
    NoSmoothOption,
    QuietOption,
    StartOption,
)
from vidpose.cli._runtime import chosen_model
from vidpose.errors import InputError

if TYPE_CHECKING:
    from vidpose.batch.sources import Source

WHERE, COPIES = "Where the work is done", "Videos from elsewhere"


def batch(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Videos, folders of videos, globs; lists (.txt: a path a line); tables (.csv, "
            ".parquet) with a column of paths; addresses such as s3://BUCKET/FOLDER.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="DEST",
            help="The data set: a folder that every worker sees.",
            show_default=False,
        ),
    ],
    local: Annotated[
        bool,
        typer.Option(
            "--local",
            help="Processes of this machine, without Ray.",
            rich_help_panel=WHERE,
        ),
    ] = False,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT|ray://HOST:PORT",
            help="A running Ray cluster to join.",
            show_default="Ray is started on this machine",
            rich_help_panel=WHERE,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="How many videos at a time.",
            show_default="one for each CPU",
            rich_help_panel=WHERE,
        ),
    ] = None,
    column: Annotated[
        str, typer.Option(help="The column of tables that names the videos.")
    ] = "source",
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed", help="Try those again, too, that killed their process three times."
        ),
    ] = False,
    annotated: Annotated[
        bool,
        typer.Option("--annotated", help="Draw each video, too; long ones are not split then."),
    ] = False,
    model: ModelOption = None,
    fast: FastOption = False,
    detector: DetectorOption = None,
    threads: Annotated[
        int, typer.Option(min=1, help="Threads of each worker's networks.", rich_help_panel=WHERE)
    ] = 1,
    no_smooth: NoSmoothOption = False,
    angles: AnglesOption = False,
    start: StartOption = "0",
    end: EndOption = None,
    every: EveryOption = 1,
    max_side: MaxSideOption = None,
    max_people: MaxPeopleOption = None,
    min_score: MinScoreOption = 0.0,
    confirm_score: ConfirmScoreOption = None,
    split: Annotated[
        float,
        typer.Option(
            min=0.0,
            metavar="SECONDS",
            help="Split longer videos at key frames into pieces of this length, and join the "
            "results; 0: never. Not with --annotated, --every, --start or --end.",
            rich_help_panel=WHERE,
        ),
    ] = 600.0,
    scratch: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where each worker copies long videos from elsewhere to, and those that cannot be "
            "read in place, one at a time.",
            show_default="the system's folder for temporary files",
            rich_help_panel=COPIES,
        ),
    ] = None,
    scratch_limit: Annotated[
        float,
        typer.Option(
            min=0.001,
            metavar="GB",
            help="Videos that are larger are not copied, and fail.",
            rich_help_panel=COPIES,
        ),
    ] = 20.0,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Make again what is finished there with other settings."),
    ] = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Find the people in thousands of videos; the results are one data set.

    DEST holds a Parquet file for each video, which pandas, DuckDB, pyarrow and Ray Data read as
    one table, and the manifest DEST/_vidpose/manifest, which says what became of each video. Run
    the same command again, and what is missing, failed or changed is done; other options than
    those of the finished videos are refused.

    \b
    Examples:
      vidpose batch clips/ --out poses/ --local
      vidpose batch 'archive/**/*.mp4' --out poses/ --address head:6379
      vidpose batch videos.csv --column path --out poses/ --retry-failed
      vidpose batch s3://bucket/videos --out /mnt/poses --scratch /fast --scratch-limit 5

    Exit codes: 0 done; 1 some videos failed (each is named); 2 wrong usage; 130 interrupted.
    """
    from vidpose.batch import Settings, run_batch
    from vidpose.cli._batch_pool import new_pool
    from vidpose.cli._batch_progress import show_batch
    from vidpose.cli._interrupt import Interrupted, stop_on_signals
    from vidpose.inference.detectors.default import DEFAULT_DETECTOR
    from vidpose.pipeline.options import TrackOptions, with_defaults

    _check(out, local, address, split)
    chosen = chosen_model(model, fast=fast)
    options: TrackOptions = {
        "smooth": not no_smooth,
        "start": start,
        "end": end,
        "every": every,
        "max_side": max_side,
        "max_people": max_people,
        "min_score": min_score,
        "confirm_score": confirm_score,
    }
    try:
        options = with_defaults(options)
    except InputError as error:
        raise option_mistake(error) from error
    settings = Settings(
        model=chosen,
        detector=detector or DEFAULT_DETECTOR,
        threads=threads,
        options=options,
        angles=angles,
        annotated=annotated,
        split=split or None,
        scratch=scratch,
        scratch_limit=round(scratch_limit * 1e9),
    )
    networks = settings.load()
    found, missed = _find(sources, column)
    if not found:
        raise typer.Exit(FAILED)
    with stop_on_signals() as stop, show_batch(quiet=quiet) as monitor:
        try:
            summary = run_batch(
                found,
                out,
                settings.marks(*networks),
                lambda: new_pool(out, settings, networks, workers, local, address),
                retry_failed=retry_failed,
                overwrite=overwrite,
                monitor=monitor,
                check=stop.check,
            )
        except Interrupted as interruption:
            monitor.say_interrupted()
            raise typer.Exit(interruption.exit_code) from None
        monitor.say_summary(summary, out)
    if missed or summary.failed or summary.quarantined:
        raise typer.Exit(FAILED)


def _check(out: Path, local: bool, address: str | None, split: float) -> None:
    if local and address is not None:
        raise UsageMistake("--local and --address: one of the two")
    if address is not None and not re.fullmatch(r"(ray://)?[^/:]+:\d+", address):
        raise UsageMistake(f"--address {address}: give ray://HOST:PORT or HOST:PORT")
    if "://" in str(out) or ":/" in str(out)[2:]:
        address = re.sub(r"^(\w+):/+", r"\1://", str(out))
        raise UsageMistake(
            f"--out {address}: results go to a folder that every worker sees, as the lock and the "
            "manifest need a file system; give one, and copy it to the bucket afterwards"
        )
    if out.exists() and not out.is_dir():
        raise UsageMistake(f"--out {out}: this is a file; a folder is needed")
    if 0 < split < 10:
        raise UsageMistake(f"--split {split:g}: pieces of less than 10 seconds are mostly overlap")


def _find(specs: list[str], column: str) -> tuple[list[Source], int]:
    """The sources, and how many of ``specs`` led to none."""
    from vidpose.batch.sources import find_sources

    found: list[Source] = []
    missed = 0
    for spec in specs:
        try:
            found += find_sources(spec, column)
        except InputError as error:
            say_error(error)
            missed += 1
    return found, missed
