"""A video made small enough to lie inside a page."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from vidpose.results import FrameResult, ResultHeader
from vidpose.video.again import matched, opened_again
from vidpose.video.file_object import VideoSource

_BYTES = 9_000_000  # a third more as base64, which leaves room for the arrays below 15 MB
_LARGEST_SIDE = 640
_MOST_BITS = 900_000  # a second; more shows nothing at this size


def embedded_video(source: VideoSource, header: ResultHeader, frames: Sequence[FrameResult]) -> str:
    """``source`` as a data address: H.264, at most 640 pixels a side, 9 MB however long.

    Frames keep the result's times, counted from its first frame. Raises InputError when the
    video cannot be read or is another one than the result's.
    """
    duration = max(frames[-1].time - frames[0].time, 1.0) if frames else 1.0
    bits = int(min(_MOST_BITS, _BYTES * 8 * 0.85 / duration))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.mp4"
        _encode(source, header, frames, path, bits)
        return "data:video/mp4;base64," + base64.b64encode(path.read_bytes()).decode()


def _encode(
    source: VideoSource,
    header: ResultHeader,
    frames: Sequence[FrameResult],
    path: Path,
    bits: int,
) -> None:
    with (
        opened_again(source, header) as video,
        av.open(str(path), "w", options={"movflags": "faststart"}) as out,
    ):
        width, height = _small(video.info.width, video.info.height)
        stream = out.add_stream("libx264", rate=Fraction(30))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = bits
        stream.codec_context.time_base = Fraction(1, 90000)
        stream.codec_context.gop_size = 30  # every second, so that jumping is quick
        stream.options = {
            "preset": "veryfast", "maxrate": str(bits), "bufsize": str(bits), "bf": "0",
        }  # fmt: skip
        for frame, _ in matched(source, video, frames):
            small = np.asarray(
                cv2.resize(frame.image, (width, height), interpolation=cv2.INTER_AREA), np.uint8
            )
            picture = av.VideoFrame.from_ndarray(small, format="rgb24")
            picture.pts = round((frame.time - frames[0].time) * 90000)
            picture.time_base = Fraction(1, 90000)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))


def _small(width: int, height: int) -> tuple[int, int]:
    """Even sides of the same shape, none above the largest."""
    factor = min(1.0, _LARGEST_SIDE / max(width, height))
    return max(2, round(width * factor / 2) * 2), max(2, round(height * factor / 2) * 2)
