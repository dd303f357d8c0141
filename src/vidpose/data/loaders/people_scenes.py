"""Training scenes for the person finder: photos composed into canvases where people are many,
small, cut off and overlapping.

The labelled photos mostly show one large person each, video frames of use do not. A scene is one
photo, a mosaic of up to nine, or a person-free piece of one, with people cut out of other photos
by their masks pasted over it. Scene ``i`` of a seed is always the same scene.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from vidpose.data.pseudo_labels.people_labels import FloatArray, LabelledImage
from vidpose.data.samples import read_image
from vidpose.data.synthesis.people_scene import (
    Cutout,
    Image,
    Scene,
    distort_colours,
    flip,
    paste_person,
    person_free_piece,
    place_photo,
    read_cutout,
    resize,
)
from vidpose.errors import DataError

MAX_PEOPLE, MAX_IGNORED = 40, 40
_FILL = 114  # the grey that the runtime pads with
_ENDLESS = 1 << 31  # every index is a scene of its own
_KINDS = ("photo", "mosaic", "background")


class FinderScenes(Dataset[dict[str, Tensor]]):
    """Composed scenes, deterministic in (seed, index).

    An item: ``image`` uint8 (3, size, size) RGB; ``boxes`` (40, 4) and ``ignore`` (40, 4) float32
    x1, y1, x2, y2 in pixels, rows of zeros where there is nothing.

    ``weights`` says how often each source is drawn; ``cutouts`` are the folders of photos (*.jpg)
    and of their person masks (*.png). Raises DataError where something is missing.
    """

    def __init__(
        self,
        images: Sequence[LabelledImage],
        roots: Mapping[str, Path],
        cutouts: tuple[Path, Path],
        *,
        size: int,
        seed: int,
        weights: Mapping[str, float],
    ) -> None:
        self._by_source = {
            source: [item for item in images if item.source == source] for source in weights
        }
        empty = [source for source, items in self._by_source.items() if not items]
        if empty:
            raise DataError(f"no labelled image of source {', '.join(empty)}; label it first")
        self._sources = list(weights)
        shares = np.array([weights[s] for s in self._sources], np.float64)
        self._shares = shares / shares.sum()
        self._roots = roots
        self._cutouts = _cutout_pairs(*cutouts)
        self._size, self._seed = size, seed

    def __len__(self) -> int:
        return _ENDLESS

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        scene = self.scene(index)
        return {
            "image": torch.from_numpy(np.ascontiguousarray(scene.image.transpose(2, 0, 1))),
            "boxes": torch.from_numpy(_padded(scene.people, MAX_PEOPLE)),
            "ignore": torch.from_numpy(_padded(scene.ignored, MAX_IGNORED)),
        }

    def scene(self, index: int) -> Scene:
        """The composed scene before it becomes tensors."""
        rng = np.random.default_rng([self._seed, index])
        kind = rng.choice(_KINDS, p=(0.30, 0.45, 0.25))
        if kind == "background":
            scene = Scene(self._background(rng))
        else:
            scene = Scene(np.full((self._size, self._size, 3), _tile_fill(rng), np.uint8))
            for tile in [(0, 0, self._size, self._size)] if kind == "photo" else self._grid(rng):
                self._place_photo(scene, tile, rng)
        for _ in range(_number_of_pasted(kind, rng)):
            paste_person(scene, self._cutout(rng), rng)
        if rng.random() < 0.5:
            flip(scene)
        scene.image = distort_colours(scene.image, rng)
        return scene

    def _grid(self, rng: np.random.Generator) -> list[tuple[int, int, int, int]]:
        rows, columns = rng.choice([1, 2, 2, 3]), rng.choice([1, 2, 2, 3])
        xs, ys = (_cuts(int(n), self._size, rng) for n in (columns, rows))
        return [(x1, y1, x2, y2) for y1, y2 in pairwise(ys) for x1, x2 in pairwise(xs)]

    def _photo(self, rng: np.random.Generator) -> tuple[Image, LabelledImage]:
        source = self._sources[int(rng.choice(len(self._sources), p=self._shares))]
        items = self._by_source[source]
        item = items[int(rng.integers(len(items)))]
        return read_image(self._roots[source] / item.file), item

    def _place_photo(
        self, scene: Scene, tile: tuple[int, int, int, int], rng: np.random.Generator
    ) -> None:
        photo, item = self._photo(rng)
        width, height = tile[2] - tile[0], tile[3] - tile[1]
        fit = min(width / photo.shape[1], height / photo.shape[0])
        scale = fit * np.exp(rng.uniform(np.log(0.75), np.log(1.9)))
        stretch = np.exp(rng.uniform(-0.15, 0.15))
        scales = np.array([scale * stretch, scale / stretch])
        room = np.array([width, height]) - scales * (photo.shape[1], photo.shape[0])
        shift = np.array(tile[:2]) + room * rng.uniform(0, 1, 2)
        place_photo(scene, photo, item, tile, scales, shift)

    def _background(self, rng: np.random.Generator) -> Image:
        for _ in range(8):
            photo, item = self._photo(rng)
            piece = person_free_piece(photo, item, rng)
            if piece is not None:
                return resize(piece, self._size, self._size)
        return np.full((self._size, self._size, 3), _tile_fill(rng), np.uint8)

    def _cutout(self, rng: np.random.Generator) -> Cutout:
        while True:  # a few masks of Clothing Co-Parsing are empty
            photo, mask = self._cutouts[int(rng.integers(len(self._cutouts)))]
            cutout = read_cutout(photo, mask)
            if cutout is not None:
                return cutout


def _number_of_pasted(kind: str, rng: np.random.Generator) -> int:
    """A background without anybody is a lesson too; over photos people are pasted now and then."""
    if kind == "background":
        return int(rng.choice([0, 1, 2, 3, 5, 8], p=(0.2, 0.25, 0.2, 0.15, 0.1, 0.1)))
    return int(rng.choice([0, 1, 2, 4], p=(0.65, 0.2, 0.1, 0.05)))


def _tile_fill(rng: np.random.Generator) -> int:
    return _FILL if rng.random() < 0.7 else int(rng.integers(256))


def _cuts(parts: int, size: int, rng: np.random.Generator) -> list[int]:
    """Where to cut a side into ``parts`` unequal pieces: parts + 1 positions."""
    shares = rng.uniform(0.6, 1.4, parts)
    return [0, *np.round(size * np.cumsum(shares) / shares.sum()).astype(int).tolist()]


def _padded(boxes: Sequence[FloatArray], rows: int) -> FloatArray:
    table = np.zeros((rows, 4), np.float32)
    if boxes:
        table[: len(boxes)] = np.stack(boxes[:rows])
    return table


def _cutout_pairs(photos: Path, masks: Path) -> list[tuple[Path, Path]]:
    """(photo, mask) files of the same stem. Raises DataError if there is none."""
    pairs = [(photos / f"{m.stem}.jpg", m) for m in sorted(masks.glob("*.png"))]
    pairs = [(photo, mask) for photo, mask in pairs if photo.is_file()]
    if not pairs:
        raise DataError(f"{masks}: no person masks (*.png) of photos in {photos}")
    return pairs
