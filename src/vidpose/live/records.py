"""Live results as a file that grows: complete lines only, readable at any moment."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vidpose.errors import OutputError
from vidpose.files import cannot_write
from vidpose.io.jsonl import frame_record
from vidpose.results import FrameResult, ResultHeader


@dataclass(frozen=True, slots=True)
class LiveRecord:
    """One frame that was analysed.

    ``result``: its index counts the frames that arrived, so dropped ones leave gaps; its time is
    in seconds since the first frame, through all reconnections. ``age``: seconds from the frame's
    arrival to this result. ``dropped``: frames passed over since the record before.
    """

    result: FrameResult
    age: float
    dropped: int


class RecordFile:
    """A .jsonl file that grows by a whole line for every record, at once.

    Each line is one write, so that what a killed process leaves can be read by
    `vidpose.read_results`; records have ``age`` and ``dropped`` beside the usual keys. Raises
    OutputError when the file exists or cannot be written.
    """

    def __init__(self, path: str | Path, header: ResultHeader, *, overwrite: bool = False) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() != ".jsonl":
            raise OutputError(f"{self.path}: live results go to .jsonl; convert it afterwards")
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        flags |= os.O_TRUNC if overwrite else os.O_EXCL
        try:
            self._file = os.open(self.path, flags, 0o666)
        except FileExistsError as error:
            raise OutputError(f"{self.path}: it exists; --overwrite replaces it") from error
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self._line(header.to_dict())

    def write(self, record: LiveRecord) -> None:
        """Append one record."""
        value = frame_record(record.result)
        self._line({**value, "age": round(record.age, 4), "dropped": record.dropped})

    def close(self) -> None:
        """Close the file; it is complete at any time. Does nothing when already closed."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _line(self, value: object) -> None:
        data = json.dumps(value, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        before = os.fstat(self._file).st_size
        try:
            written = 0
            while written < len(data):  # a disk that is nearly full takes a part
                written += os.write(self._file, data[written:])
        except OSError as error:
            with suppress(OSError):  # a pipe, say, cannot be shortened
                os.ftruncate(self._file, before)
            raise cannot_write(self.path, error) from error
