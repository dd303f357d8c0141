"""The page itself: one HTML file that needs no network."""

from __future__ import annotations

import html
import json
from importlib.resources import files
from pathlib import Path
from string import Template

from vidpose.errors import InputError, OutputError
from vidpose.files import AtomicFile, cannot_write, identity, make_folder, refuse_existing
from vidpose.io import Results
from vidpose.io.reading import check_results
from vidpose.report.content import report_content
from vidpose.report.video_data import embedded_video
from vidpose.video.file_object import VideoSource, check_source

REPORT_SUFFIXES = (".html", ".htm")


def write_report(
    results: Results,
    path: str | Path,
    video: VideoSource | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Write ``results`` as a page: player, plots, timeline and numbers, in one .html file.

    ``video``: the result's video, to be shown, at most 640 pixels wide or high, under the
    skeletons; without it they are drawn on a plain ground. ``overwrite``: replace a page that
    exists. Missing folders are made.

    Raises InputError when the results have no header or no frames or the video is another one,
    OutputError when the file exists, is no .html, or cannot be written.
    """
    check_results(results)
    if video is not None:
        check_source(video)
    path = Path(path)
    check_report_path(path, overwrite=overwrite)
    if isinstance(video, (str, Path)) and identity(Path(video)) == identity(path):
        raise OutputError(f"{path}: this is the video, it would be overwritten; name another file")
    if results.header is None:
        raise InputError("a report needs a result that names its keypoints: .jsonl or .parquet")
    if not results.frames:
        raise InputError("a report needs a result with frames, and this one has none")
    content, arrays = report_content(results.header, results.frames)
    shown = embedded_video(video, results.header, results.frames) if video is not None else ""
    text = Template(_part("report.html")).substitute(
        title=html.escape(f"{content['name']} - vidpose report"),
        style=_part("uplot.css") + _part("report.css"),
        # A name with "</script>" in it must not end the script.
        content=json.dumps(content).replace("<", "\\u003c"),
        arrays=arrays,
        video=shown,
        scripts=_part("uplot.js") + "\n" + _part("report.js"),
    )
    make_folder(path)
    target = AtomicFile(path)
    try:
        target.temporary.write_text(text, encoding="utf-8")
        target.commit()
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        target.discard()


def check_report_path(path: Path, *, overwrite: bool) -> None:
    """Raise OutputError where no page can stand under this name."""
    if path.suffix.lower() not in REPORT_SUFFIXES:
        raise OutputError(f"{path}: a report is an .html file; name it {path.stem}.html")
    refuse_existing(path, overwrite=overwrite)


def _part(name: str) -> str:
    return (files("vidpose.report") / "page" / name).read_text(encoding="utf-8")
