"""Carrying a source's sound over to an annotated video."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from vidpose.video.opening import has_decoder, open_container

# Codecs that players expect in an mp4; anything else is encoded anew as AAC.
_COPYABLE = frozenset(("aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"))
_AAC_RATES = frozenset((8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000))


class AudioTrack:
    """The best audio track of ``source``, added to ``output`` with its own times.

    Copied where mp4 can hold it, otherwise encoded as AAC. A source without sound adds nothing.
    Packets are pulled as the video goes on, so memory stays constant. Damaged packets are left
    out. Raises InputError when the source cannot be opened.
    """

    def __init__(self, source: Path, output: OutputContainer) -> None:
        self._output = output
        self._container = open_container(source)
        self._packets: Iterator[Packet[AudioStream]] = iter(())
        self._next: Packet[AudioStream] | None = None
        self._last_tick: int | None = None
        self._started = False
        stream = next((s for s in self._container.streams.audio if has_decoder(s)), None)
        if stream is None:
            return
        if stream.codec_context.codec.canonical_name in _COPYABLE:
            self._packets = self._copied(stream, output.add_stream_from_template(stream))
        else:
            rate = stream.codec_context.sample_rate
            track = output.add_stream("aac", rate=rate if rate in _AAC_RATES else 48000)
            track.codec_context.layout = "mono" if stream.codec_context.channels == 1 else "stereo"
            self._packets = self._encoded(stream, track)

    def advance(self, delay: Fraction, *, until: float = math.inf) -> None:
        """Write the packets up to the source's ``until`` seconds, each ``delay`` seconds later."""
        if not self._started:
            self._started = True
            self._next = next(self._packets, None)
        while self._next is not None:
            packet = self._next
            if packet.dts is not None and packet.dts * packet.time_base > until:
                return
            ticks = round(delay / packet.time_base)
            packet.dts = None if packet.dts is None else packet.dts + ticks
            packet.pts = None if packet.pts is None else packet.pts + ticks
            self._output.mux(packet)
            self._next = next(self._packets, None)

    def close(self) -> None:
        """Close the source."""
        self._container.close()

    def _copied(self, stream: AudioStream, track: AudioStream) -> Iterator[Packet[AudioStream]]:
        for packet in self._sound(stream):
            tick = packet.dts
            if tick is None or (self._last_tick is not None and tick <= self._last_tick):
                continue  # an mp4 needs every packet to be later than the one before
            self._last_tick = tick
            packet.stream = track
            yield packet

    def _encoded(self, stream: AudioStream, track: AudioStream) -> Iterator[Packet[AudioStream]]:
        for packet in self._sound(stream):
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                continue
            for frame in frames:
                yield from track.encode(frame)
        yield from track.encode(None)

    def _sound(self, stream: AudioStream) -> Iterator[Packet[AudioStream]]:
        try:
            for packet in self._container.demux(stream):
                if packet.size and not packet.is_corrupt:
                    yield packet
        except av.error.FFmpegError:
            return  # the sound ends where the file does; the video's reader reports that
