"""Video containers as a source: anything PyAV opens, from files, pipes and the network."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import av
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vidpose.errors import InputError
from vidpose.results import SourceInfo
from vidpose.video.file_object import FileObject, VideoSource, is_searchable
from vidpose.video.frames import Frame, Health
from vidpose.video.opening import has_decoder, open_container, sound_stream, video_stream
from vidpose.video.packets import PacketSource
from vidpose.video.part import Skip
from vidpose.video.picture import Display
from vidpose.video.sound import FileSound, WaitingSound
from vidpose.video.sources import is_stream
from vidpose.video.times import FALLBACK_RATE, strictly_increasing
from vidpose.video.truncation import missing_bytes

_MAX_RATE = 1000.0  # frames a second; live streams may declare their time base as their rate
_EARLY_END = 1.0  # seconds a video may end before its declared end


class ContainerSource:
    """Frames of a video track of a container: of the best one, or of number ``track`` (from 1).

    Construction decodes the first frame, so that whatever cannot be shown fails at once with an
    InputError. Damaged packets are counted and skipped; a damaged picture that the decoder could
    conceal is counted and given. Every frame has the shape of its own picture. ``skip``: what of
    the beginning is not decoded.
    """

    def __init__(
        self,
        spec: VideoSource,
        *,
        track: int | None = None,
        sound: bool = False,
        skip: Skip | None = None,
    ) -> None:
        self.health = Health()
        self._skip = skip or Skip(0, 0, -math.inf, 0.0)
        self._label = str(spec)
        self._live = is_stream(spec)
        # Whatever is no regular file can be read only once.
        self._file: Path | FileObject | None = None
        if not self._live and is_searchable(spec):
            self._file = spec if isinstance(spec, FileObject) else Path(spec)
        self._container = open_container(spec)
        self.sound: WaitingSound | None = None
        try:
            self._stream, note = video_stream(self._container, self._label, track)
            if note:
                self._warn_once(note)
            # Frame threads delay the picture, which is unwanted of a live source.
            self._stream.thread_type = "AUTO" if self._file else "SLICE"
            audio = sound_stream(self._container, self._stream) if sound else None
            if audio is not None:
                self.sound = WaitingSound(audio, self._label, self.health.warnings)
            self._packets = PacketSource(
                self._container, self._stream, audio, self.health, live=self._live
            )
            decoded = self._decoded()
            first = next(decoded, None)
            if first is None:
                raise self._nothing_decoded()
            self._display = Display(self._stream, first)
            self._size = self._display.size(first)
            self._reshaped = False
            self._frames: Iterator[VideoFrame] = itertools.chain([first], decoded)
            self.info = self._describe()
        except BaseException:
            self._container.close()
            raise

    def frames(self) -> Iterator[Frame]:
        """The frames, once. Raises InputError for a picture that has no RGB form."""
        interval = 1.0 / (self.info.average_rate or FALLBACK_RATE)
        timed = strictly_increasing(self._stamped(), interval)
        for index, (time, picture) in enumerate(timed, self._skip.frames):
            yield self._frame(index, time, picture)
        self._report_end()

    def close(self) -> None:
        """Close the file or connection; frames not yet given are dropped."""
        self._frames = iter(())
        self._container.close()

    def _stamped(self) -> Iterator[tuple[float | None, VideoFrame]]:
        for picture in self._frames:
            time = self._stamp(picture)
            # Decoded without what was skipped, such a picture would be damaged.
            if time is None or time >= self._skip.time:
                yield time, picture

    def _stamp(self, picture: VideoFrame) -> float | None:
        base = self._stream.time_base
        return None if picture.pts is None or base is None else float(picture.pts * base)

    def _frame(self, index: int, time: float, picture: VideoFrame) -> Frame:
        try:
            image = self._display.image(picture)
        except (av.error.FFmpegError, ValueError) as error:
            raise InputError(
                f"{self._label}: pixel format {picture.format.name} cannot be shown as RGB "
                f"({error}); convert the video first"
            ) from error
        height, width = image.shape[:2]
        if (width, height) != self._size and not self._reshaped:
            self._reshaped = True
            self._warn_once(
                f"the picture's shape changes at {time:.2f} s, to {width}x{height}; "
                "coordinates are those of each frame's own picture"
            )
        return Frame(index, time, image)

    def _decoded(self) -> Iterator[VideoFrame]:
        left_out = 0
        part = 0
        for packet in self._packets:
            if packet.stream_index != self._stream.index:
                if self.sound is not None:
                    self.sound.put(packet)
                continue
            left_out += 1
            if left_out <= self._skip.packets:
                continue
            if self._packets.video_part != part:
                # Another video begins: what the decoder holds back belongs to the one before.
                part = self._packets.video_part
                yield from self._flushed()
                self._stream.codec_context.flush_buffers()
            try:
                pictures = packet.decode()
            except av.error.FFmpegError:
                self.health.corrupt_packets += 1
                continue
            yield from self._checked(pictures)
        if self._packets.stopped is not None:
            self._warn_once(f"the stream stopped ({self._packets.stopped})")
        yield from self._flushed()

    def _flushed(self) -> Iterator[VideoFrame]:
        try:
            yield from self._checked(self._stream.decode(None))
        except av.error.FFmpegError:
            self.health.corrupt_packets += 1

    def _checked(self, pictures: list[VideoFrame]) -> Iterator[VideoFrame]:
        for picture in pictures:
            self.health.corrupt_packets += picture.is_corrupt
            yield picture

    def _report_end(self) -> None:
        health = self.health
        if health.corrupt_packets:
            self._warn_once(
                f"damaged packets: {health.corrupt_packets}; frames are missing or blurred there"
            )
        if self._live:
            return
        missing = self._missing_bytes()
        last = self._packets.last_end
        declared = _declared_end(self._stream)
        early = declared is not None and (last or 0.0) < declared - _EARLY_END
        if missing or early or health.truncated:
            health.truncated = True
            how = f"; {missing} bytes are missing" if missing else ""
            until = "" if last is None else f" at {last:.2f} s"
            self._warn_once(
                f"the video is cut short{how}: all frames before the cut{until} were read; "
                "copy or record it again for the rest"
            )

    def _missing_bytes(self) -> int:
        try:
            return missing_bytes(self._file) if self._file else 0
        except OSError:  # it was taken away while it was read
            return 0

    def _warn_once(self, message: str) -> None:
        warning = f"{self._label}: {message}"
        if warning not in self.health.warnings:
            self.health.warnings.append(warning)

    def _nothing_decoded(self) -> InputError:
        codec = self._stream.codec_context.name
        return InputError(
            f"{self._label}: not one frame of its {codec} video could be decoded "
            f"(damaged packets: {self.health.corrupt_packets}); copy or record it again"
        )

    def _describe(self) -> SourceInfo:
        stream, container = self._stream, self._container
        width, height = self._size
        declared = float(stream.average_rate or 0)
        rate = declared if 0 < declared <= _MAX_RATE else None
        duration: float | None = None
        if stream.duration is not None and stream.time_base is not None:
            duration = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            duration = container.duration / av.time_base
        frames = stream.frames or (round(duration * rate) if duration and rate else None)
        return SourceInfo(
            path=self._label,
            width=width,
            height=height,
            average_rate=rate,
            frames=frames or None,
            duration=duration or None,
            has_audio=len(container.streams.audio) > 0,
        )


def _declared_end(stream: VideoStream) -> float | None:
    """When the video track ends by Matroska's per-track tag, in seconds; None without one."""
    tag = stream.metadata.get("DURATION", "")
    try:
        hours, minutes, seconds = tag.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return None


def open_sound(spec: str | Path) -> FileSound | None:
    """The sound of a file, opened for it alone, on the clock of its frames; None without any.

    Raises InputError when the file cannot be opened.
    """
    container = open_container(spec)
    try:
        videos = [s for s in container.streams.video if has_decoder(s)]
        video, _ = video_stream(container, str(spec)) if videos else (None, None)
        sound = sound_stream(container, video)
        if sound is None:
            container.close()
            return None
        leader, second = (sound, None) if video is None else (video, sound)
        packets = PacketSource(container, leader, second, Health(), live=is_stream(spec))
        heard = (packet for packet in packets if packet.stream_index == sound.index)
        return FileSound(container, sound, heard, str(spec))
    except BaseException:
        container.close()
        raise
