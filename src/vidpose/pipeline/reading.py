"""Reading a source ahead of those who use its frames."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from typing import cast

from vidpose.errors import InputError
from vidpose.pipeline.options import TrackOptions
from vidpose.threads import prefetch
from vidpose.video import Frame, VideoReader
from vidpose.video.file_object import VideoSource


@contextmanager
def opened(
    source: VideoSource,
    settings: TrackOptions,
    should_stop: Callable[[], bool] | None = None,
    *,
    sound: bool = False,
) -> Iterator[tuple[VideoReader, Iterator[Frame]]]:
    """The reader, and its frames, decoded ahead. Opening, reading and closing happen on another
    thread, so that a source which does not answer cannot hold this one."""
    reading = prefetch(_read(source, settings, sound), should_stop=should_stop or _never)
    with closing(reading) as items:
        reader = next(items, None)
        if not isinstance(reader, VideoReader):
            raise InputError(f"{source}: stopped before it was open")
        yield reader, cast("Iterator[Frame]", items)


def _read(
    source: VideoSource, settings: TrackOptions, sound: bool
) -> Generator[VideoReader | Frame, None, None]:
    start, end = settings["start"], settings["end"]
    with VideoReader(
        source,
        image_rate=settings["image_rate"],
        track=settings["video_track"],
        sound=sound,
        start=float(start),
        end=None if end is None else float(end),
    ) as reader:
        yield reader
        for count, frame in enumerate(reader):
            if count % settings["every"] == 0:
                yield frame


def _never() -> bool:
    return False
