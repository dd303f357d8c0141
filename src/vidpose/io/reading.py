"""What all result readers share: the value they return, and errors that name file and line."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from vidpose.errors import InputError, VidposeError
from vidpose.results import FrameResult, Person, ResultHeader

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Results:
    """A result file read back. ``header`` is None for formats that have no room for it."""

    header: ResultHeader | None
    frames: list[FrameResult]


def check_results(results: object) -> None:
    """Raises InputError for what is no result that was read."""
    if not isinstance(results, Results):
        kind = type(results).__name__
        raise InputError(f"results are what read_results gives, got {kind}; read the file first")


@contextmanager
def damaged(place: str) -> Iterator[None]:
    """Turn whatever goes wrong with a record into one line that names its place."""
    try:
        yield
    except KeyError as error:
        raise InputError(f"{place}: damaged: {error} is missing") from error
    except (TypeError, ValueError, csv.Error, VidposeError) as error:
        raise InputError(f"{place}: damaged: {error}") from error


def note_cut(path: Path, line: int) -> None:
    """Say that a file ends within its last line, as after a power cut or a copy in mid-write."""
    _log.warning("%s: line %d, its last, is cut off; the lines before it are read", path, line)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn the file system's errors into one line."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot read: {error.strerror or error}") from error


Row = tuple[int, float, Person | None, tuple[int, int] | None]
"""Frame index, time, a person, or None for a frame without people, and the frame's own size."""


def frames_of(path: Path, rows: Iterable[Row]) -> list[FrameResult]:
    """Gather the rows of a file, in their order, to frames."""
    frames = []
    for (index, time), group in groupby(rows, key=lambda row: (row[0], row[1])):
        of_frame = list(group)
        people = tuple(row[2] for row in of_frame if row[2] is not None)
        with damaged(f"{path}, frame {index}"):
            frames.append(FrameResult(index, time, people, size=of_frame[0][3]))
    return frames


def check_frames(path: Path, frames: Iterable[FrameResult]) -> None:
    """Raise InputError where frames or times do not rise, or a frame has an id twice.

    Nobody writes such a file, but what joins, edits or cuts files may; and every later step
    (trajectories, angles, speeds) would be wrong in silence.
    """
    last: FrameResult | None = None
    for frame in frames:
        with damaged(f"{path}, frame {frame.index}"):
            if last is not None and frame.index <= last.index:
                raise ValueError(f"it comes after frame {last.index}")
            if last is not None and frame.time <= last.time:
                raise ValueError(f"its time, {frame.time} s, is not after {last.time} s")
            ids = [person.id for person in frame.people]
            twice = next((id for id in ids if ids.count(id) > 1), None)
            if twice is not None:
                raise ValueError(f"person {twice} is in it twice")
            for person in frame.people:
                if min(person.box[2:]) < 0:
                    raise ValueError(f"the box of person {person.id} has a negative size")
        last = frame
