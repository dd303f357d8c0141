"""Pixels as every network here takes them."""

from __future__ import annotations

from torch import Tensor


def normalise(images: Tensor) -> Tensor:
    """uint8 or float images, any shape, 0 to 255 -> float in [-1, 1]."""
    return images.float() / 127.5 - 1
