"""Drawing a result that was read back, and perhaps cleaned, on its video."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from vidpose.errors import InputError, OutputError
from vidpose.files import refuse_existing
from vidpose.io import Results
from vidpose.io.reading import check_results
from vidpose.pipeline.existing import differing_style, refuse_own_source
from vidpose.pipeline.output_group import OutputGroup
from vidpose.pipeline.outputs import open_outputs
from vidpose.pipeline.provenance import (
    VIDEO_SUFFIX,
    is_drawn_output,
    is_numbered,
    note_outputs,
    numbered_files,
)
from vidpose.pipeline.selection import Viewport
from vidpose.results import Provenance, ResultHeader
from vidpose.video.again import matched, opened_again
from vidpose.video.drawing import DrawStyle, check_style
from vidpose.video.file_object import VideoSource, check_source


def draw_video(
    results: Results,
    video: VideoSource,
    outputs: str | Path | Iterable[str | Path],
    *,
    style: DrawStyle | None = None,
    overwrite: bool = False,
) -> int:
    """Draw the people of a result on its video; returns the number of frames drawn.

        results = vidpose.read_results("clean.jsonl")
        vidpose.draw_video(results, "dance.mp4", "clean.mp4")

    Args:
        results: of .jsonl or .parquet, which name their keypoints.
        video: what the result was made from, read at the same rate (images) and of the same track.
            Frames that the result has not are left out. A file that is another one than the
            result's, re-encoded perhaps, is drawn and noted.
        outputs: one or several of .mp4 (with the video's sound), .gif, .webp, .jpg, .png and
            ``frames/*.png``, as `process_video` draws them. They appear when all is done.
        style: how people are drawn.
        overwrite: replace outputs that exist.

    Raises InputError when the result names no keypoints or has no frames, or the video cannot be
    read or has pictures of another size or other frames; OutputError when an output is no picture,
    exists, is part of the video, or cannot be written.
    """
    check_results(results)
    check_source(video)
    check_style(style)
    header = results.header
    if header is None:
        raise InputError("this result does not name its keypoints; draw one of .jsonl or .parquet")
    paths = [Path(p) for p in ([outputs] if isinstance(outputs, (str, Path)) else outputs)]
    if not paths:
        raise OutputError("there is no output to draw to; name one, such as clean.mp4")
    check_drawn_outputs(paths, video, overwrite=overwrite)
    if not results.frames:
        raise InputError(f"{video}: the result has no frames to draw")
    made_from = _made_from(header, style)
    sound = any(path.suffix.lower() == VIDEO_SUFFIX for path in paths)
    count = 0
    with opened_again(video, header, sound=sound) as reader, OutputGroup() as group:
        open_outputs(
            group, paths, reader, header.skeleton, made_from, None, Viewport(),
            style or DrawStyle(),
        )  # fmt: skip
        for frame, result in matched(video, reader, results.frames):
            group.write(frame, result)
            count += 1
    note_outputs(group.finished, made_from, whole=True)
    group.raise_failures()
    return count


def check_drawn_outputs(paths: list[Path], video: VideoSource, *, overwrite: bool) -> None:
    """Raise OutputError for an output that is no picture, would replace a part of the video, or is
    there and not to be replaced."""
    for path in paths:
        if not is_drawn_output(path):
            raise OutputError(
                f"{path}: no kind of picture; name a file of .mp4 .gif .webp .jpg or .png"
            )
        refuse_existing(path, overwrite=overwrite)
    refuse_own_source(paths, video)
    for path in paths:
        if is_numbered(path) and numbered_files(path) and not overwrite:
            raise OutputError(
                f"{path}: such pictures exist; --overwrite (overwrite=True) replaces them"
            )


def _made_from(header: ResultHeader, style: DrawStyle | None) -> Provenance:
    """What the pictures were made from: never what a run makes, as results may be cleaned."""
    known = header.provenance or Provenance(header.source.path, None, header.model, "", "")
    return replace(known, options={**known.options, **differing_style(style), "draw": True})
