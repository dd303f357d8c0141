"""CSV: one row per person and frame, an empty frame is a row without person."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from vidpose.io.columns import FIXED, SIZE, FurtherColumns, column_names, count_result_columns
from vidpose.io.reading import Results, Row, damaged, frames_of, note_cut, readable
from vidpose.io.writer import Encoder
from vidpose.results import FrameResult, Person, ResultHeader, single, singles


class CsvEncoder(Encoder):
    """Writes .csv."""

    def __init__(
        self, file: BinaryIO, header: ResultHeader, further: FurtherColumns | None = None
    ) -> None:
        super().__init__(file, header)
        columns = column_names(header.skeleton.keypoints)
        self._empty = [""] * (len(columns) - 2 - len(SIZE))
        self._beyond = [""] * len(further.names if further else ())
        if further is not None:
            columns += further.names
        self._further = further
        self._row(columns)

    def write(self, result: FrameResult) -> None:
        start = [str(result.index), repr(result.time)]
        size = ["", ""] if result.size is None else [str(side) for side in result.size]
        further = self._further.rows(result) if self._further else [[]] * len(result.people)
        for person, values in zip(result.people, further, strict=True):
            self._row(
                [
                    *start,
                    str(person.id),
                    *(repr(value) for value in (person.score, *person.box)),
                    *map(_cell, singles(person.keypoints)),
                    *size,
                    *(_cell(single(value)) for value in values),
                ]
            )
        if not result.people:
            self._row(start + self._empty + size + self._beyond)

    def _row(self, values: Sequence[str]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(values)
        self.file.write(line.getvalue().encode())


def _cell(value: float) -> str:
    return "" if value != value else repr(value)


def read_csv(path: Path) -> Results:
    """Read a .csv file. Raises InputError with file and line when it is damaged.

    Of one that ends within a line all lines before it are read, with a logged warning.
    """
    # Bytes that are no UTF-8 become characters that no number has, so their line is found.
    with readable(path), path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return Results(None, frames_of(path, _rows(path, csv.reader(_whole_lines(path, file)))))


def _whole_lines(path: Path, file: Iterable[str]) -> Iterator[str]:
    # A number that is cut off is still a number, so only the missing line end tells.
    for number, line in enumerate(file, start=1):
        if not line.endswith("\n"):
            if number == 1:
                raise ValueError("the line is cut off")
            note_cut(path, number)
            return
        yield line


def _rows(path: Path, reader: Iterator[list[str]]) -> Iterator[Row]:
    with damaged(f"{path}, line 1"):
        columns = next(reader, [])
        counts = count_result_columns(columns)
    number = 1
    while True:
        number += 1
        with damaged(f"{path}, line {number}"):
            row = next(reader, None)
            if row is None:
                return
            parsed = _parse(row, len(columns), *counts)
        yield parsed


def _parse(row: list[str], columns: int, keypoints: int, count: int) -> Row:
    if len(row) != columns:
        raise ValueError(f"{len(row)} of {columns} values")
    index, time = int(row[0]), float(row[1])
    width, height = row[keypoints:count] or ("", "")
    size = (int(width), int(height)) if width else None
    if not any(row[2:keypoints]):
        return index, time, None, size
    score, *box = (float(value) for value in row[3 : len(FIXED)])
    values = [float(value or "nan") for value in row[len(FIXED) : keypoints]]
    points = [values[start : start + 3] for start in range(0, len(values), 3)]
    return index, time, Person(int(row[2]), score, box, points), size
