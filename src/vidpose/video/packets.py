"""A container's packets on one clock that never starts anew, its sound kept apart."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from vidpose.video.frames import Health

_MAX_READ_ERRORS = 100  # in a row; a demuxer may get past a damaged spot
_RESTART = 0.5  # seconds back that no clock goes by itself
_REORDERED = 16  # packets, the most that may follow in another order than they are shown


class RunningClock:
    """Times in seconds that go on where a clock starts anew, the same for picture and sound.

    Parts of a file that were joined each have a clock of their own. Where the times of a track
    step back, a new part begins: it is put right behind the one before, by one shift for all
    tracks, so that they stay in step.
    """

    def __init__(self, leader: int) -> None:
        """``leader``: index of the track (the picture) that must not overlap itself."""
        self._leader = leader
        self._shifts = [0.0]
        self._part: dict[int, int] = {}
        self._recent: dict[int, deque[float]] = {}
        self._order: dict[int, float | None] = {}
        self._end: dict[int, float] = {}

    def shift(self, track: int, order: float | None, shown: float, length: float) -> float:
        """Seconds to add to the times of a track's next packet.

        ``order``: its decoding time, None where the container has none; ``shown``: its
        presentation time; ``length``: how long it lasts; all in seconds.
        """
        part = self.part(track)
        if self._begins_anew(track, order, shown):
            end = self._end[track] - shown
            latest = len(self._shifts) - 1
            if part == latest:
                self._shifts.append(end)
            elif track == self._leader:  # the sound began the part, and a little too early
                self._shifts[latest] = max(end, self._shifts[latest])
            part = self._part[track] = len(self._shifts) - 1
        shift = self._shifts[part]
        self._end[track] = max(shown + length + shift, self._end.get(track, shown + shift))
        return shift

    def part(self, track: int) -> int:
        """How many times the track's clock has started anew so far."""
        return self._part.get(track, 0)

    def _begins_anew(self, track: int, order: float | None, shown: float) -> bool:
        recent = self._recent.setdefault(track, deque(maxlen=_REORDERED))
        before = self._order.get(track)
        back = order is None or before is None or order < before - _RESTART
        # What is decoded early may be shown late; and some demuxers guess decoding times wrongly.
        anew = bool(recent) and back and shown < min(recent)
        if anew:
            recent.clear()
        recent.append(shown)
        self._order[track] = order
        return anew


class PacketSource:
    """The packets of a video track, and of a sound track if there is one, read together.

    Damaged packets and read errors are counted in ``health``; a packet marked as damaged waits
    for the next one: if none comes, it is the stump at the end of a file that was cut, and left
    out. Else the decoder decides what it is good for. ``stopped`` is the reason why a live source
    ended, ``video_part`` how many times the picture's clock has started anew so far.
    """

    def __init__(
        self,
        container: InputContainer,
        video: Stream,
        sound: AudioStream | None,
        health: Health,
        *,
        live: bool,
    ) -> None:
        self.last_end: float | None = None
        self.stopped: str | None = None
        self.video_part = 0
        self._container = container
        self._tracks: list[Stream] = [video] if sound is None else [video, sound]
        self._video = video.index
        self._health = health
        self._live = live
        self._clock = RunningClock(video.index)

    def __iter__(self) -> Iterator[Packet[Any]]:
        errors = 0
        held: Packet[Any] | None = None
        while errors < _MAX_READ_ERRORS:
            try:
                for packet in self._container.demux(*self._tracks):
                    if packet.size == 0:
                        continue  # would flush the decoder
                    self._health.corrupt_packets += errors
                    errors = 0
                    if packet.stream_index != self._video:
                        if not packet.is_corrupt:
                            yield self._on_clock(packet)
                        continue
                    if held is not None:
                        yield self._noted(held)
                    held = packet if packet.is_corrupt else None
                    if held is None:
                        yield self._noted(packet)
                break
            except av.error.FFmpegError as error:
                if self._live:
                    self.stopped = error.strerror
                    return
                errors += 1
        self._health.truncated = not self._live and (errors > 0 or held is not None)

    def _noted(self, packet: Packet[Any]) -> Packet[Any]:
        packet = self._on_clock(packet)
        self.video_part = self._clock.part(self._video)
        if packet.pts is not None:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            self.last_end = end if self.last_end is None else max(end, self.last_end)
        return packet

    def _on_clock(self, packet: Packet[Any]) -> Packet[Any]:
        base, pts, dts = packet.time_base, packet.pts, packet.dts
        shown = dts if pts is None else pts
        if shown is None:
            return packet
        shift = self._clock.shift(
            packet.stream_index,
            None if dts is None else float(dts * base),
            float(shown * base),
            float((packet.duration or 0) * base),
        )
        if shift:
            ticks = round(shift / base)
            packet.pts = None if pts is None else pts + ticks
            packet.dts = None if dts is None else dts + ticks
        return packet
