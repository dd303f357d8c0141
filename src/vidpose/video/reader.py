"""Frames in: one reader for video files, image sequences, webcams and network streams."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from vidpose.errors import InputError
from vidpose.redact import redacted
from vidpose.results import SourceInfo
from vidpose.video.container import ContainerSource
from vidpose.video.file_object import FileObject, VideoSource, check_source, is_searchable
from vidpose.video.frames import Frame, FrameSource
from vidpose.video.images import ImageSource
from vidpose.video.part import skip_before
from vidpose.video.sound import SoundSource
from vidpose.video.sources import image_sequence, is_stream


class VideoReader:
    """The frames of one source, in order, once. A context manager and an iterator of ``Frame``.

    ``path``: a video file of any codec PyAV decodes; an image folder, a glob of images (str) or
    one image; ``webcam:0``; a network address such as ``rtsp://...`` (str); a ``FileObject``, for
    a video in memory or in a bucket. Read one frame at a time: memory does not grow with the
    length. Iteration may stop at any frame; ``close`` (or leaving the ``with`` block) frees the
    file.

    ``track``: which video track of several, counted from 1 in the order of the file; None takes
    the best one, and ``warnings`` says which that is. ``sound``: collect the sound, for
    ``VideoWriter``.

    ``start``, ``end``: the part to read, in seconds after the first frame, from the first frame at
    or after ``start`` up to the last one before ``end``. Numbers and times of the frames stay. Of
    a file, what lies before the key frame before ``start`` is not decoded.

    Images are RGB as displayed: with the rotation and mirroring that the container asks for, in
    square pixels (the width follows the pixels' shape), in BT.709's colours (HDR is tone-mapped).
    Each has the shape of its own picture: a source may turn or change its size at any frame.

    Times are the container's own presentation times in seconds, so the first frame need not be
    at 0 and a variable frame rate is kept. They strictly increase: a frame without a time stamp,
    or with one that is not later than its predecessor's, is spread evenly between its neighbours
    (see ``vidpose.video.times``). Images of a sequence, and the pages of a stack, follow each
    other by 1/``image_rate`` s (default: ``IMAGE_RATE``, 30), in the natural order of their names;
    an animated image has times of its own. A damaged image is a black frame, ``damaged``.

    Raises InputError at construction for whatever cannot be read; and when iterated after
    ``close``, or anew after the last frame.
    """

    def __init__(
        self,
        path: VideoSource,
        *,
        image_rate: float | None = None,
        track: int | None = None,
        sound: bool = False,
        start: float = 0.0,
        end: float | None = None,
    ) -> None:
        check_source(path)
        images = None
        if not isinstance(path, FileObject) and not is_stream(path):
            images = image_sequence(path)
        if images is None and image_rate is not None:
            raise InputError(f"{path}: a rate is for images alone; videos have their own times")
        if images is not None and track not in (None, 1):
            raise InputError(f"{path}: images have no video track {track}; leave the track out")
        skip = None
        if start > 0 and images is None and not is_stream(path) and is_searchable(path):
            file = path if isinstance(path, FileObject) else Path(path)
            skip = skip_before(file, track, start)
        self._source: FrameSource = (
            ContainerSource(path, track=track, sound=sound, skip=skip)
            if images is None
            else ImageSource(str(path), images, image_rate)
        )
        self._origin = None if skip is None else skip.origin
        self._frames = self._part(start, end)
        self._label = redacted(str(path))
        self._closed = self._ended = False

    def _part(self, start: float, end: float | None) -> Iterator[Frame]:
        for frame in self._source.frames():
            if self._origin is None:
                self._origin = frame.time
            seconds = frame.time - self._origin
            if end is not None and seconds >= end:
                return
            if seconds >= start:
                yield frame

    @property
    def origin(self) -> float:
        """The time of the source's first frame, also where reading starts later; 0 before any."""
        return self._origin or 0.0

    @property
    def info(self) -> SourceInfo:
        """What is known before decoding; ``frames`` may be an estimate, or None."""
        return self._source.info

    @property
    def sound(self) -> SoundSource | None:
        """The sound met so far, for ``VideoWriter``; None without any or if not asked for."""
        return self._source.sound

    @property
    def corrupt_packets(self) -> int:
        """Damaged packets (or unreadable images) met so far.

        They are skipped; only a damaged picture that the decoder could conceal is still given.
        """
        return self._source.health.corrupt_packets

    @property
    def truncated(self) -> bool:
        """Whether the end of the file is missing; known once all frames have been read."""
        return self._source.health.truncated

    @property
    def warnings(self) -> list[str]:
        """One line for each kind of trouble met; complete once all frames have been read."""
        return [redacted(warning) for warning in self._source.health.warnings]

    def __iter__(self) -> Iterator[Frame]:
        if self._ended:
            raise InputError(f"{self._label}: all frames have been read; open it anew")
        return self

    def __next__(self) -> Frame:
        if self._closed:
            raise InputError(f"{self._label}: this VideoReader is closed; open it anew")
        try:
            return next(self._frames)
        except StopIteration:
            self._ended = True
            raise

    def close(self) -> None:
        """Free the file. May be called twice, and before all frames have been read."""
        if not self._closed:
            self._closed = True
            self._frames = iter(())
            self._source.close()

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
