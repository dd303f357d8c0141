"""Composing one training scene: placing labelled photos, pasting people, changing its light.

Boxes of a scene are x1, y1, x2, y2 in canvas pixels, 0 at the left edge of the first pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from vidpose.data.pseudo_labels.people_labels import FloatArray, LabelledImage
from vidpose.data.samples import read_image
from vidpose.errors import DataError

Image = NDArray[np.uint8]
_Scalar = TypeVar("_Scalar", np.uint8, np.float32)

_MIN_SIDE, _MIN_HEIGHT = 5.0, 14.0  # px of the canvas; smaller people are ignored
_MIN_VISIBLE = 0.3  # share of a box that must lie inside its tile
_MAX_COVERED = 0.65  # share of a box that a pasted person may hide


@dataclass(frozen=True, slots=True)
class Cutout:
    """A person with transparency: ``photo`` (H, W, 3) RGB uint8, ``alpha`` (H, W) in [0, 1]."""

    photo: Image
    alpha: FloatArray


@dataclass(slots=True)
class Scene:
    """A canvas being composed; boxes are lists of x1, y1, x2, y2 in its pixels."""

    image: Image
    people: list[FloatArray] = field(default_factory=list)
    ignored: list[FloatArray] = field(default_factory=list)


def read_cutout(photo: Path, mask: Path) -> Cutout | None:
    """The masked person of a photo, cropped to the mask, its outline softened.

    None where the mask is empty.
    """
    image, alpha = read_image(photo), cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE)
    if alpha is None or alpha.shape != image.shape[:2]:
        raise DataError(f"{mask}: not a mask of {photo.name}; check the data folder")
    if not alpha.any():
        return None
    x, y, width, height = cv2.boundingRect(alpha)
    soft = np.asarray(cv2.GaussianBlur(alpha, (3, 3), 0), np.float32) / np.float32(255)
    return Cutout(image[y : y + height, x : x + width], soft[y : y + height, x : x + width])


def place_photo(
    scene: Scene,
    photo: Image,
    item: LabelledImage,
    tile: tuple[int, int, int, int],
    scales: NDArray[np.float64],
    shift: NDArray[np.float64],
) -> None:
    """Draw a photo and its labels into ``tile`` (x1, y1, x2, y2) of the scene.

    Canvas x = shift.x + scales.x * photo x (edge coordinates); what leaves the tile is cut off,
    and a person cut to less than 0.3 of the box, or too small, becomes a region to ignore.
    """
    x1, y1, x2, y2 = tile
    offset = shift - (x1, y1)
    # A pixel's centre lies half a pixel from its edge, in the photo as in the canvas.
    matrix = np.array(
        [
            [scales[0], 0, offset[0] + 0.5 * scales[0] - 0.5],
            [0, scales[1], offset[1] + 0.5 * scales[1] - 0.5],
        ]
    )
    if scales.min() < 0.6:
        # warpAffine does not average, so a strongly reduced photo is first shrunk by area.
        factor = float(scales.min())
        small = resize(photo, round(photo.shape[1] * factor), round(photo.shape[0] * factor))
        real = np.array([small.shape[1] / photo.shape[1], small.shape[0] / photo.shape[0]])
        photo, matrix[:, :2] = small, np.diag(scales / real)
        matrix[:, 2] = offset + 0.5 * scales / real - 0.5
    part = scene.image[y1:y2, x1:x2]
    cv2.warpAffine(
        photo, matrix, (x2 - x1, y2 - y1), dst=part, borderMode=cv2.BORDER_TRANSPARENT
    )  # fmt: skip
    scene.image[y1:y2, x1:x2] = part
    corners = np.tile(scales, 2).astype(np.float32), np.tile(shift, 2).astype(np.float32)
    for boxes, certain in ((item.boxes, True), (item.ignore, False)):
        for x, y, width, height in boxes:
            whole = np.array([x, y, x + width, y + height], np.float32) * corners[0] + corners[1]
            _add_box(scene, whole, tile, certain)


def paste_person(scene: Scene, person: Cutout, rng: np.random.Generator) -> None:
    """Paste a person over what is there, 18 px tall to taller than the canvas, anywhere."""
    size = scene.image.shape[0]
    height = size * np.exp(rng.uniform(np.log(18 / size), np.log(1.15)))
    scale = height / person.photo.shape[0]
    width = person.photo.shape[1] * scale * np.exp(rng.uniform(-0.15, 0.15))
    columns, rows = max(2, round(width)), max(2, round(height))
    photo = resize(person.photo, columns, rows)
    alpha = resize(person.alpha, columns, rows)
    if rng.random() < 0.5:
        photo, alpha = photo[:, ::-1], alpha[:, ::-1]
    left = round(rng.uniform(-0.3 * width, size - 0.7 * width))
    top = round(rng.uniform(-0.15 * height, size - 0.6 * height))
    x1, y1, x2, y2 = max(left, 0), max(top, 0), min(left + columns, size), min(top + rows, size)
    cut = (slice(y1 - top, y2 - top), slice(x1 - left, x2 - left))
    _cover(scene, np.array([x1, y1, x2, y2], np.float32))
    cover = alpha[cut][..., None]
    part = scene.image[y1:y2, x1:x2]
    gain = np.exp(rng.uniform(-0.35, 0.25))
    mixed = part * (1 - cover) + np.minimum(photo[cut] * gain, 255) * cover
    scene.image[y1:y2, x1:x2] = mixed.astype(np.uint8)
    whole = np.array([left, top, left + columns, top + rows], np.float32)
    _add_box(scene, whole, (0, 0, size, size), True)


def person_free_piece(photo: Image, item: LabelledImage, rng: np.random.Generator) -> Image | None:
    """A random piece of a photo that touches no person, or None if six tries found none."""
    height, width = photo.shape[:2]
    taken = np.concatenate([item.boxes, item.ignore])
    for _ in range(6):
        side = rng.uniform(0.25, 0.8, 2) * (width, height)
        if side.min() < 48:
            continue
        x, y = rng.uniform(0, 1, 2) * (np.array([width, height]) - side)
        apart = (
            (taken[:, 0] >= x + side[0])
            | (taken[:, 0] + taken[:, 2] <= x)
            | (taken[:, 1] >= y + side[1])
            | (taken[:, 1] + taken[:, 3] <= y)
        )
        if apart.all():
            return photo[int(y) : int(y + side[1]), int(x) : int(x + side[0])]
    return None


def flip(scene: Scene) -> None:
    """Mirror a scene left to right, in place."""
    width = scene.image.shape[1]
    scene.image = np.ascontiguousarray(scene.image[:, ::-1])
    for boxes in (scene.people, scene.ignored):
        for box in boxes:
            box[[0, 2]] = width - box[[2, 0]]


def distort_colours(image: Image, rng: np.random.Generator) -> Image:
    """Light, contrast, tint, blur, noise and compression as cameras vary them."""
    gamma = np.exp(rng.uniform(-0.5, 0.6))
    gain, lift = np.exp(rng.uniform(-0.3, 0.25)), rng.uniform(-20, 20)
    levels = 255 * (np.arange(256) / 255) ** gamma * gain + lift
    tables = np.stack([levels * np.exp(rng.uniform(-0.12, 0.12)) for _ in range(3)], -1)
    image = np.asarray(cv2.LUT(image, np.clip(tables, 0, 255).astype(np.uint8)[None]), np.uint8)
    if rng.random() < 0.5:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
        share = 0.0 if rng.random() < 0.2 else rng.uniform(0.4, 1.4)
        image = np.clip(grey + (image - grey) * share, 0, 255).astype(np.uint8)
    if rng.random() < 0.15:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.4)), np.uint8)
    if rng.random() < 0.12:
        noise = rng.normal(0, rng.uniform(3, 12), image.shape[:2])[..., None]
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.15:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 80))]
        packed = cv2.imencode(".jpg", image, quality)[1]
        image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    return image


def resize(image: NDArray[_Scalar], width: int, height: int) -> NDArray[_Scalar]:
    """Resize by area averaging where it shrinks, linearly where it grows."""
    width, height = max(width, 1), max(height, 1)
    shrinks = width < image.shape[1] and height < image.shape[0]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=way), image.dtype)


def _add_box(
    scene: Scene, whole: FloatArray, tile: tuple[int, int, int, int], certain: bool
) -> None:
    """Cut a box to its tile and file it as a person, as a region to ignore, or not at all."""
    low, high = np.array(tile[:2], np.float32), np.array(tile[2:], np.float32)
    box = np.concatenate([np.clip(whole[:2], low, high), np.clip(whole[2:], low, high)])
    sides = box[2:] - box[:2]
    if sides.min() < 1:
        return
    visible = float(sides.prod() / max(float((whole[2:] - whole[:2]).prod()), 1e-6))
    large = sides.min() >= _MIN_SIDE and sides.max() >= _MIN_HEIGHT
    if certain and large and visible >= _MIN_VISIBLE:
        scene.people.append(box)
    else:
        scene.ignored.append(box)


def _cover(scene: Scene, lid: FloatArray) -> None:
    """Drop the people that a box pasted over them hides nearly whole."""
    kept = []
    for box in scene.people:
        inner = np.minimum(box[2:], lid[2:]) - np.maximum(box[:2], lid[:2])
        hidden = float(np.clip(inner, 0, None).prod() / (box[2:] - box[:2]).prod())
        if hidden <= _MAX_COVERED:
            kept.append(box)
        elif hidden < 0.95:
            scene.ignored.append(box)
    scene.people = kept
