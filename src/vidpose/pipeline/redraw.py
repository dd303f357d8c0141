"""Drawing a result that was read back, and perhaps cleaned, on its video."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vidpose.errors import InputError, OutputError
from vidpose.files import identity, refuse_existing
from vidpose.io import Results
from vidpose.pipeline.output_group import OutputGroup
from vidpose.pipeline.outputs import open_outputs
from vidpose.pipeline.provenance import VIDEO_SUFFIX, is_drawn_output
from vidpose.pipeline.selection import Viewport
from vidpose.results import Provenance
from vidpose.video import VideoReader
from vidpose.video.drawing import DrawStyle
from vidpose.video.file_object import VideoSource, check_source

_APART = 0.05  # seconds by which the times of a result and of its video may differ


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
        video: what the result was made from. Frames that the result has not are left out.
        outputs: one or several of .mp4 (with the video's sound), .gif, .webp, .jpg, .png and
            ``frames/*.png``, as `process_video` draws them. They appear when all is done.
        style: how people are drawn.
        overwrite: replace outputs that exist.

    Raises InputError when the result names no keypoints or has no frames, or the video cannot be
    read or has other frames; OutputError when an output is no picture, exists, or cannot be
    written.
    """
    check_source(video)
    header = results.header
    if header is None:
        raise InputError("this result does not name its keypoints; draw one of .jsonl or .parquet")
    paths = [Path(p) for p in ([outputs] if isinstance(outputs, (str, Path)) else outputs)]
    _check_outputs(paths, video, overwrite)
    wanted = {frame.index: frame for frame in results.frames}
    if not wanted:
        raise InputError(f"{video}: the result has no frames to draw")
    provenance = header.provenance or Provenance(header.source.path, None, header.model, "", "")
    sound = any(path.suffix.lower() == VIDEO_SUFFIX for path in paths)
    count = 0
    with VideoReader(video, sound=sound) as reader, OutputGroup() as group:
        open_outputs(
            group, paths, reader, header.skeleton, provenance, None, Viewport(),
            style or DrawStyle(),
        )  # fmt: skip
        for frame in reader:
            result = wanted.get(frame.index)
            if result is None:
                continue
            if abs(frame.time - result.time) > _APART:
                raise InputError(
                    f"{video}: not the video of this result: frame {frame.index} is at "
                    f"{frame.time:.3f} s, in the result at {result.time:.3f} s"
                )
            group.write(frame, result)
            count += 1
            if count == len(wanted):
                break
        if count < len(wanted):
            raise InputError(
                f"{video}: not the video of this result: it has {count} of its {len(wanted)} frames"
            )
    group.raise_failures()
    return count


def _check_outputs(paths: list[Path], video: VideoSource, overwrite: bool) -> None:
    for path in paths:
        if not is_drawn_output(path):
            raise OutputError(f"{path}: no kind of picture; draw .mp4 .gif .webp .jpg or .png")
        if isinstance(video, (str, Path)) and identity(path) == identity(Path(video)):
            raise OutputError(f"{path}: this is the video itself, it would be overwritten")
        refuse_existing(path, overwrite=overwrite)
