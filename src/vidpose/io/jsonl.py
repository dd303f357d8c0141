"""JSON Lines: the header on the first line, then one line per frame."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO

from vidpose.errors import InputError
from vidpose.io.reading import Results, damaged, readable
from vidpose.io.writer import Encoder
from vidpose.results import FrameResult, Person, ResultHeader, singles


class JsonlEncoder(Encoder):
    """Writes .jsonl."""

    def __init__(self, file: BinaryIO, header: ResultHeader) -> None:
        super().__init__(file, header)
        self._line(header.to_dict())

    def write(self, result: FrameResult) -> None:
        people = [
            {
                "id": person.id,
                "score": person.score,
                "box": list(person.box),
                "keypoints": _points(person),
            }
            for person in result.people
        ]
        self._line({"frame": result.index, "time": result.time, "people": people})

    def _line(self, value: dict[str, Any]) -> None:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        self.file.write(text.encode() + b"\n")


def _points(person: Person) -> list[list[float | None]]:
    # JSON has no NaN.
    values = [None if value != value else value for value in singles(person.keypoints)]
    return [values[start : start + 3] for start in range(0, len(values), 3)]


def read_jsonl(path: Path) -> Results:
    """Read a .jsonl file. Raises InputError with file and line when it is damaged."""
    header: ResultHeader | None = None
    frames: list[FrameResult] = []
    with readable(path), path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            with damaged(f"{path}, line {number}"):
                value = json.loads(line)
                if header is None:
                    header = ResultHeader.from_dict(value)
                else:
                    frames.append(_frame(value, header.skeleton.num_keypoints))
    if header is None:
        raise InputError(f"{path}, line 1: damaged: the file is empty")
    return Results(header, frames)


def _frame(value: dict[str, Any], count: int) -> FrameResult:
    people = tuple(
        # None becomes NaN in a float array.
        Person(person["id"], person["score"], person["box"], person["keypoints"])
        for person in value["people"]
    )
    for person in people:
        if len(person.keypoints) != count:
            raise ValueError(f"person {person.id} has {len(person.keypoints)} of {count} keypoints")
    return FrameResult(value["frame"], value["time"], people)
