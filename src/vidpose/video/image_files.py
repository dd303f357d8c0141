"""One image file: its pictures, which may be the pages of a stack or an animation's, and 8 bits of
those that hold more."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

Raw = NDArray[Any]
"""A picture as stored: (H, W, 3) RGB or (H, W) grey, of 8 bits or of any other numbers."""

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BITS_PER_SAMPLE, _SUBFILE_TYPE = 258, 254  # tags of TIFF
_REDUCED = 1  # subfile type: a smaller copy of another page, for previews
_DEEP_MODES = ("I", "F")  # Pillow's, also I;16: more than 8 bits of grey
# Faults of Pillow's readers: damaged, cut short, unknown, too large to be meant.
_UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a file, None where it is damaged, and how long it is shown (seconds)."""

    raw: Raw | None
    duration: float | None = None


@dataclass(frozen=True, slots=True)
class Levels:
    """The numbers that become black and white."""

    black: float
    white: float

    @classmethod
    def of(cls, raws: list[Raw]) -> Levels | None:
        """The range that the pictures use; None for 8 bits, which stay as they are.

        Whole numbers of up to 16 bits: from 0 to the most that so many bits hold as 99.9 % of the
        numbers need. Fractions up to 1, or up to 255: that range. Everything else: from the
        lowest to the highest number, 0.1 % of either left out.
        """
        deep = [_some_numbers(raw) for raw in raws if raw.dtype != np.uint8]
        deep = [values for values in deep if values.size]
        if not deep:
            return None
        low, high = (
            choose(float(np.quantile(values, share)) for values in deep)
            for choose, share in ((min, 0.001), (max, 0.999))
        )
        if deep[0].dtype == np.uint16:
            return cls(0, 2 ** max(math.ceil(math.log2(high + 1)), 8) - 1)
        if deep[0].dtype.kind == "f" and low >= 0 and high <= 255:
            return cls(0, 1 if high <= 1 else 255)
        return cls(low, high if high > low else low + 1)

    def to_rgb(self, raw: Raw) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 of a picture with these levels; NaN is black."""
        scale = 255 / (self.white - self.black)
        scaled = (raw.astype(np.float32) - self.black) * scale
        values = np.nan_to_num(scaled, nan=0, posinf=255, neginf=0).clip(0, 255)
        return as_rgb((values + 0.5).astype(np.uint8))


def _some_numbers(raw: Raw) -> Raw:
    values = raw.ravel()[:: max(1, raw.size // 100_000)]
    return values[np.isfinite(values)]


def as_rgb(raw: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) of a picture of 8 bits."""
    return raw if raw.ndim == 3 else np.repeat(raw[..., None], 3, axis=2)


def read_image(path: Path) -> NDArray[np.uint8] | None:
    """The first picture of a file as (H, W, 3) uint8 RGB by its own levels; None if unreadable."""
    raw = next(read_pictures(path)).raw
    if raw is None:
        return None
    levels = Levels.of([raw])
    return levels.to_rgb(raw) if levels else as_rgb(raw)


def count_pictures(path: Path) -> int:
    """How many pictures the file holds; 1 where that cannot be told."""
    try:
        with path.open("rb") as file:
            if not _may_hold_several(file.read(64)):
                return 1
        with _opened(path) as image:
            return len(_places(image))
    except _UNREADABLE:
        return 1


def read_pictures(path: Path, every: int = 1) -> Iterator[Picture]:
    """The pictures of a file, at least one, or every so manieth. Raises FileNotFoundError."""
    try:
        data = path.read_bytes()  # any name, on any system
    except FileNotFoundError:
        raise
    except OSError:
        yield Picture(None)
        return
    if not _may_hold_several(data[:64]):
        yield Picture(_decode(data))
        return
    try:
        with _opened(path) as image:
            places = _places(image)
            if len(places) > 1 or data[:4] in _TIFF:
                yield from (_page(image, path, place) for place in places[::every])
                return
    except _UNREADABLE:
        pass
    yield Picture(_decode(data))


def _may_hold_several(head: bytes) -> bool:
    animated_webp = head[8:16] == b"WEBPVP8X" and len(head) > 20 and bool(head[20] & 2)
    return head[:4] in _TIFF or head[:4] == b"\x89PNG" or head[:4] == b"GIF8" or animated_webp


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # damaged tags, large pictures: the pixels decide
        with Image.open(path) as image:
            yield image


def _places(image: Image.Image) -> list[int]:
    """The pictures that are meant: no previews, no stand-in for programs that do not animate."""
    count = getattr(image, "n_frames", 1)
    if count > 1 and image.format == "PNG":
        return list(range(int(bool(getattr(image, "default_image", False))), count))
    if count > 1 and image.format == "TIFF":
        return [place for place in range(count) if not _is_preview(image, place)] or [0]
    return list(range(count))


def _is_preview(image: Image.Image, place: int) -> bool:
    try:
        image.seek(place)
    except _UNREADABLE:
        return False
    tags: Any = getattr(image, "tag_v2", {})
    return bool(tags.get(_SUBFILE_TYPE, 0) & _REDUCED)


def _page(image: Image.Image, path: Path, place: int) -> Picture:
    try:
        image.seek(place)
        tags: Any = getattr(image, "tag_v2", {})
        bits = tags.get(_BITS_PER_SAMPLE, (8,))
        if len(bits) > 1 and max(bits) > 8:  # Pillow gives 8 bits of colour only
            return Picture(_deep_page(path, place))
        raw = _as_array(image)
        milliseconds = image.info.get("duration")
        return Picture(raw, milliseconds / 1000 if milliseconds else None)
    except _UNREADABLE:
        return Picture(None)  # no second opinion: OpenCV takes damaged pages for black ones


def _as_array(image: Image.Image) -> Raw:
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith(_DEEP_MODES):
        return np.array(upright)
    return np.array(upright.convert("RGB"))


def _deep_page(path: Path, place: int) -> Raw | None:
    """A page of TIFF by OpenCV, which reads colours of more than 8 bits."""
    try:
        with _silent():
            _, pages = cv2.imreadmulti(str(path), place, 1, flags=cv2.IMREAD_UNCHANGED)
    except (cv2.error, UnicodeError):
        return None
    return _rgb_order(pages[0]) if len(pages) else None


def _decode(data: bytes) -> Raw | None:
    """A single picture; None if it is damaged or cut short."""
    if data[:2] == b"\xff\xd8" and _is_cut(data):
        return None
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH  # orientation tags are applied
    if data[:4] in _TIFF:
        flags = cv2.IMREAD_UNCHANGED
    try:
        with _silent():
            decoded = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error:
        decoded = None
    if decoded is not None:
        return _rgb_order(decoded)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                return _as_array(image)
    except _UNREADABLE:
        return None


def _rgb_order(decoded: Raw) -> Raw:
    return decoded if decoded.ndim == 2 else np.ascontiguousarray(decoded[..., 2::-1])


def _is_cut(jpeg: bytes) -> bool:
    """Whether the end marker is missing; decoders differ in what they make of that."""
    place = 2
    while place + 4 <= len(jpeg) and jpeg[place] == 0xFF and jpeg[place + 1] != 0xDA:
        place += 2 + int.from_bytes(jpeg[place + 2 : place + 4], "big")
    return jpeg.find(b"\xff\xd9", place) < 0


@contextmanager
def _silent() -> Iterator[None]:
    """Without OpenCV's own lines about damaged files: ours names them."""
    set_level = _log_level_setter()
    before = set_level(0)  # of OpenCV's levels, the silent one
    try:
        yield
    finally:
        set_level(before)


def _log_level_setter() -> Callable[[int], int]:
    """It has moved: OpenCV 4 and 5 have it in one place each, both of them in some versions."""
    old: Callable[[int], int] | None = getattr(cv2, "setLogLevel", None)
    return old or cv2.utils.logging.setLogLevel
