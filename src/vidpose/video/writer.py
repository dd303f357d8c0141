"""Frames out: H.264 in an mp4, with the source's times and sound."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vidpose.errors import InputError, OutputError
from vidpose.files import AtomicFile, FinishedOrAborted, identity
from vidpose.video.audio import BAD_DATA, AudioTrack
from vidpose.video.container import open_sound
from vidpose.video.frames import check_rgb
from vidpose.video.letterbox import fitted
from vidpose.video.sound import SoundSource
from vidpose.video.times import FALLBACK_RATE

TIME_BASE = Fraction(1, 90000)
"""Resolution of the written times, in seconds."""

_MAX_GAP = 3600  # seconds; an mp4 cannot hold six hours between two frames
_MIN_SIDE = 16  # smallest picture that H.264 decoders agree on
_OPTIONS = {"preset": "superfast", "crf": "23"}  # the processor is busy with poses
_BT709 = 1  # H.273 code of this standard as matrix, primaries and transfer function
_LIMITED_RANGE = 1


class VideoWriter(FinishedOrAborted):
    """Writes frames as H.264 video to an .mp4 file. A context manager.

    ``path``: the file to make. It appears under this name only when ``close`` has finished it;
    until then it is an ``AtomicFile`` beside it. Leaving the ``with`` block by an exception
    discards it, as ``abort`` does.
    ``width``, ``height``: size of the frames, in square pixels. H.264 needs even sizes and
    decoders need at least 16x16, so smaller or odd pictures are extended on the right and at the
    bottom by repeating their last column and row; coordinates stay the same. A frame of another
    shape is scaled to fit, with black borders.
    ``audio_from``: the sound to carry over with its own times: that of a ``VideoReader``
    (``reader.sound``), which is read but once, or a file, which is opened anew. It is copied
    where mp4 can hold it, else encoded as AAC, else left out with a warning.
    ``comment``: for the file's metadata.

    The video starts at 0: picture and sound are shifted together by the first frame's time. From
    there on times are kept to 1/90000 s, also at a variable frame rate; frames that are closer
    follow by one such tick, and a gap of more than an hour is closed. Memory does not grow with
    the length of the video beyond the mp4's own index. Raises OutputError when the file cannot be
    written (unwritable place, full disk), InputError when a file of ``audio_from`` cannot be
    read.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        width: int,
        height: int,
        audio_from: str | Path | SoundSource | None = None,
        comment: str | None = None,
    ) -> None:
        if width < 1 or height < 1:
            raise InputError(f"a video needs a positive size, got {width}x{height}")
        self._path = Path(path)
        if self._path.suffix.lower() != ".mp4":
            raise OutputError(
                f"{path}: annotated videos are mp4 files; name it {self._path.stem}.mp4"
            )
        if isinstance(audio_from, (str, Path)) and identity(Path(audio_from)) == identity(
            self._path
        ):
            raise OutputError(f"{path}: this is where the sound is from, it would be overwritten")
        self._shape = (height, width, 3)
        self._padding = (_padded(height) - height, _padded(width) - width)
        self._reformatter = VideoReformatter()
        self._last_tick: int | None = None
        self._last_time = -math.inf
        self._shift = 0
        self._interval = round(1 / FALLBACK_RATE / TIME_BASE)
        self._audio: AudioTrack | None = None
        self._container: OutputContainer | None = None
        self._target = AtomicFile(self._path)
        try:
            # Where the video ends is written in the movie's ticks; ms would cut off last frames.
            scale = {"movie_timescale": str(TIME_BASE.denominator)}
            self._container = av.open(
                f"file:{self._target.temporary}", "w", format="mp4", options=scale
            )
            if comment is not None:
                self._container.metadata["comment"] = comment
            self._stream = self._add_video(self._container)
            if isinstance(audio_from, (str, Path)):
                audio_from = open_sound(audio_from)
            if audio_from is not None:
                self._audio = AudioTrack(audio_from, self._container)
            self._container.start_encoding()  # opens the file, so that a bad place fails here
        except (av.error.FFmpegError, OSError) as error:
            self.abort()
            raise self._failed(error) from error
        except BaseException:
            self.abort()
            raise

    def _add_video(self, container: OutputContainer) -> VideoStream:
        try:
            stream = container.add_stream("libx264", options=dict(_OPTIONS))
        except ValueError as error:
            raise OutputError(
                f"{self._path}: this PyAV has no libx264 encoder; install PyAV's own wheel"
            ) from error
        height, width, _ = self._shape
        context = stream.codec_context
        context.width, context.height = width + self._padding[1], height + self._padding[0]
        context.pix_fmt = "yuv420p"
        context.time_base = TIME_BASE
        stream.time_base = TIME_BASE
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED_RANGE
        return stream

    def write(self, image: NDArray[np.uint8], time: float) -> None:
        """Append a frame.

        ``image``: (H, W, 3) uint8 RGB. ``time``: seconds, later than the frame before.
        Raises InputError for another type or a time that is not later, OutputError after ``close``;
        OutputError when the file cannot be written.
        """
        container = self._opened()
        check_rgb(image)
        if time <= self._last_time:
            raise InputError(f"frame times must increase: {time} s is not later")
        try:
            tick = self._tick(time)
            self._encode(container, self._picture(fitted(image, self._shape[:2]), tick))
            if self._audio is not None:
                self._audio.advance(self._shift * TIME_BASE, until=time)
        except (av.error.FFmpegError, OSError) as error:
            raise self._failed(error) from error

    def _tick(self, time: float) -> int:
        """The frame's place in the file: strictly after the one before, from 0."""
        tick = round(time / TIME_BASE)
        if self._last_tick is None:
            self._shift = -tick
        else:
            gap = tick + self._shift - self._last_tick
            if gap > _MAX_GAP / TIME_BASE:
                if self._audio is not None:  # what was heard before the gap stays there
                    self._audio.advance(self._shift * TIME_BASE, until=self._last_time + _MAX_GAP)
                self._shift -= gap - self._interval
            self._interval = max(1, tick + self._shift - self._last_tick)
        before = -1 if self._last_tick is None else self._last_tick
        self._last_tick = max(before + 1, tick + self._shift)
        self._last_time = time
        return self._last_tick

    def close(self) -> None:
        """Finish the file and give it its name. Does nothing when closed or aborted before.

        A video without frames is still a valid file. Raises OutputError, leaving nothing behind.
        """
        container = self._container
        if container is None:
            return
        try:
            self._encode(container, None)
            if self._audio is not None:
                self._audio.finish(self._shift * TIME_BASE)
            container.close()
        except (av.error.FFmpegError, OSError) as error:
            self.abort()
            raise self._failed(error) from error
        self._release()
        self._target.commit()

    def abort(self) -> None:
        """Discard what was written. Does nothing when closed or aborted before."""
        container = self._container
        try:
            if container is not None:
                container.close()
        except (av.error.FFmpegError, OSError):
            pass  # the file goes anyway
        finally:
            self._release()
            self._target.discard()

    def _release(self) -> None:
        self._container = None
        if self._audio is not None:
            self._audio.close()

    def _picture(self, image: NDArray[np.uint8], tick: int) -> VideoFrame:
        bottom, right = self._padding
        if bottom or right:
            image = np.asarray(
                cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE), np.uint8
            )
        # Without a copy: the picture is converted before this returns.
        rgb = VideoFrame.from_numpy_buffer(np.ascontiguousarray(image), format="rgb24")
        picture = self._reformatter.reformat(
            rgb, format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        picture.pts = tick
        picture.time_base = TIME_BASE
        return picture

    def _encode(self, container: OutputContainer, picture: VideoFrame | None) -> None:
        for packet in self._stream.encode(picture):
            # Only the last one counts: an mp4 has the others from the times themselves.
            packet.duration = self._interval
            try:
                container.mux(packet)
            except BAD_DATA as error:
                # Sound waits to be interleaved, and its faults show up here; the picture is in.
                if self._audio is None or not self._audio.active:
                    raise
                self._audio.drop(str(error))

    def _opened(self) -> OutputContainer:
        if self._container is None:
            raise OutputError("the VideoWriter is closed")
        return self._container

    def _failed(self, error: Exception) -> OutputError:
        reason = getattr(error, "strerror", None) or str(error)
        return OutputError(
            f"{self._path}: cannot be written ({reason}); check the place, its free space "
            "and permissions"
        )


def _padded(side: int) -> int:
    return max(_MIN_SIDE, side + side % 2)
