"""COCO results: a plain list with one entry per person, as pycocotools' ``loadRes`` takes it.

The format has no entry for a frame without people: such frames show only as gaps in ``image_id``.
It marks a missing keypoint as (0, 0, 0).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from vidpose.errors import InputError
from vidpose.io.columns import SIZE
from vidpose.io.reading import Results, Row, damaged, frames_of, readable
from vidpose.io.writer import Encoder
from vidpose.results import FrameResult, Person, ResultHeader, singles

PERSON_CATEGORY = 1


class CocoEncoder(Encoder):
    """Writes .json."""

    def __init__(self, file: BinaryIO, header: ResultHeader) -> None:
        super().__init__(file, header)
        self._separator = b"\n"
        file.write(b"[")

    def write(self, result: FrameResult) -> None:
        for person in result.people:
            entry = {
                "image_id": result.index,
                "category_id": PERSON_CATEGORY,
                "keypoints": singles(np.nan_to_num(person.keypoints)),
                "score": person.score,
                "bbox": list(person.box),
                # Not part of the official format, and ignored by its readers.
                "track_id": person.id,
                "time": result.time,
                **({} if result.size is None else dict(zip(SIZE, result.size, strict=True))),
            }
            self.file.write(self._separator + json.dumps(entry, allow_nan=False).encode())
            self._separator = b",\n"

    def finish(self) -> None:
        self.file.write(b"\n]\n")


def read_coco(path: Path) -> Results:
    """Read a .json file. Raises InputError with file and line, or entry, when it is damaged."""
    return Results(None, frames_of(path, _rows(path)))


def read_coco_people(
    path: Path, *, own: bool = False
) -> Iterator[tuple[dict[str, Any], int, Person]]:
    """Entry, image number and person of each result of any software: box and id are free there.
    `own`: of vidpose alone.

    A box that is not given is the extent of the keypoints. Other software's scores and confidences
    may lie outside 0 to 1 and count as 0 or 1 then; a negative id says that nobody was followed.
    Raises InputError as `read_coco` does.
    """
    for number, entry in enumerate(_entries(path), start=1):
        with damaged(f"{path}, entry {number}"):
            if not isinstance(entry, dict):
                raise TypeError("not an object")
            with np.errstate(over="ignore"):  # infinity is refused by Person
                flat = np.array(entry["keypoints"], dtype=np.float32).ravel()
            if flat.size == 0 or flat.size % 3:
                raise ValueError(
                    f"keypoints must be x, y, confidence each, not {flat.size} numbers"
                )
            points = flat.reshape(-1, 3)
            points[(points == 0).all(axis=1), :2] = np.nan
            points[np.isnan(points[:, :2]).all(axis=1), 2] = 0
            box = entry.get("bbox") or _extent(points)
            if not own:
                points[:, 2] = _in_range(points[:, 2])
            score = entry["score"] if own else float(_in_range(entry["score"]))
            identity = entry.get("track_id")
            if identity is None or (not own and identity < 0):
                identity = number
            person = Person(identity, score, box, points)
            image = int(entry["image_id"])
        yield entry, image, person


def _in_range(values: Any) -> Any:
    """Cut to [0, 1]; what is no finite number stays, to be refused."""
    return np.where(np.isfinite(values), np.clip(values, 0, 1), values)


def _rows(path: Path) -> Iterator[Row]:
    for number, (entry, image, person) in enumerate(read_coco_people(path, own=True), start=1):
        with damaged(f"{path}, entry {number}"):
            size = (int(entry["width"]), int(entry["height"])) if "width" in entry else None
            row = (image, float(entry["time"]), person, size)
        yield row


def _entries(path: Path) -> list[Any]:
    with readable(path):
        data = path.read_bytes()
    try:
        entries = json.loads(data)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: damaged: {error.msg}") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line}: damaged: {error.reason}") from error
    except RecursionError as error:
        raise InputError(f"{path}: damaged: nested too deeply") from error
    if not isinstance(entries, list):
        raise InputError(f"{path}: not a list of COCO results")
    return entries


def _extent(points: NDArray[np.float32]) -> list[float]:
    """The pixels that the keypoints with a position lie on: x, y, w, h."""
    known = points[np.isfinite(points[:, 0]), :2]
    if not len(known):
        return [0.0, 0.0, 0.0, 0.0]
    low, high = known.min(axis=0), known.max(axis=0)
    return [float(value) for value in (*low, *(high - low + 1))]
