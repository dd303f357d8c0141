"""What every kind of source gives: frames with their times, and how healthy the source was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vidpose.errors import InputError
from vidpose.results import SourceInfo
from vidpose.video.sound import WaitingSound


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded frame.

    ``index``: number of the frame in its source, from 0 without gaps.
    ``time``: presentation time in seconds; strictly increasing within a source.
    ``image``: (H, W, 3) uint8 RGB as displayed: upright, in square pixels. Its shape may differ
    from that of the frame before.
    ``damaged``: the picture could not be read, ``image`` is black; no people are detected in it.
    """

    index: int
    time: float
    image: NDArray[np.uint8]
    damaged: bool = False


def check_rgb(image: NDArray[np.uint8]) -> None:
    """Raise InputError unless the image is (H, W, 3) uint8."""
    if image.ndim != 3 or image.shape[2] != 3 or not image.size or image.dtype != np.uint8:
        raise InputError(f"expected uint8 (height, width, 3), got {image.dtype} {image.shape}")


@dataclass(slots=True)
class Health:
    """What went wrong while reading; complete once the frames have come to their end."""

    corrupt_packets: int = 0
    truncated: bool = False
    warnings: list[str] = field(default_factory=list)


class FrameSource(Protocol):
    """A source being read: its description, its health, and its frames, once."""

    info: SourceInfo
    health: Health

    @property
    def sound(self) -> WaitingSound | None: ...

    def frames(self) -> Iterator[Frame]: ...

    def close(self) -> None: ...
