"""``vidpose report``: a result as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidpose.cli._errors import DebugOption, UsageMistake


def report(
    result: Annotated[
        Path,
        typer.Argument(metavar="RESULT", help="A result of vidpose: .jsonl or .parquet."),
    ],
    video: Annotated[
        Path | None,
        typer.Option(
            help="The result's video, to be shown in the page (made small: 9 MB at most).",
            show_default="stick figures alone",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE.html", help="The page.", show_default="RESULT.html here"
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a page that exists already.")
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Make a page of a result: player, plots, who is there when, numbers.

    The page is one file that needs no network: send it, keep it, open it in any browser of 2023
    or later.

    \b
    Examples:
      vidpose report squat.jsonl --video squat.mp4
      vidpose report squat.jsonl --out report.html
    """
    from vidpose.io import read_results
    from vidpose.report import write_report

    path = out or Path(result.name).with_suffix(".html")
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageMistake(f"--out {path}: a report is an .html file")
    if path.exists() and not overwrite:
        raise UsageMistake(f"{path}: it exists; --overwrite replaces it")
    write_report(read_results(result), path, video)
    print(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)")
