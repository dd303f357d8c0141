"""JSON Lines: the header on the first line, then one line per frame."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any, BinaryIO

from vidpose.errors import InputError
from vidpose.io.columns import SIZE
from vidpose.io.reading import Results, damaged, note_cut, readable
from vidpose.io.writer import Encoder
from vidpose.results import FrameResult, Person, ResultHeader, singles

_SIZE_DIGITS = 15

_log = logging.getLogger(__name__)


class JsonlEncoder(Encoder):
    """Writes .jsonl. A header with a provenance also gets ``bytes``, the size of the finished
    file, unless ``sized`` is False: it tells a file that was cut or copied in part."""

    def __init__(self, file: BinaryIO, header: ResultHeader, *, sized: bool = True) -> None:
        super().__init__(file, header)
        self._sized = sized and header.provenance is not None
        if not self._sized:
            self._line(header.to_dict())
            return
        self._line({**header.to_dict(), "bytes": 10**_SIZE_DIGITS})
        self._size_at = file.tell() - len("}\n") - _SIZE_DIGITS - 1
        self._put_size(0)
        file.seek(0, os.SEEK_END)

    def finish(self) -> None:
        if self._sized:
            self._put_size(self.file.tell())

    def _put_size(self, size: int) -> None:
        self.file.seek(self._size_at)
        self.file.write(f"{size:<{_SIZE_DIGITS + 1}}".encode())

    def write(self, result: FrameResult) -> None:
        self._line(frame_record(result))

    def _line(self, value: dict[str, Any]) -> None:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        try:
            data = text.encode()
        except UnicodeEncodeError:  # a file name that is no text: as escapes it is valid JSON
            data = json.dumps(value, allow_nan=False).encode()
        self.file.write(data + b"\n")


def frame_record(result: FrameResult) -> dict[str, Any]:
    """One frame as the JSON-ready values of its line."""
    people = [
        {
            "id": person.id,
            "score": person.score,
            "box": list(person.box),
            "keypoints": _points(person),
        }
        for person in result.people
    ]
    size = {} if result.size is None else dict(zip(SIZE, result.size, strict=True))
    return {"frame": result.index, "time": result.time, **size, "people": people}


def _points(person: Person) -> list[list[float | None]]:
    # JSON has no NaN.
    values = [None if value != value else value for value in singles(person.keypoints)]
    return [values[start : start + 3] for start in range(0, len(values), 3)]


def read_jsonl(path: Path) -> Results:
    """Read a .jsonl file. Raises InputError with file and line when it is damaged.

    One that is shorter or longer than it was written is read as it is, with a logged warning; of
    one that ends within a line all lines before it.
    """
    header: ResultHeader | None = None
    frames: list[FrameResult] = []
    written = read = 0
    with readable(path), path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            read += len(line)
            if header is not None and _is_cut(line):
                note_cut(path, number)
                return Results(header, frames)
            with damaged(f"{path}, line {number}"):
                value = json.loads(line)
                if header is None:
                    header = ResultHeader.from_dict(value)
                    written = value.get("bytes", 0)
                else:
                    frames.append(_frame(value, header.skeleton.num_keypoints))
    if header is None:
        raise InputError(f"{path}, line 1: damaged: the file is empty")
    if written and written != read:
        _log.warning(
            "%s: it has %d bytes, but was written with %d: it was cut off or edited since",
            path,
            read,
            written,
        )
    return Results(header, frames)


def _is_cut(line: bytes) -> bool:
    """Whether a line is the first part of one: it has neither an end nor a whole record."""
    if line.endswith(b"\n"):
        return False
    try:
        json.loads(line)
    except ValueError:
        return True
    return False


def _frame(value: dict[str, Any], count: int) -> FrameResult:
    people = tuple(
        # None becomes NaN in a float array.
        Person(person["id"], person["score"], person["box"], person["keypoints"])
        for person in value["people"]
    )
    for person in people:
        if len(person.keypoints) != count:
            raise ValueError(f"person {person.id} has {len(person.keypoints)} of {count} keypoints")
    size = (value["width"], value["height"]) if "width" in value else None
    return FrameResult(value["frame"], value["time"], people, size=size)


def read_jsonl_header(path: Path) -> tuple[ResultHeader, bool]:
    """The header, and whether the file is complete. Errors as ``read_jsonl``."""
    with readable(path), path.open("rb") as file, damaged(f"{path}, line 1"):
        value = json.loads(file.readline())
        header = ResultHeader.from_dict(value)
        return header, value.get("bytes") == file.seek(0, os.SEEK_END)
