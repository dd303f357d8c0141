"""The label file of the person finder: people and regions to ignore, image by image.

Boxes are COCO's (x, y, w, h) in pixels, 0 at the left edge of the first pixel.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidpose.errors import DataError

FloatArray = NDArray[np.float32]

LABELS_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImage:
    """One image: ``file`` is relative to the folder of ``source``; the arrays are (M, 4).

    ``boxes`` are people; training takes ``ignore`` neither for people nor for background.
    """

    source: str
    file: str
    boxes: FloatArray
    ignore: FloatArray


def write_labels(path: Path, images: Iterable[LabelledImage], teachers: Sequence[str]) -> None:
    """Write one JSON file of labels; it appears under its name only when complete."""
    rows = [
        {
            "source": item.source,
            "file": item.file,
            "boxes": _rounded(item.boxes),
            "ignore": _rounded(item.ignore),
        }
        for item in images
    ]
    text = json.dumps({"version": LABELS_VERSION, "teachers": list(teachers), "images": rows})
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    partial.replace(path)


def read_labels(path: Path, roots: Mapping[str, Path]) -> list[LabelledImage]:
    """Read a label file, keeping the images of the sources that ``roots`` has a folder for.

    Raises DataError if the file is missing or of another format.
    """
    if not path.is_file():
        raise DataError(f"{path}: no finder labels here; write them with `vidpose label-people`")
    try:
        table = json.loads(path.read_text())
        if table["version"] != LABELS_VERSION:
            raise DataError(f"{path}: label version {table['version']}, not {LABELS_VERSION}")
        return [
            LabelledImage(row["source"], row["file"], _boxes(row["boxes"]), _boxes(row["ignore"]))
            for row in table["images"]
            if row["source"] in roots
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: not a finder label file ({error!r})") from error


def _rounded(boxes: FloatArray) -> list[list[float]]:
    return [[round(float(value), 1) for value in box] for box in boxes]


def _boxes(rows: list[list[float]]) -> FloatArray:
    return np.asarray(rows, np.float32).reshape(-1, 4)
