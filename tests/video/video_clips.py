"""Small clips written with plain PyAV, as material for the tests of vidpose.video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from numpy.typing import NDArray

TICKS = 90000
SAMPLE_RATE = 48000


def level(index: int) -> int:
    """The grey level that tells frame ``index`` from its neighbours."""
    return 30 + index * 53 % 200


def grey(index: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A plain picture of (height, width) for frame ``index``."""
    return np.full((*size, 3), level(index), dtype=np.uint8)


def regular(count: int, rate: float = 30.0) -> list[float]:
    """Times in seconds of ``count`` frames at a constant rate."""
    return [index / rate for index in range(count)]


def write_clip(
    path: Path,
    times: Sequence[float],
    *,
    size: tuple[int, int] = (48, 64),
    pictures: Sequence[NDArray[np.uint8]] | None = None,
    codec: str = "libx264",
    audio: str | None = None,
    audio_start: float = 0.0,
    form: str | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write a clip with the given presentation times (s), and sound of the same length."""
    with av.open(str(path), "w", format=form, container_options=container_options or {}) as out:
        stream = out.add_stream(codec, rate=30)
        stream.width, stream.height = size[1], size[0]
        stream.pix_fmt = {"mjpeg": "yuvj420p", "png": "rgb24"}.get(codec, "yuv420p")
        # The older codecs count frames and take no finer time base.
        base = Fraction(1, 30) if codec.startswith("mpeg") else Fraction(1, TICKS)
        stream.codec_context.time_base = stream.time_base = base
        track = out.add_stream(audio, rate=SAMPLE_RATE) if audio else None
        packets = []
        for index, time in enumerate(times):
            image = grey(index, size) if pictures is None else pictures[index]
            frame = VideoFrame.from_ndarray(image, format="rgb24").reformat(format=stream.pix_fmt)
            frame.pts, frame.time_base = round(time / base), base
            packets += stream.encode(frame)
        packets += stream.encode(None)
        if track is not None:
            for frame in beep(audio_start, times[-1]):
                packets += track.encode(frame)
            packets += track.encode(None)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            out.mux(packet)
    return path


BEEP = (0.8, 1.4)


def beep(start: float, end: float) -> Iterator[AudioFrame]:
    """Sound from ``start`` to ``end`` seconds: silence, but for 440 Hz during ``BEEP``."""
    step = 1024
    for position in range(int(start * SAMPLE_RATE), int(end * SAMPLE_RATE), step):
        time = np.arange(position, position + step) / SAMPLE_RATE
        loudness = 8000 * ((time >= BEEP[0]) & (time < BEEP[1]))
        wave = (np.sin(time * (2 * np.pi * 440)) * loudness).astype(np.int16)
        frame = AudioFrame.from_ndarray(np.repeat(wave, 2)[None], format="s16", layout="stereo")
        frame.sample_rate, frame.pts = SAMPLE_RATE, position
        frame.time_base = Fraction(1, SAMPLE_RATE)
        yield frame


def packet_times(path: Path, kind: str = "video") -> list[float]:
    """Presentation times (s) of a track by plain demuxing, sorted: the oracle."""
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        return sorted(float(packet.pts * packet.time_base) for packet in packets)


def set_display_matrix(path: Path, matrix: Sequence[int]) -> None:
    """Overwrite the display matrix in the (only) track header of an mp4."""
    data = bytearray(path.read_bytes())
    box = data.index(b"tkhd")
    start = box + 4 + 40  # version and flags, times, ids, layer: up to the matrix
    data[start : start + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in matrix)
    path.write_bytes(data)
