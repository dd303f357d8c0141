"""``vidpose data``: what of a data set is there, before hours are spent on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidpose.cli._errors import FAILED, DebugOption, UsageMistake

SHOWN = 20

data = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Check data sets.\n\nExample: vidpose data check penn_action data/Penn_Action",
)


@data.callback()
def _data() -> None:
    """Check data sets."""


@data.command("check")
def check(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="Data set, e.g. penn_action (docs/data.md)."),
    ],
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="Its folder, in the official layout.")
    ],
    every: Annotated[
        bool, typer.Option("--all", help="Open every image, not a sample of them.")
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Say what of a data set is there, what is missing and what is faulty.

    Exit code 0 when the set is complete and without faults, 1 otherwise.

    \b
    Examples:
      vidpose data check penn_action data/Penn_Action
      vidpose data check sub_jhmdb data/JHMDB --all
    """
    from vidpose.cli._progress import show_progress
    from vidpose.data.catalogue import DATA_SETS
    from vidpose.data.check import check_data

    if name not in DATA_SETS:
        raise UsageMistake(f"{name}: not a known data set; choose one of {', '.join(DATA_SETS)}")
    if not path.is_dir():
        raise UsageMistake(f"{path}: no such folder; give the root of the data set")
    with show_progress(f"{name}, clips and images", None) as meter:
        report = check_data(DATA_SETS[name], path, every_image=every, seen=meter.advance)
    print(f"{name} in {path}")
    for kind, lines in (
        ("found", report.found),
        ("missing", report.missing),
        ("faulty", report.faulty),
    ):
        for line in lines[:SHOWN]:
            print(f"  {kind:<8} {line}")
        if len(lines) > SHOWN:
            print(f"  {kind:<8} ... and {len(lines) - SHOWN:,} more")
    images = "all images" if every else "a sample of the images"
    if not report.found:
        nothing = "nothing of the data set is here"
        print("its labels cannot be used as they are" if report.faulty else nothing)
        raise typer.Exit(FAILED)
    if report.complete:
        print(f"complete, no faults ({images} opened)")
    else:
        count = len(report.faulty)
        print(f"not complete, {count:,} fault{'s' if count != 1 else ''} ({images} opened)")
        raise typer.Exit(FAILED)
