"""Result files by suffix: .jsonl, .csv, .parquet and .json (COCO results)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vidpose.errors import InputError, OutputError
from vidpose.io.coco import CocoEncoder, read_coco
from vidpose.io.csv_rows import CsvEncoder, read_csv
from vidpose.io.jsonl import JsonlEncoder, read_jsonl
from vidpose.io.reading import Results
from vidpose.io.writer import Encoder, ResultWriter
from vidpose.results import ResultHeader

__all__ = ["RESULT_SUFFIXES", "ResultWriter", "Results", "open_writer", "read_results"]

_Format = tuple[type[Encoder], Callable[[Path], Results]]


def _parquet() -> _Format:
    # pyarrow takes a while to import, so only those who use it wait.
    from vidpose.io.parquet import ParquetEncoder, read_parquet

    return ParquetEncoder, read_parquet


_FORMATS: dict[str, Callable[[], _Format]] = {
    ".jsonl": lambda: (JsonlEncoder, read_jsonl),
    ".csv": lambda: (CsvEncoder, read_csv),
    ".parquet": _parquet,
    ".json": lambda: (CocoEncoder, read_coco),
}

RESULT_SUFFIXES: tuple[str, ...] = tuple(_FORMATS)


def open_writer(path: str | Path, header: ResultHeader) -> ResultWriter:
    """A writer of the format that the suffix of ``path`` names (one of ``RESULT_SUFFIXES``).

    Raises OutputError for another suffix, or when the folder cannot be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _FORMATS:
        raise OutputError(_unknown(path))
    encoder, _ = _FORMATS[suffix]()
    return ResultWriter(path, header, encoder)


def read_results(path: str | Path) -> Results:
    """Read a file written by ``open_writer``; the values are the same.

    Exceptions: .csv and .json hold no header, .json no frames without people.
    Raises InputError for another suffix, and for a file that is missing or damaged.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _FORMATS:
        raise InputError(_unknown(path))
    _, reader = _FORMATS[suffix]()
    return reader(Path(path))


def _unknown(path: str | Path) -> str:
    known = " ".join(RESULT_SUFFIXES)
    return f"{path}: unknown kind of result file '{Path(path).suffix}': use one of {known}"
