"""``vidpose report``: a result as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidpose.cli._errors import UsageMistake
from vidpose.cli._files import check_outputs
from vidpose.cli._options import DebugOption, OverwriteOption, ResultArgument


def report(
    result: ResultArgument,
    video: Annotated[
        str | None,
        typer.Option(
            help="The result's video, to be shown in the page (made small: 9 MB at most).",
            show_default="stick figures alone",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE.html",
            help="The page.",
            show_default="RESULT.html in the current folder",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
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
    from vidpose.report import REPORT_SUFFIXES, write_report

    path = out or Path(result.name).with_suffix(".html")
    if path.suffix.lower() not in REPORT_SUFFIXES:
        raise UsageMistake(f"--out {path}: a report is an .html file")
    check_outputs([path], overwrite=overwrite, inputs=[result, video or result])
    write_report(read_results(result), path, video, overwrite=overwrite)
    print(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)")
