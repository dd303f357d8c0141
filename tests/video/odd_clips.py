"""Clips whose sound, pixels, colours or clocks are out of the ordinary."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray
from video_clips import beep, grey, regular

BT2020 = 9
TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
PQ, HLG = 16, 18


def write_square(
    path: Path, *, aspect: Fraction | None = None, size: tuple[int, int] = (96, 128)
) -> Path:
    """Five frames of a white square in the middle, 32x32 pixels stored."""
    image = np.zeros((*size, 3), np.uint8)
    top, left = size[0] // 2 - 16, size[1] // 2 - 16
    image[top : top + 32, left : left + 32] = 255
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = size[1], size[0], "yuv420p"
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for _ in range(5):
            out.mux(stream.encode(VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(stream.encode(None))
    return path


def two_tracks(path: Path) -> Path:
    """A file with two video tracks: 64x48 of level 0, and 128x96 of level 3; and sound."""
    with av.open(str(path), "w") as out:
        streams = []
        for width, height in ((64, 48), (128, 96)):
            stream = out.add_stream("libx264", rate=30)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            streams.append(stream)
        track = out.add_stream("aac", rate=48000)
        for _ in range(10):
            for stream, level in zip(streams, (0, 3), strict=True):
                image = grey(level, (stream.height, stream.width))
                out.mux(stream.encode(VideoFrame.from_ndarray(image, format="rgb24")))
        for frame in beep(0.0, 0.3):
            out.mux(track.encode(frame))
        for stream in [*streams, track]:
            out.mux(stream.encode(None))
    return path


def linear_light(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Linear BT.2020 light of an SDR image, white at 1."""
    return np.asarray(np.maximum((image / 255.0) ** 2.4 @ TO_BT2020.T, 0.0))


def as_pq(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The image in PQ of BT.2020, white at 203 nits: SMPTE ST 2084."""
    power = (linear_light(image) * 203 / 10000) ** (2610 / 16384)
    return np.asarray(
        ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)
    )


def as_hlg(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The image in HLG of BT.2020, white at 203 nits of a screen of 1000: ARIB STD-B67."""
    shown = linear_light(image) * 0.203
    luminance = np.maximum(shown @ [0.2627, 0.6780, 0.0593], 1e-9)[..., None]
    scene = shown * luminance ** (1 / 1.2 - 1)
    bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.asarray(np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright))


def write_hdr(
    path: Path,
    images: Sequence[NDArray[np.uint8]],
    transfer: int,
    *,
    codec: str = "libx265",
    rate: int = 30,
) -> Path:
    """The SDR images as 10-bit video in PQ or HLG with BT.2020's colours, tagged."""
    coded_as = as_pq if transfer == PQ else as_hlg
    with av.open(str(path), "w") as out:
        extra = {"libx265": {"x265-params": "log-level=0:crf=4"}}
        stream = out.add_stream(codec, rate=rate, options=extra.get(codec))
        stream.width, stream.height = images[0].shape[1], images[0].shape[0]
        stream.pix_fmt = "yuv420p10le"
        context = stream.codec_context
        context.color_primaries = context.colorspace = BT2020
        context.color_trc, context.color_range = transfer, 1
        for image in images:
            values = np.round(np.clip(coded_as(image), 0, 1) * 65535).astype(np.uint16)
            frame = VideoFrame.from_ndarray(values, format="rgb48le").reformat(
                format="yuv420p10le",
                dst_colorspace=BT2020,
                dst_color_range=ColorRange.MPEG,
            )
            frame.color_trc, frame.color_primaries = transfer, BT2020
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def with_sound(path: Path, sound: str, rate: int) -> Path:
    """Two seconds of picture, and a tone of ``sound`` at ``rate`` samples a second."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        track = out.add_stream(sound, rate=rate)
        track.codec_context.layout = "mono"
        for index in range(60):
            image = grey(index, (48, 64))
            out.mux(stream.encode(VideoFrame.from_ndarray(image, format="rgb24")))
        wave = (8000 * np.sin(np.arange(2 * rate) * (2 * np.pi * 440 / rate))).astype(np.int16)
        for start in range(0, len(wave), 512):
            part = av.AudioFrame.from_ndarray(wave[None, start : start + 512], "s16", "mono")
            part.sample_rate, part.pts, part.time_base = rate, start, Fraction(1, rate)
            out.mux(track.encode(part))
        for each in (stream, track):
            out.mux(each.encode(None))
    return path


def untagged(path: Path, image: NDArray[np.uint8], matrix: Colorspace) -> Path:
    """Two frames of the image in ``matrix``, which nothing in the file tells."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=30)
        stream.width, stream.height, stream.pix_fmt = image.shape[1], image.shape[0], "yuv444p"
        for _ in regular(2):
            frame = VideoFrame.from_ndarray(image, format="rgb24").reformat(
                format="yuv444p", dst_colorspace=matrix, dst_color_range=ColorRange.MPEG
            )
            frame.colorspace = 2  # H.273: unspecified
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path
