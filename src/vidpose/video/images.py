"""Image sequences as a source: folders, globs and single images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vidpose.errors import InputError
from vidpose.results import SourceInfo
from vidpose.video.frames import Frame, Health

IMAGE_RATE = 30.0
"""Frames a second of an image sequence, which has no times of its own."""


class ImageSource:
    """Frames from image files, in the given order, ``IMAGE_RATE`` of them a second.

    Orientation tags (EXIF) are applied. An unreadable image is counted in ``health`` and skipped;
    the images after it keep their times. All images must have one size. Raises InputError when no
    image can be read, and while iterating at the first image of another size.
    """

    def __init__(self, label: str, paths: Sequence[Path]) -> None:
        self.health = Health()
        self._label = label
        self._paths = paths
        first = next((image for image in map(read_image, paths) if image is not None), None)
        if first is None:
            raise InputError(f"{label}: not a readable image; check the file, or its suffix")
        self._height, self._width = first.shape[:2]
        self.info = SourceInfo(
            path=label,
            width=self._width,
            height=self._height,
            average_rate=IMAGE_RATE,
            frames=len(paths),
            duration=len(paths) / IMAGE_RATE,
            has_audio=False,
        )

    def frames(self) -> Iterator[Frame]:
        """The readable images as frames. Raises InputError at an image of another size."""
        index = 0
        for position, path in enumerate(self._paths):
            image = read_image(path)
            if image is None:
                self.health.corrupt_packets += 1
                continue
            height, width = image.shape[:2]
            if (height, width) != (self._height, self._width):
                raise InputError(
                    f"{path}: this image is {width}x{height}, but the sequence began with "
                    f"{self._width}x{self._height}; give images of one size"
                )
            yield Frame(index, position / IMAGE_RATE, image)
            index += 1
        if self.health.corrupt_packets:
            self.health.warnings.append(
                f"{self._label}: {self.health.corrupt_packets} of {len(self._paths)} images "
                "could not be read and were left out"
            )

    def close(self) -> None:
        """Nothing is held open between images."""


def read_image(path: Path) -> NDArray[np.uint8] | None:
    """An image file as (H, W, 3) uint8 RGB, or None if it cannot be read."""
    try:
        data = np.frombuffer(path.read_bytes(), dtype=np.uint8)  # any name, on any system
        decoded = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except (OSError, cv2.error):
        return None
    if decoded is None:
        return None
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)
