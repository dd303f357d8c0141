"""Result files by suffix: .jsonl .csv .parquet .json (COCO results), and other tools' formats."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from vidpose.errors import InputError, OutputError
from vidpose.io.coco import CocoEncoder, read_coco
from vidpose.io.columns import FurtherColumns
from vidpose.io.csv_rows import CsvEncoder, read_csv
from vidpose.io.jsonl import JsonlEncoder, read_jsonl
from vidpose.io.openpose import OpenPoseZipEncoder
from vidpose.io.others import MMPoseEncoder, UltralyticsEncoder
from vidpose.io.reading import Results, check_frames
from vidpose.io.rerun_recording import RerunEncoder
from vidpose.io.writer import Encoder, ResultWriter
from vidpose.results import ResultHeader

__all__ = [
    "FOREIGN_SUFFIXES",
    "RESULT_SUFFIXES",
    "FurtherColumns",
    "ResultWriter",
    "Results",
    "open_writer",
    "read_results",
    "result_suffix",
]

_Format = tuple[Callable[..., Encoder], Callable[[Path], Results]]


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
"""Formats that are written and read back."""

_FOREIGN: dict[str, type[Encoder]] = {
    ".openpose.zip": OpenPoseZipEncoder,
    ".mmpose.json": MMPoseEncoder,
    ".ultralytics.json": UltralyticsEncoder,
    ".rrd": RerunEncoder,
}

FOREIGN_SUFFIXES: tuple[str, ...] = tuple(_FOREIGN)
"""Formats of other tools, which are written only."""


def result_suffix(path: str | Path) -> str:
    """The part of a file's name that chooses its format, in lower case, also of two parts."""
    name = Path(path).name.lower()
    return next((suffix for suffix in _FOREIGN if name.endswith(suffix)), Path(name).suffix)


def open_writer(
    path: str | Path, header: ResultHeader, further: FurtherColumns | None = None
) -> ResultWriter:
    """A writer of the format that the suffix of ``path`` names.

    It is one of ``RESULT_SUFFIXES`` or ``FOREIGN_SUFFIXES``. ``header``: skeleton, source and what
    else holds of all frames. ``further``: numbers to add to a .csv or .parquet table; other
    formats have no place for them.

    Raises OutputError for another suffix, or when the folder cannot be written.
    """
    suffix = result_suffix(path)
    if suffix in _FOREIGN:
        return ResultWriter(path, header, _FOREIGN[suffix])
    if suffix not in _FORMATS:
        raise OutputError(_unknown(path, (*RESULT_SUFFIXES, *FOREIGN_SUFFIXES)))
    encoder, _ = _FORMATS[suffix]()
    if further is not None and suffix in (".csv", ".parquet"):
        encoder = partial(encoder, further=further)
    return ResultWriter(path, header, encoder)


def read_results(path: str | Path) -> Results:
    """Read a file written by ``open_writer``; the values are the same.

    Exceptions: .csv and .json hold no header, .json no frames without people.
    Raises InputError for another suffix, and for a file that is missing or damaged.
    """
    suffix = result_suffix(path)
    if suffix not in _FORMATS:
        raise InputError(_unknown(path, RESULT_SUFFIXES))
    _, reader = _FORMATS[suffix]()
    results = reader(Path(path))
    check_frames(Path(path), results.frames)
    return results


def _unknown(path: str | Path, known: tuple[str, ...]) -> str:
    kind = result_suffix(path)
    return f"{path}: unknown kind of result file '{kind}': use one of {' '.join(known)}"
