"""A part of a video, exact to the frame, without decoding all that lies before it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from vidpose.video.file_object import FileObject
from vidpose.video.frames import Health
from vidpose.video.opening import open_container, video_stream
from vidpose.video.packets import PacketSource


@dataclass(frozen=True, slots=True)
class Skip:
    """What may be left out of a file's beginning.

    ``packets``: of the video track, up to a key frame. ``frames``: how many frames are shown
    before that one. ``time``: of the key frame; ``origin``: of the video's first frame; seconds.
    """

    packets: int
    frames: int
    time: float
    origin: float


def skip_before(path: Path | FileObject, track: int | None, start: float) -> Skip | None:
    """What lies before the last key frame at or before ``start`` (seconds after the first frame).

    Reads packets, decodes nothing. None where the file's packets do not tell.
    """
    container = open_container(path)
    try:
        stream, _ = video_stream(container, str(path), track)
        frames = 0
        found: Skip | None = None
        packets = PacketSource(container, stream, None, Health(), live=False)
        for count, packet in enumerate(packets):
            if packet.pts is None or packet.is_corrupt:
                return None
            time = float(packet.pts * packet.time_base)
            if packet.is_keyframe:
                origin = time if found is None else found.origin
                if found is not None and time - origin > start:
                    return found
                found = Skip(count, frames, time, origin)
            elif found is None:
                return None
            elif time < found.time and not packet.is_discard:
                # Shown before the key frame but stored behind it, for it needs both neighbours;
                # at the very beginning one is missing, and the decoder leaves it out.
                if found.packets == 0:
                    continue
                found = replace(found, frames=found.frames + 1)
            frames += not packet.is_discard
        return found
    finally:
        container.close()
