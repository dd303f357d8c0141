"""Opening a container, with one clear line for each way in which that can fail."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from vidpose.errors import InputError
from vidpose.video.file_object import FileObject, VideoSource, is_searchable
from vidpose.video.pipes import BeginningOf, ByteSource, is_pipe, open_pipe
from vidpose.video.sources import exists, is_stream, missing_file
from vidpose.video.truncation import missing_bytes, whole_boxes

_FORMS = {".ts": "mpegts", ".mts": "mpegts", ".m2ts": "mpegts"}
_OPEN_TIMEOUT, _READ_TIMEOUT = 15.0, 15.0  # seconds without an answer from the network


def open_container(spec: VideoSource) -> InputContainer:
    """Open a file, a webcam (``webcam:0``) or an address. Raises InputError with the reason."""
    location, form, options = str(spec), None, {}
    pipe: ByteSource | None = None
    if isinstance(spec, FileObject):
        pipe = spec
        if spec.seek(0, os.SEEK_END) == 0:
            raise _empty(spec)
        spec.seek(0)
    elif not is_stream(spec):
        _check_file(Path(spec))
        pipe = _open_if_pipe(Path(spec))
        location = f"file:{location}"  # a name such as 12:30.mp4 is no address
    elif location.startswith("webcam:"):
        location, form = _webcam(location)
    elif location.startswith("rtsp"):
        options = {"rtsp_transport": "tcp"}  # UDP loses packets, and so frames
    timeout = (_OPEN_TIMEOUT, _READ_TIMEOUT) if is_stream(spec) else None
    container = _opened(spec, location if pipe is None else pipe, form, options, timeout)
    if container.format.name.endswith("_pipe") or container.format.name == "image2":
        container.close()
        raise InputError(f"{spec}: a still image with a video's name; give it its own suffix")
    return container


def _opened(
    spec: VideoSource,
    source: str | ByteSource,
    form: str | None,
    options: dict[str, str],
    timeout: tuple[float, float] | None,
) -> InputContainer:
    try:
        container: InputContainer = av.open(
            source, "r", format=form, options=options, timeout=timeout, **_lenient_metadata()
        )
        return container
    except BaseException as error:
        if not isinstance(source, str):
            source.close()
        if isinstance(error, av.error.FFmpegError) and not is_stream(spec):
            file = spec if isinstance(spec, FileObject) else Path(spec)
            other = _opened_otherwise(file) if is_searchable(spec) else None
            if other is not None:
                return other
        if isinstance(error, (av.error.FFmpegError, OSError, ValueError)):
            raise _cannot_open(spec, error) from error
        raise


def _opened_otherwise(file: Path | FileObject) -> InputContainer | None:
    """A file that cannot be opened as a whole: up to the cut, or as what its name says it is."""
    try:
        end = whole_boxes(file)  # a recording that was cut while it wrote a fragment
        form = _FORMS.get(Path(str(file)).suffix.lower())  # junk in front hides what it is
        if not end and form is None:
            return None
        source: ByteSource | str = BeginningOf(file, end) if end else f"file:{file}"
        if not end and isinstance(file, FileObject):
            file.seek(0)
            source = file
        container: InputContainer = av.open(source, "r", format=form, **_lenient_metadata())
        return container
    except (av.error.FFmpegError, OSError):
        return None


def _lenient_metadata() -> dict[str, Any]:
    """The argument of ``av.open`` by which a title in another encoding is no reason to fail.

    PyAV 19 never fails at one, and knows the argument no more.
    """
    return {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}


def _open_if_pipe(path: Path) -> ByteSource | None:
    try:
        return open_pipe(path) if is_pipe(path) else None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the pipe") from error


def _check_file(path: Path) -> None:
    if not exists(path):
        raise missing_file(path)
    if path.is_file() and path.stat().st_size == 0:
        raise _empty(path)


def _empty(source: Path | FileObject) -> InputError:
    return InputError(f"{source}: the file is empty; copy or record it again")


def _cannot_open(spec: VideoSource, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or str(error)
    if is_stream(spec):
        if isinstance(error, av.error.ExitError):  # what FFmpeg calls our time limit
            reason = f"no answer within {_OPEN_TIMEOUT:.0f} s"
        return InputError(f"{spec}: cannot be opened ({reason}); check the address or device")
    file = spec if isinstance(spec, FileObject) else Path(spec)
    try:
        # A pipe gives its bytes but once.
        missing = missing_bytes(file) if is_searchable(file) else 0
    except OSError:
        return InputError(f"{spec}: cannot be read ({reason}); check its permissions")
    if missing:
        return InputError(
            f"{spec}: cut short, {missing} bytes are missing and with them its index; "
            "copy or record it again"
        )
    return InputError(
        f"{spec}: not a video, or damaged or unfinished ({reason}); check that it plays elsewhere"
    )


def _webcam(spec: str) -> tuple[str, str]:
    number = spec.removeprefix("webcam:")
    if not number.isdecimal():
        raise InputError(f"{spec}: a webcam is named by its number, such as webcam:0")
    devices = {"linux": (f"/dev/video{number}", "v4l2"), "darwin": (number, "avfoundation")}
    if sys.platform not in devices:
        raise InputError(f"{spec}: webcams can be read on Linux and macOS only; record to a file")
    return devices[sys.platform]


def has_decoder(stream: Stream) -> bool:
    """Whether this build of FFmpeg can decode the stream."""
    context: object = stream.codec_context  # PyAV's types do not say that it may be None
    return context is not None


def video_stream(
    container: InputContainer, label: str, track: int | None = None
) -> tuple[VideoStream, str | None]:
    """A video track and, where there are several, a line that says which was taken.

    ``track``: its number in the order of the file, from 1; None takes the best one. Cover
    pictures do not count. Raises InputError if there is no such track or none can be decoded.
    """
    cover = Disposition.attached_pic  # the cover of an album, in a file of sound
    streams = [s for s in container.streams.video if not s.disposition & cover]
    if not streams:
        what = "only sound" if container.streams.audio else "no video track"
        raise InputError(f"{label}: there is {what} in this file; give a file with video")
    if track is not None and not 1 <= track <= len(streams):
        count = "one video track" if len(streams) == 1 else f"{len(streams)} video tracks"
        raise InputError(
            f"{label}: there is no video track {track}; the file has {count}, counted from 1"
        )
    stream = streams[track - 1] if track else _best(container, streams)
    if not has_decoder(stream):
        raise InputError(f"{label}: no decoder for this video codec; convert it to H.264 first")
    return stream, _which(streams, stream) if len(streams) > 1 and track is None else None


def _best(container: InputContainer, streams: list[VideoStream]) -> VideoStream:
    best = container.streams.best("video")
    choice = next((s for s in streams if s is best), streams[0])
    if has_decoder(choice):
        return choice
    return next(filter(has_decoder, streams), choice)


def _which(streams: list[VideoStream], taken: VideoStream) -> str:
    others = ", ".join(
        f"--track {number} is {_size(stream)}"
        for number, stream in enumerate(streams, 1)
        if stream is not taken
    )
    number = streams.index(taken) + 1
    return f"{len(streams)} video tracks; number {number} ({_size(taken)}) is taken, {others}"


def _size(stream: VideoStream) -> str:
    if not has_decoder(stream):
        return "of an unknown codec"
    context = stream.codec_context
    return f"{context.width}x{context.height} {context.name}"


def sound_stream(container: InputContainer, video: VideoStream | None) -> AudioStream | None:
    """The audio track that belongs to the video track (of the same program); None without one."""
    best = container.streams.best("audio", video)
    if isinstance(best, AudioStream):
        return best
    # FFmpeg finds none good enough; an announced one is named so that its lack can be told.
    return next(iter(container.streams.audio), None)
