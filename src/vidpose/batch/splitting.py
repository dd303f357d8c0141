"""Where a long video is split: at key frames, so that no piece decodes what it does not show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vidpose.video import FileObject
from vidpose.video.frames import Health
from vidpose.video.opening import open_container, video_stream
from vidpose.video.packets import PacketSource
from vidpose.video.sources import is_image, is_stream

_LEAST = 0.5  # part of a piece's length: a shorter rest stays with the piece before it


def may_be_long(source: Path | FileObject, length: float) -> bool:
    """Whether a video may have to be split into pieces of ``length`` seconds; reads its beginning.

    Many a recording does not say how long it is.
    """
    container = open_container(source)
    try:
        declared = container.duration
        return declared is None or declared / 1e6 >= (1 + _LEAST) * length
    finally:
        container.close()


def seams_of(path: str | Path, length: float) -> tuple[float, ...]:
    """Times of the key frames at which to split a video into pieces of about ``length`` seconds.

    Seconds after the first frame. Empty for short videos, and for sources that cannot be entered
    in the middle. Reads packets, decodes nothing.
    """
    if is_stream(path) or not Path(path).is_file() or is_image(Path(path)):
        return ()
    keys, end = _key_times(Path(path)) if may_be_long(Path(path), length) else ([], 0.0)
    seams: list[float] = []
    for time in keys:
        if time - (seams[-1] if seams else 0.0) >= length and end - time >= _LEAST * length:
            seams.append(time)
    return tuple(seams)


def piece_of(seams: Sequence[float], number: int, overlap: float) -> tuple[float, float | None]:
    """Start and end of a piece: from ``overlap`` seconds before its first seam."""
    start = max(0.0, seams[number - 1] - overlap) if number else 0.0
    return start, seams[number] if number < len(seams) else None


def _key_times(path: Path) -> tuple[list[float], float]:
    """Times of all key frames, and of the end, in seconds after the first one."""
    container = open_container(path)
    try:
        stream, _ = video_stream(container, str(path), None)
        origin: float | None = None
        keys: list[float] = []
        end = 0.0
        for packet in PacketSource(container, stream, None, Health(), live=False):
            if packet.pts is None or packet.is_corrupt:
                return [], 0.0
            time = float(packet.pts * packet.time_base)
            if origin is None:
                if not packet.is_keyframe:
                    return [], 0.0
                origin = time
            end = max(end, time - origin)
            if packet.is_keyframe:
                keys.append(time - origin)
        return keys, end
    finally:
        container.close()
