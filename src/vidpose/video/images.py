"""Image sequences as a source: folders, globs, single images, stacks and animations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidpose.errors import InputError
from vidpose.results import SourceInfo
from vidpose.video.frames import Frame, Health
from vidpose.video.image_files import Levels, Picture, Raw, as_rgb, count_pictures, read_pictures
from vidpose.video.sound import WaitingSound

IMAGE_RATE = 30.0
"""Frames a second of an image sequence, which has no times of its own, unless told otherwise."""

_NAMED = 5  # damaged images that get a line of their own
_SAMPLED = 8  # images whose levels are read


class ImageSource:
    """Frames from image files, in the given order, `rate` of them a second.

    A file may be a stack (multi-page TIFF) or an animation (WebP, APNG): all its pictures count;
    a single animation keeps its own times unless `rate` is given. Orientation tags (EXIF) are
    applied. Pictures of more than 8 bits are scaled by the range that the sequence uses, which is
    said. A damaged picture keeps its number and time: a black frame, marked as damaged. Files
    that vanish while being read end the sequence where they were the last.

    Each picture has its own shape. Raises InputError when no image can be read.
    """

    def __init__(self, label: str, paths: Sequence[Path], rate: float | None = None) -> None:
        if rate is not None and not 0 < rate <= 1000:
            raise InputError(f"{label}: {rate} frames a second; give a rate above 0, up to 1000")
        self.health = Health()
        self.sound: WaitingSound | None = None
        self._label = label
        self._paths = paths
        self._rate = rate or IMAGE_RATE
        self._own_times = rate is None and len(paths) == 1
        readable = (p for p in chain.from_iterable(map(_pictures_of, paths)) if p.raw is not None)
        first = next(readable, None)
        if first is None or first.raw is None:
            raise InputError(f"{label}: not a readable image; check the file, or its suffix")
        self._shape = (*first.raw.shape[:2], 3)
        counts = [count_pictures(path) for path in paths]
        self._levels = None if first.raw.dtype == np.uint8 else self._common_levels(counts)
        timed = self._own_times and first.duration is not None  # frame by frame, as it is read
        self.info = SourceInfo(
            path=label,
            width=self._shape[1],
            height=self._shape[0],
            average_rate=None if timed else self._rate,
            frames=sum(counts),
            duration=None if timed else sum(counts) / self._rate,
            has_audio=False,
        )

    def frames(self) -> Iterator[Frame]:
        """Every picture as a frame; the damaged ones are black."""
        time = 0.0
        index = -1
        for index, (name, picture) in enumerate(self._pictures()):
            if not self._own_times:
                time = index / self._rate
            if picture.raw is None:
                self._note_damaged(name, index)
                yield Frame(index, time, np.zeros(self._shape, np.uint8), damaged=True)
            else:
                yield Frame(index, time, self._rgb(picture.raw))
            time += picture.duration or 1 / self._rate
        more = self.health.corrupt_packets - _NAMED
        if more > 0:
            self.health.warnings.append(f"{self._label}: {more} more images could not be read")

    def close(self) -> None:
        """Nothing is held open between images."""

    def _pictures(self) -> Iterator[tuple[str, Picture]]:
        for place, path in enumerate(self._paths):
            name = str(path)
            try:
                for number, picture in enumerate(read_pictures(path)):
                    yield (name if number == 0 else f"{name}, picture {number + 1}"), picture
            except FileNotFoundError:
                if not any(later.exists() for later in self._paths[place:]):
                    self.health.truncated = True
                    self.health.warnings.append(
                        f"{self._label}: {path.name} and all images after it vanished; what was "
                        "read before is kept"
                    )
                    return
                yield name, Picture(None)

    def _note_damaged(self, name: str, index: int) -> None:
        self.health.corrupt_packets += 1
        if self.health.corrupt_packets <= _NAMED:
            self.health.warnings.append(
                f"{name}: cannot be read; its frame {index} is recorded without people"
            )

    def _rgb(self, raw: Raw) -> NDArray[np.uint8]:
        if raw.dtype == np.uint8:
            return as_rgb(raw)
        levels = self._levels or Levels.of([raw]) or Levels(0, 1)  # all NaN: black
        return levels.to_rgb(raw)

    def _common_levels(self, counts: Sequence[int]) -> Levels | None:
        """One range for all pictures, so that brightness stays that of the scene."""
        step = max(1, sum(counts) // _SAMPLED)
        files = self._paths[:: max(1, step // max(counts))]
        some = chain.from_iterable(_pictures_of(path, step) for path in files)
        levels = Levels.of([p.raw for p in islice(some, 2 * _SAMPLED) if p.raw is not None])
        if levels is not None and levels != Levels(0, 2**16 - 1):
            self.health.warnings.append(
                f"{self._label}: its numbers from {levels.black:,.6g} to {levels.white:,.6g} "
                "became black to white"
            )
        return levels


def _pictures_of(path: Path, every: int = 1) -> Iterator[Picture]:
    try:
        yield from read_pictures(path, every)
    except FileNotFoundError:
        return
