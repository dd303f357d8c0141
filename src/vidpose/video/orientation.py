"""The rotation (or mirroring) that a container asks for before a frame is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Orientation:
    """One of the eight ways to show an image: transpose first, then mirror."""

    transpose: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @classmethod
    def from_display_matrix(cls, matrix: Sequence[int]) -> Orientation:
        """The orientation of a display matrix: nine numbers [a b u; c d v; x y w].

        A stored pixel (p, q) is shown at (a p + c q, b p + d q), plus a shift. An angle that is
        no multiple of 90 degrees goes to the nearest one; an all-zero matrix is the identity.
        """
        a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(transpose=True, mirror_x=c < 0, mirror_y=b < 0)
        return cls(transpose=False, mirror_x=a < 0, mirror_y=d < 0)

    def shown_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height as shown of an image stored with ``width`` and ``height``."""
        return (height, width) if self.transpose else (width, height)

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The stored image (H, W, 3) as it is to be shown."""
        if self.transpose:
            image = np.asarray(cv2.transpose(image), dtype=np.uint8)
        if self.mirror_x or self.mirror_y:
            axis = -1 if self.mirror_x and self.mirror_y else int(self.mirror_x)
            image = np.asarray(cv2.flip(image, axis), dtype=np.uint8)
        return image
