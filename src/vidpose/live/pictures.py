"""The newest drawn picture as JPEG, made only while it is watched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray

_QUALITY = 80
_LARGEST_SIDE = 1280


class NewestPicture:
    """Holds one picture for any number of watchers; safe between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._watchers = 0
        self._number = 0
        self._jpeg = b""
        self.closed = False

    @property
    def wanted(self) -> bool:
        """Whether anybody watches, so that a picture is worth drawing."""
        return self._watchers > 0

    def show(self, image: NDArray[np.uint8]) -> None:
        """Replace the picture by ``image`` (H, W, 3) RGB, made smaller above 1280 pixels a side."""
        side = max(image.shape[:2])
        if side > _LARGEST_SIDE:
            factor = _LARGEST_SIDE / side
            image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        done, data = cv2.imencode(
            ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
        )
        if done:
            with self._lock:
                self._number += 1
                self._jpeg = data.tobytes()

    def after(self, number: int) -> tuple[int, bytes] | None:
        """The newest picture and its number, if it is newer than ``number``."""
        with self._lock:
            return (self._number, self._jpeg) if self._number > number else None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Within the block the picture is watched."""
        with self._lock:
            self._watchers += 1
        try:
            yield
        finally:
            with self._lock:
                self._watchers -= 1
