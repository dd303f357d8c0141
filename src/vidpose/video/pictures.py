"""Drawn frames as pictures: numbered files, an animation, a contact sheet."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from vidpose.errors import OutputError
from vidpose.files import AtomicFile, cannot_write
from vidpose.video.tag import PICTURE_TAG

Picture = NDArray[np.uint8]

ANIMATION_SUFFIXES = (".gif", ".webp")
STILL_SUFFIXES = (".jpg", ".jpeg", ".png")

_ANIMATION_SIDE, _ANIMATION_SECONDS = 480, 60.0
_ANIMATION_STEP = 0.08  # seconds; faster GIFs are slowed down by browsers
_SHEET_PICTURES, _SHEET_SIDE = 16, 400
_IMAGE_DESCRIPTION = 0x010E  # tag of EXIF


class NumberedPictures:
    """One file per frame: ``frames/*.png`` becomes ``frames/000000.png``, ... by frame index.

    Each appears when it is complete. Raises OutputError when the folder cannot be written.
    """

    def __init__(self, pattern: Path) -> None:
        self._pattern = pattern

    def add(self, picture: Picture, index: int) -> None:
        """Write one frame's picture."""
        path = self._pattern.with_name(self._pattern.name.replace("*", f"{index:06d}", 1))
        _save(path, Image.fromarray(picture))

    def close(self) -> None:
        """Nothing is left to do."""


class Animation:
    """A .gif or .webp of the first minute, 480 pixels a side and 12.5 pictures a second at most.

    ``cut`` says whether the video went on after that minute. Raises OutputError as above.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pictures: list[Image.Image] = []
        self._times: list[float] = []
        self.cut = False

    def add(self, picture: Picture, time: float) -> None:
        """Take one frame at its time in seconds; frames in between are left out."""
        if self._times and time - self._times[0] > _ANIMATION_SECONDS:
            self.cut = True
            return
        if self._times and time - self._times[-1] < _ANIMATION_STEP - 1e-3:
            return
        self._times.append(time)
        small = Image.fromarray(_scaled(picture, _ANIMATION_SIDE))
        if self._path.suffix.lower() == ".gif":
            small = small.quantize(128, dither=Image.Dither.FLOYDSTEINBERG)
        self._pictures.append(small)

    def close(self) -> None:
        """Write the file; every picture lasts as long as in the video."""
        if not self._pictures:
            raise OutputError(f"{self._path}: nothing to write: there are no frames")
        steps = np.diff(self._times) * 1000
        last = float(steps[-1]) if len(steps) else 1000.0
        options = {
            "save_all": True,
            "append_images": self._pictures[1:],
            "duration": [max(10, round(step)) for step in (*steps.tolist(), last)],
            "loop": 0,
        }
        _save(self._path, self._pictures[0], **options)


class ContactSheet:
    """One .jpg or .png with 16 frames, evenly spread over the video, each with its time; of a
    single frame, that frame as it is.

    Needs no length in advance: of ever more frames it keeps at most 32.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: list[tuple[float, Picture]] = []
        self._stride, self._seen = 1, 0
        self._alone: Picture | None = None

    def add(self, picture: Picture, time: float) -> None:
        """Take one frame at its time in seconds."""
        self._alone = picture if self._seen == 0 else None
        if self._seen % self._stride == 0:
            self._kept.append((time, _scaled(picture, _SHEET_SIDE)))
        self._seen += 1
        if len(self._kept) > 2 * _SHEET_PICTURES:
            self._kept = self._kept[::2]
            self._stride *= 2

    def close(self) -> None:
        """Write the file."""
        if not self._kept:
            raise OutputError(f"{self._path}: nothing to write: there are no frames")
        if self._alone is not None:
            _save(self._path, Image.fromarray(self._alone))
            return
        chosen = np.linspace(0, len(self._kept) - 1, min(len(self._kept), _SHEET_PICTURES))
        pictures = [_labelled(*self._kept[round(place)]) for place in chosen]
        _save(self._path, Image.fromarray(_grid(pictures)))


def _labelled(time: float, picture: Picture) -> Picture:
    picture = picture.copy()
    minutes, seconds = divmod(time, 60)
    text = f"{int(minutes)}:{seconds:05.2f}"
    for colour, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        place = (6, picture.shape[0] - 8)
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, width, cv2.LINE_AA)
    return picture


def _grid(pictures: list[Picture]) -> Picture:
    """Rows and columns that come near a square, on black; pictures may differ in shape."""
    height = max(picture.shape[0] for picture in pictures)
    width = max(picture.shape[1] for picture in pictures)
    columns = max(1, min(len(pictures), round(math.sqrt(len(pictures) * height / width))))
    rows = math.ceil(len(pictures) / columns)
    sheet = np.zeros((rows * (height + 4) - 4, columns * (width + 4) - 4, 3), np.uint8)
    for number, picture in enumerate(pictures):
        top, left = (number // columns) * (height + 4), (number % columns) * (width + 4)
        sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return sheet


def _scaled(picture: Picture, side: int) -> Picture:
    factor = side / max(picture.shape[:2])
    if factor >= 1:
        return picture
    size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _tag(kind: str) -> dict[str, object]:
    """What makes Pillow write the tag by which a drawn picture is known."""
    if kind == "PNG":
        text = PngInfo()
        text.add_text("Comment", PICTURE_TAG)
        return {"pnginfo": text}
    if kind == "WEBP":
        exif = Image.Exif()
        exif[_IMAGE_DESCRIPTION] = PICTURE_TAG
        return {"exif": exif}
    return {"comment": PICTURE_TAG}


def _save(path: Path, picture: Image.Image, **options: object) -> None:
    target = AtomicFile(path)
    kind = {".jpg": "JPEG", ".jpeg": "JPEG"}.get(path.suffix.lower(), path.suffix[1:].upper())
    if kind == "JPEG":
        options["quality"] = 90
    try:
        with target.temporary.open("wb") as file:
            picture.save(file, format=kind, **_tag(kind), **options)
        target.commit()
    except OSError as error:
        raise cannot_write(path, error) from error
    except (ValueError, KeyError, UnidentifiedImageError) as error:
        raise OutputError(f"{path}: cannot write: {error}") from error
    finally:
        target.discard()
