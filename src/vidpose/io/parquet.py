"""Parquet: the columns of .csv with types, and the header in the file's metadata."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from vidpose.errors import InputError
from vidpose.io.columns import FIXED, SIZE, FurtherColumns, column_names, count_result_columns
from vidpose.io.reading import Results, Row, damaged, frames_of, readable
from vidpose.io.writer import Encoder
from vidpose.results import FrameResult, Person, ResultHeader

ROWS_PER_GROUP = 4096  # about 1 MB in memory for 17 keypoints
_METADATA_KEY = b"vidpose"
_TYPES = {"frame": pa.int64(), "time": pa.float64(), "id": pa.int64()}
_TYPES |= dict.fromkeys(SIZE, pa.int64())


class ParquetEncoder(Encoder):
    """Writes .parquet in row groups."""

    def __init__(
        self, file: BinaryIO, header: ResultHeader, further: FurtherColumns | None = None
    ) -> None:
        super().__init__(file, header)
        columns = column_names(header.skeleton.keypoints)
        if further is not None:
            columns += further.names
        self._further = further
        self._schema = pa.schema(
            [
                pa.field(name, _TYPES.get(name, pa.float32()), nullable=name not in FIXED[:2])
                for name in columns
            ],
            metadata={_METADATA_KEY: json.dumps(header.to_dict())},
        )
        self._beyond = [None] * len(further.names if further else ())
        self._empty = [None] * (len(columns) - len(self._beyond) - 2 - len(SIZE))
        self._rows: list[list[Any]] = []
        self._table = pq.ParquetWriter(file, self._schema, write_page_checksum=True)

    def write(self, result: FrameResult) -> None:
        start = [result.index, result.time]
        size = result.size or (None, None)
        further = self._further.rows(result) if self._further else [[]] * len(result.people)
        for person, more in zip(result.people, further, strict=True):
            points, beyond = map(_cells, (person.keypoints.ravel().tolist(), more))
            self._rows.append(
                [*start, person.id, person.score, *person.box, *points, *size, *beyond]
            )
        if not result.people:
            self._rows.append([*start, *self._empty, *size, *self._beyond])
        if len(self._rows) >= ROWS_PER_GROUP:
            self._flush()

    def finish(self) -> None:
        self._flush()
        self._table.close()

    def release(self) -> None:
        # An open ParquetWriter would write to the closed file when it is collected.
        with suppress(OSError, pa.ArrowException):
            self._table.close()
        self._table.is_open = False

    def _flush(self) -> None:
        if self._rows:
            columns = [
                pa.array(values, field.type)
                for values, field in zip(zip(*self._rows, strict=True), self._schema, strict=True)
            ]
            self._table.write_table(pa.table(columns, schema=self._schema))
            self._rows.clear()


def _cells(values: Iterable[float]) -> list[float | None]:
    return [None if value != value else value for value in values]


def read_parquet(path: Path) -> Results:
    """Read a .parquet file. Raises InputError with file and row when it is damaged."""
    with readable(path), path.open("rb") as file:
        try:
            return _read(path, pq.ParquetFile(file, page_checksum_verification=True))
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path}: damaged: {str(error).splitlines()[0]}") from error


def read_parquet_header(path: Path) -> ResultHeader | None:
    """The header, without the rows. Raises InputError when the file is damaged or incomplete."""
    with readable(path), path.open("rb") as file:
        try:
            return _header(path, pq.read_schema(file))
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path}: damaged: {str(error).splitlines()[0]}") from error


def _read(path: Path, table: pq.ParquetFile) -> Results:
    names = table.schema_arrow.names
    header = _header(path, table.schema_arrow)
    keypoints, count = count_result_columns(names)
    return Results(header, frames_of(path, _rows(path, table, names[:count], keypoints)))


def _header(path: Path, schema: pa.Schema) -> ResultHeader | None:
    with damaged(str(path)):
        count_result_columns(schema.names)
        metadata = (schema.metadata or {}).get(_METADATA_KEY)
        return ResultHeader.from_dict(json.loads(metadata)) if metadata else None


def _rows(path: Path, table: pq.ParquetFile, columns: list[str], keypoints: int) -> Iterator[Row]:
    number = 0
    for batch in table.iter_batches(batch_size=ROWS_PER_GROUP, columns=columns):
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            number += 1
            with damaged(f"{path}, row {number}"):
                parsed = _parse(row, keypoints)
            yield parsed


def _parse(row: tuple[Any, ...], keypoints: int) -> Row:
    width, height = row[keypoints:] or (None, None)
    size = None if width is None or height is None else (width, height)
    if row[2] is None:
        return row[0], row[1], None, size
    values = row[len(FIXED) : keypoints]
    points = [values[start : start + 3] for start in range(0, len(values), 3)]
    return row[0], row[1], Person(row[2], row[3], row[4 : len(FIXED)], points), size
