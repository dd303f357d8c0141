"""Writing a source's sound into an annotated video. It never stops the video."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from vidpose.video.opening import has_decoder
from vidpose.video.sound import SoundSource, begin_of

# Codecs that players expect in an mp4; anything else is encoded anew as AAC.
_COPYABLE = frozenset(("aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"))
_AAC_RATES = frozenset((8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000))
_MAX_LEAD = 0.1  # seconds before the picture: what decoders need to get going

BAD_DATA = (av.error.InvalidDataError, av.error.ArgumentError, ValueError)
"""Errors that mean the data and not the place where they are written."""


class AudioTrack:
    """The sound of a source, added to ``output``.

    Copied where mp4 can hold it, else encoded as AAC, else left out with one warning. Packets are
    pulled as the video goes on, so memory stays constant. Damaged packets are left out.
    """

    def __init__(self, sound: SoundSource, output: OutputContainer) -> None:
        self._sound = sound
        self._output = output
        self._track: AudioStream | None = None
        self._resampler: AudioResampler | None = None
        self._format: tuple[str, str, int] | None = None
        self._last_tick: int | None = None
        self._written = False
        stream = sound.stream
        self._copies = _mp4_holds(stream)
        if self._copies:
            self._track = output.add_stream_from_template(stream)
        elif has_decoder(stream):
            rate, channels = stream.codec_context.sample_rate, stream.codec_context.channels
            self._track = output.add_stream("aac", rate=rate if rate in _AAC_RATES else 48000)
            self._track.codec_context.layout = "mono" if channels == 1 else "stereo"
        else:
            self.drop("there is no decoder for it")

    def advance(self, delay: Fraction, *, until: float = math.inf) -> None:
        """Write what begins up to the source's ``until`` seconds, ``delay`` seconds later.

        Raises an error of FFmpeg or the system only where the file cannot be written.
        """
        for packet in self._sound.take(until):
            if self._track is None or begin_of(packet) + delay < -_MAX_LEAD:
                continue
            if packet.pts is None or packet.time_base is None:
                continue
            ticks = round(delay / packet.time_base)
            packet.pts += ticks
            packet.dts = packet.pts
            self._write(self._copied(packet) if self._copies else self._encoded(packet))

    def finish(self, delay: Fraction) -> None:
        """Write the rest of the sound."""
        self.advance(delay)
        if self._track is not None and not self._copies and self._written:
            self._write(self._flushed())
        if self._track is not None and not self._written:
            self._track = None
            self._sound.warn("sound is announced but none could be read; the drawn video has none")

    @property
    def active(self) -> bool:
        """Whether sound is being written."""
        return self._track is not None

    def drop(self, reason: str) -> None:
        """Give the sound up, with a warning that says why."""
        self._track = None
        self._sound.warn(f"the sound, or its rest, is left out of the drawn video ({reason})")

    def close(self) -> None:
        """Close the source of the sound."""
        self._sound.close()

    def _write(self, packets: Iterable[Packet[AudioStream]]) -> None:
        try:
            for packet in packets:
                self._written = True
                self._output.mux(packet)
        except BAD_DATA as error:
            self.drop(getattr(error, "strerror", None) or str(error))

    def _copied(self, packet: Packet[AudioStream]) -> Iterator[Packet[AudioStream]]:
        # An mp4 needs every packet to be later than the one before.
        tick = packet.dts
        if tick is None or (self._last_tick is not None and tick <= self._last_tick):
            return
        assert self._track is not None
        self._last_tick = tick
        packet.stream = self._track
        yield packet

    def _encoded(self, packet: Packet[AudioStream]) -> Iterator[Packet[AudioStream]]:
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            return
        for frame in frames:
            if frame.samples:
                yield from self._encode(self._resampled(frame))

    def _flushed(self) -> Iterator[Packet[AudioStream]]:
        assert self._track is not None
        if self._resampler is not None:
            yield from self._encode(self._resampler.resample(None))
        yield from self._track.encode(None)

    def _encode(self, frames: Iterable[AudioFrame]) -> Iterator[Packet[AudioStream]]:
        assert self._track is not None
        for frame in frames:
            yield from self._track.encode(frame)

    def _resampled(self, frame: AudioFrame) -> list[AudioFrame]:
        """The frame as the track holds sound; its own form may change at any time."""
        assert self._track is not None
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        rest: list[AudioFrame] = []
        if self._resampler is None or form != self._format:
            if self._resampler is not None:
                rest = self._resampler.resample(None)
            context = self._track.codec_context
            self._resampler = AudioResampler("fltp", context.layout, context.sample_rate)
            self._format = form
        return [*rest, *self._resampler.resample(frame)]


def _mp4_holds(stream: AudioStream) -> bool:
    """Whether the sound can be copied: asked of FFmpeg by a file in memory that is not kept."""
    context = stream.codec_context
    if not has_decoder(stream) or context.codec.canonical_name not in _COPYABLE:
        return False
    if not context.sample_rate:  # announced, but nothing was found that says how it sounds
        return False
    try:
        with av.open(io.BytesIO(), "w", format="mp4") as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (av.error.FFmpegError, OSError, ValueError):
        return False
    return True
