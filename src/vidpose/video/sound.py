"""A source's sound on its way from the reader to an annotated video."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from threading import Lock
from typing import Protocol

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

_MAX_WAITING = 64 << 20  # bytes; minutes of sound that is not compressed, hours of AAC


class SoundSource(Protocol):
    """Sound packets in order, on the clock of the frames."""

    stream: AudioStream

    def take(self, until: float) -> Iterator[Packet[AudioStream]]:
        """The packets that begin at or before ``until`` (seconds) and were not taken yet."""

    def warn(self, message: str) -> None:
        """Note trouble with the sound."""

    def close(self) -> None:
        """Free what is held open."""


def begin_of(packet: Packet[AudioStream]) -> float:
    """When the packet begins, in seconds; in front of everything when it does not say."""
    tick = packet.pts if packet.pts is not None else packet.dts
    return float("-inf") if tick is None else float(tick * packet.time_base)


class WaitingSound:
    """Sound packets that the reader met between pictures and that wait for the writer.

    Bounded: where a file holds its sound far away from its pictures, the sound is given up.
    """

    def __init__(self, stream: AudioStream, label: str, warnings: list[str]) -> None:
        self.stream = stream
        self._label = label
        self._warnings = warnings
        self._packets: deque[Packet[AudioStream]] = deque()
        self._lock = Lock()  # reader and writer are on different threads
        self._bytes = 0
        self._lost = False

    def put(self, packet: Packet[AudioStream]) -> None:
        """Append a packet, in the order of the file."""
        with self._lock:
            if self._lost:
                return
            self._packets.append(packet)
            self._bytes += packet.size
            if self._bytes > _MAX_WAITING:
                self._lost = True
                self._packets.clear()
        if self._lost:
            self.warn("the rest of the sound lies too far from its pictures and is left out")

    def take(self, until: float) -> Iterator[Packet[AudioStream]]:
        while (packet := self._pop(until)) is not None:
            yield packet

    def _pop(self, until: float) -> Packet[AudioStream] | None:
        with self._lock:
            if not self._packets or begin_of(self._packets[0]) > until:
                return None
            packet = self._packets.popleft()
            self._bytes -= packet.size
            return packet

    def warn(self, message: str) -> None:
        warning = f"{self._label}: {message}"
        if warning not in self._warnings:
            self._warnings.append(warning)

    def close(self) -> None:
        """The reader closes the source."""


class FileSound:
    """The sound of a file that is opened for it alone."""

    def __init__(
        self,
        container: InputContainer,
        stream: AudioStream,
        packets: Iterator[Packet[AudioStream]],
        label: str,
    ) -> None:
        self.stream = stream
        self.warnings: list[str] = []
        self._label = label
        self._container = container
        self._packets = packets
        self._next: Packet[AudioStream] | None = None

    def take(self, until: float) -> Iterator[Packet[AudioStream]]:
        while True:
            packet = self._next or next(self._packets, None)
            self._next = packet
            if packet is None or begin_of(packet) > until:
                return
            self._next = None
            yield packet

    def warn(self, message: str) -> None:
        self.warnings.append(f"{self._label}: {message}")

    def close(self) -> None:
        self._packets = iter(())
        self._container.close()
