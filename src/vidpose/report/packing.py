"""Arrays as the text of a page: typed, compressed, base64."""

from __future__ import annotations

import base64
import gzip
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MISSING = -32768
_LARGEST = 32000
_COARSEST = 0.125


class ArrayPack:
    """Arrays collected into one block that a page's script unpacks.

    Floats are held as 16-bit whole numbers times a scale of their own where that leaves steps of
    at most 1/8: all within .06 pixels in a 4K picture, .01 degrees. An array with larger values
    (one keypoint far away among them) is held as 32-bit floats. Missing values stay missing.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0

    def floats(self, values: NDArray[np.floating]) -> dict[str, Any]:
        """Add ``values``; the description that the page needs to find them."""
        known = np.isfinite(values)
        largest = float(np.abs(values[known]).max(initial=0))
        scale = largest / _LARGEST or 1.0
        if scale > _COARSEST:
            return self._add(np.where(known, values, np.nan).astype("<f4"), "f4", 1.0)
        whole = np.full(values.shape, _MISSING, dtype="<i2")
        whole[known] = np.round(values[known] / scale).astype("<i2")
        return self._add(whole, "i2", scale)

    def times(self, values: NDArray[np.float64]) -> dict[str, Any]:
        """Add ``values`` with full precision."""
        return self._add(values.astype("<f8"), "f8", 1.0)

    def _add(self, values: NDArray[Any], kind: str, scale: float) -> dict[str, Any]:
        padding = -self._length % 8  # typed arrays start at multiples of their size
        self._parts += [bytes(padding), values.tobytes()]
        start = self._length + padding
        self._length = start + values.nbytes
        return {"start": start, "shape": list(values.shape), "kind": kind, "scale": scale}

    def text(self) -> str:
        """The whole block: gzip, base64."""
        return base64.b64encode(gzip.compress(b"".join(self._parts), 6, mtime=0)).decode()
