"""What a batch works through: from folders, patterns, lists, tables and addresses to sources."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from vidpose.batch.remote import is_remote, remote_videos
from vidpose.errors import InputError
from vidpose.video import expand_sources
from vidpose.video.digest import source_digest

LISTS = (".txt", ".lst", ".list")
TABLES = (".csv", ".parquet")
_NOT_FILES = ("webcam:", "rtsp://", "rtmp://", "udp://", "srt://", "rtsps://")


@dataclass(frozen=True, slots=True)
class Source:
    """A video to do. ``name``: its absolute path or its address. ``stamp``: changes when the
    content does; empty where nobody knows. ``bytes``: its size, 0 where nobody knows."""

    name: str
    stamp: str = ""
    bytes: int = 0


def find_sources(spec: str, column: str = "source") -> list[Source]:
    """The sources that one argument stands for.

    It is a video, a folder of videos or of images, a glob, an address that fsspec knows (of a
    file, a folder, or with a pattern), a list (.txt: a path or address a line, # for comments), or
    a table (.csv, .parquet) with them in ``column``. Relative paths in lists and tables start from
    the folder of the list. What a list names need not exist; it fails in its turn.

    Raises InputError when it stands for nothing.
    """
    if spec.startswith(_NOT_FILES):
        raise InputError(f"{spec}: not a file; a camera or a stream is for `vidpose run`")
    if is_remote(spec):
        return [Source(*found) for found in remote_videos(spec)]
    path = Path(spec)
    if path.suffix.lower() in (*LISTS, *TABLES) and path.is_file():
        return [_local_or_remote(name, path.parent) for name in _listed(path, column)]
    return [_local(Path(found)) for found in expand_sources([spec])]


def _local_or_remote(name: str, folder: Path) -> Source:
    return Source(name) if is_remote(name) else _local(folder / name)


def _local(path: Path) -> Source:
    name = str(path.absolute())
    try:
        if not path.is_file():
            return Source(name, source_digest(path) or "")
        status = path.stat()
    except OSError:
        return Source(name)
    return Source(name, f"{status.st_size} {status.st_mtime_ns}", status.st_size)


def _listed(path: Path, column: str) -> list[str]:
    try:
        if path.suffix.lower() in LISTS:
            lines = path.read_text(encoding="utf-8").splitlines()
            names = [line.strip() for line in lines if not line.lstrip().startswith("#")]
        elif path.suffix.lower() == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                names = list(_csv_column(path, csv.DictReader(file), column))
        else:
            with path.open("rb") as file:
                table = pq.ParquetFile(file)
                _check_column(path, table.schema_arrow.names, column)
                found = table.read([column])[column].to_pylist()
                names = ["" if name is None else str(name) for name in found]
    except (OSError, UnicodeDecodeError, csv.Error, pa.ArrowException) as error:
        raise InputError(f"{path}: cannot be read ({str(error).splitlines()[0]})") from error
    names = [name for name in names if name]
    if not names:
        raise InputError(f"{path}: names no videos")
    return names


def _csv_column(path: Path, rows: csv.DictReader[str], column: str) -> Iterator[str]:
    _check_column(path, rows.fieldnames or (), column)
    for row in rows:
        yield (row[column] or "").strip()


def _check_column(path: Path, names: Sequence[str], column: str) -> None:
    if column not in names:
        there = ", ".join(names) or "none"
        raise InputError(f"{path}: no column '{column}' (there are: {there}); name one: --column")
