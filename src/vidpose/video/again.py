"""The video of a result, opened once more."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from vidpose.errors import InputError
from vidpose.results import FrameResult, ResultHeader
from vidpose.video.digest import source_digest
from vidpose.video.file_object import FileObject, VideoSource
from vidpose.video.frames import Frame
from vidpose.video.reader import VideoReader
from vidpose.video.sources import image_sequence, is_stream

_APART = 0.05  # seconds by which the times of a result and of its video may differ
_log = logging.getLogger(__name__)


@contextmanager
def opened_again(
    video: VideoSource, header: ResultHeader, *, sound: bool = False
) -> Iterator[VideoReader]:
    """``video`` as it was read for the result: the same track, rate of images, and start.

    Raises InputError when it cannot be read, or its pictures have another size; a file that is
    another one than the result's, re-encoded perhaps, is noted.
    """
    options = header.provenance.options if header.provenance is not None else {}
    images = _images(video)
    reader = VideoReader(
        video,
        image_rate=_number(options, "image_rate") if images else None,
        track=None if images else _whole(options, "video_track"),
        sound=sound,
        start=_number(options, "start") or 0.0,
    )
    with closing(reader):
        found = reader.info.width, reader.info.height
        wanted = header.source.width, header.source.height
        if found != wanted:
            raise _another(
                video,
                f"its pictures have {found[0]}x{found[1]} pixels, not {wanted[0]}x{wanted[1]}",
            )
        _note_another_file(video, header, images)
        yield reader


def matched(
    video: VideoSource, frames: Iterable[Frame], results: Iterable[FrameResult]
) -> Iterator[tuple[Frame, FrameResult]]:
    """Each result with its frame, by the frames' numbers; frames that have none are left out.

    Raises InputError where frames are missing, or have other times.
    """
    wanted = {result.index: result for result in results}
    count = 0
    for frame in frames:
        result = wanted.get(frame.index)
        if result is None:
            continue
        if abs(frame.time - result.time) > _APART:
            raise _another(
                video,
                f"frame {frame.index} is at {frame.time:.3f} s, in the result at "
                f"{result.time:.3f} s",
            )
        yield frame, result
        count += 1
        if count == len(wanted):
            return
    raise _another(video, f"it has {count} of its {len(wanted)} frames")


def _another(video: VideoSource, reason: str) -> InputError:
    return InputError(f"{video}: not the video of this result: {reason}")


def _note_another_file(video: VideoSource, header: ResultHeader, images: list[Path] | None) -> None:
    """Folders of images are left out: copies of them have other times of change."""
    made_from = header.provenance
    if made_from is None or made_from.source_digest is None or (images and len(images) > 1):
        return
    digest = source_digest(video)
    if digest is not None and digest != made_from.source_digest:
        _log.warning(
            "%s: its content is not that of %s, of which the result was made; see whether the "
            "skeletons fit",
            video,
            made_from.source,
        )


def _images(video: VideoSource) -> list[Path] | None:
    """The images that it stands for, None of a video."""
    return None if isinstance(video, FileObject) or is_stream(video) else image_sequence(video)


def _number(options: Mapping[str, Any], name: str) -> float | None:
    """An option of the result's header, which a file may hold in any form."""
    value = options.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < 1e9:
        return None
    return float(value)


def _whole(options: Mapping[str, Any], name: str) -> int | None:
    value = _number(options, name)
    return int(value) if value is not None and value.is_integer() else None
