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

from vidpose.errors import InputError
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
            }
            self.file.write(self._separator + json.dumps(entry, allow_nan=False).encode())
            self._separator = b",\n"

    def finish(self) -> None:
        self.file.write(b"\n]\n")


def read_coco(path: Path) -> Results:
    """Read a .json file. Raises InputError with file and line, or entry, when it is damaged."""
    with readable(path):
        data = path.read_bytes()
    try:
        entries = json.loads(data)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: damaged: {error.msg}") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line}: damaged: {error.reason}") from error
    if not isinstance(entries, list):
        raise InputError(f"{path}: not a list of COCO results")
    return Results(None, frames_of(path, _rows(path, entries)))


def _rows(path: Path, entries: list[Any]) -> Iterator[Row]:
    for number, entry in enumerate(entries, start=1):
        with damaged(f"{path}, entry {number}"):
            points = np.array(entry["keypoints"], dtype=np.float32).reshape(-1, 3)
            points[(points == 0).all(axis=1), :2] = np.nan
            person = Person(entry["track_id"], entry["score"], entry["bbox"], points)
            row = (int(entry["image_id"]), float(entry["time"]), person)
        yield row
