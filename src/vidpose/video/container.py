"""Video containers as a source: anything PyAV opens, from files, webcams and the network."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.packet import Packet
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from vidpose.errors import InputError
from vidpose.results import SourceInfo
from vidpose.video.frames import Frame, Health
from vidpose.video.opening import open_container, video_stream
from vidpose.video.orientation import Orientation
from vidpose.video.sources import is_stream
from vidpose.video.times import FALLBACK_RATE, strictly_increasing
from vidpose.video.truncation import missing_bytes

_MAX_READ_ERRORS = 100  # in a row; a demuxer may get past a damaged spot
_MAX_RATE = 1000.0  # frames a second; live streams may declare their time base as their rate
_EARLY_END = 1.0  # seconds a video may end before its declared end


class ContainerSource:
    """Frames of the best video track of a container.

    Construction decodes the first frame, so that whatever cannot be shown fails at once with an
    InputError. Damaged packets are counted and skipped; a damaged picture that the decoder could
    conceal is counted and given. Frames whose size differs from the first one's are scaled to it.
    """

    def __init__(self, spec: str | Path) -> None:
        self.health = Health()
        self._label = str(spec)
        self._file = None if is_stream(spec) else Path(spec)
        self._container = open_container(spec)
        self._reformatter = VideoReformatter()
        self._last_end: float | None = None
        try:
            self._stream = video_stream(self._container, self._label)
            # Frame threads delay the picture, which nobody wants of a live source.
            self._stream.thread_type = "AUTO" if self._file else "SLICE"
            decoded = self._decoded()
            first = next(decoded, None)
            if first is None:
                raise self._nothing_decoded()
            self._orientation = _orientation(first)
            self._size = (first.width, first.height)
            self._frames: Iterator[VideoFrame] = itertools.chain([first], decoded)
            self.info = self._describe()
        except BaseException:
            self._container.close()
            raise

    def frames(self) -> Iterator[Frame]:
        """The frames, once. Raises InputError for a picture that has no RGB form."""
        stamped = ((self._stamp(picture), picture) for picture in self._frames)
        interval = 1.0 / (self.info.average_rate or FALLBACK_RATE)
        for index, (time, picture) in enumerate(strictly_increasing(stamped, interval)):
            yield self._frame(index, time, picture)
        self._report_end()

    def close(self) -> None:
        """Close the file or connection; frames not yet given are dropped."""
        self._frames = iter(())
        self._container.close()

    def _stamp(self, picture: VideoFrame) -> float | None:
        base = self._stream.time_base
        return None if picture.pts is None or base is None else float(picture.pts * base)

    def _frame(self, index: int, time: float, picture: VideoFrame) -> Frame:
        if (picture.width, picture.height) != self._size:
            self._warn_once("the picture size changes; frames are scaled to the first one's size")
        width, height = self._size
        try:
            rgb = self._reformatter.reformat(picture, width, height, "rgb24")
        except (av.error.FFmpegError, ValueError) as error:
            raise InputError(
                f"{self._label}: pixel format {picture.format.name} cannot be shown as RGB "
                f"({error}); convert the video first"
            ) from error
        image = np.asarray(rgb.to_ndarray(), dtype=np.uint8)
        return Frame(index, time, self._orientation.apply(image))

    def _decoded(self) -> Iterator[VideoFrame]:
        for packet in self._packets():
            try:
                pictures = packet.decode()
            except av.error.FFmpegError:
                self.health.corrupt_packets += 1
                continue
            yield from self._checked(pictures)
        try:
            yield from self._checked(self._stream.decode(None))
        except av.error.FFmpegError:
            self.health.corrupt_packets += 1

    def _checked(self, pictures: list[VideoFrame]) -> Iterator[VideoFrame]:
        for picture in pictures:
            self.health.corrupt_packets += picture.is_corrupt
            yield picture

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        """The packets for the decoder; read errors are passed over and counted.

        A packet marked as damaged waits for the next one: if none comes, it is the stump at the
        end of a file that was cut, and left out. Else the decoder decides what it is good for.
        """
        errors = 0
        held: Packet[VideoStream] | None = None
        while errors < _MAX_READ_ERRORS:
            try:
                for packet in self._container.demux(self._stream):
                    if packet.size == 0:
                        continue  # would flush the decoder
                    self.health.corrupt_packets += errors
                    errors = 0
                    if held is not None:
                        yield self._noted(held)
                    held = packet if packet.is_corrupt else None
                    if held is None:
                        yield self._noted(packet)
                break
            except av.error.FFmpegError as error:
                if self._file is None:
                    self._warn_once(f"the stream stopped ({error.strerror})")
                    return
                errors += 1
        self.health.truncated = self._file is not None and (errors > 0 or held is not None)

    def _noted(self, packet: Packet[VideoStream]) -> Packet[VideoStream]:
        if packet.pts is not None:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            self._last_end = end if self._last_end is None else max(end, self._last_end)
        return packet

    def _report_end(self) -> None:
        health = self.health
        if health.corrupt_packets:
            self._warn_once(
                f"damaged packets: {health.corrupt_packets}; frames are missing or blurred there"
            )
        if self._file is None:
            return
        missing = missing_bytes(self._file)
        declared = _declared_end(self._stream)
        early = declared is not None and (self._last_end or 0.0) < declared - _EARLY_END
        if missing or early or health.truncated:
            health.truncated = True
            how = f"; {missing} bytes are missing" if missing else ""
            until = "" if self._last_end is None else f" at {self._last_end:.2f} s"
            self._warn_once(
                f"the video is cut short{how}: all frames before the cut{until} were read; "
                "copy or record it again for the rest"
            )

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
        width, height = self._orientation.shown_size(*self._size)
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


def _orientation(picture: VideoFrame) -> Orientation:
    side_data = picture.side_data.get("DISPLAYMATRIX")
    if not isinstance(side_data, SideData):
        return Orientation()
    return Orientation.from_display_matrix(np.frombuffer(memoryview(side_data), np.int32).tolist())


def _declared_end(stream: VideoStream) -> float | None:
    """When the video track ends by Matroska's per-track tag, in seconds; None without one."""
    tag = stream.metadata.get("DURATION", "")
    try:
        hours, minutes, seconds = tag.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return None
