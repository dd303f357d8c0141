"""The manifest: rows appended atomically as small Parquet files, which are gathered now and then.

They end in .parq, so that who reads all *.parquet of a batch does not meet them. A file
``rows-FIRST-LAST.parq`` holds the appends of those numbers, the newest row of each
source alone. Appending writes ``rows-N-N``; gathering writes ``rows-1-N`` and removes what is in
it. A process that dies between the two leaves files that a larger range covers; readers here pass
over them, and the next run removes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from vidpose.batch.rows import VideoRow, from_table, to_table
from vidpose.errors import InputError
from vidpose.files import AtomicFile, cannot_write, remove_old_parts

_NAME = re.compile(r"rows-(\d+)-(\d+)\.parq")
_GATHER_EVERY = 64  # appends


class Manifest:
    """The rows in ``folder``, which exists. Only who holds the lock may append.

    Raises InputError when a file is damaged, OutputError when one cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows: dict[str, VideoRow] = {}
        self._files = _files_of(folder)
        for path, _ in _uncovered(self._files):
            for row in _read(path):
                self._rows[row.source] = row
        self._last = max((last for _, (_, last) in self._files), default=0)

    @property
    def rows(self) -> Mapping[str, VideoRow]:
        """The newest row of each source."""
        return self._rows

    def append(self, rows: Iterable[VideoRow]) -> None:
        """Add rows; they are on the disk when this returns."""
        new = {row.source: row for row in rows}
        if not new:
            return
        self._rows.update(new)
        self._last += 1
        self._write(new.values(), (self._last, self._last))
        if len(self._files) > _GATHER_EVERY:
            self.gather()

    def gather(self) -> None:
        """Make one file of all, with one row for each source."""
        if len(self._files) > 1:
            old = [path for path, _ in self._files]
            self._write(self._rows.values(), (1, self._last))
            kept, _ = self._files[-1]
            for path in old:
                if path != kept:
                    path.unlink(missing_ok=True)
            self._files = self._files[-1:]
        remove_old_parts(self._folder)

    def _write(self, rows: Iterable[VideoRow], span: tuple[int, int]) -> None:
        path = self._folder / f"rows-{span[0]:09}-{span[1]:09}.parq"
        target = AtomicFile(path)
        try:
            pq.write_table(to_table(rows), target.temporary)
        except OSError as error:
            target.discard()
            raise cannot_write(path, error) from error
        target.commit()
        self._files.append((path, span))


def _files_of(folder: Path) -> list[tuple[Path, tuple[int, int]]]:
    """The files in the order of their last append, of equals the longest first."""
    found = []
    for path in folder.iterdir():
        match = _NAME.fullmatch(path.name)
        if match:
            found.append((path, (int(match[1]), int(match[2]))))
    return sorted(found, key=lambda item: (item[1][1], item[1][0]))


def _uncovered(
    files: list[tuple[Path, tuple[int, int]]],
) -> list[tuple[Path, tuple[int, int]]]:
    """Those that no larger file covers."""
    wide = [span for _, span in files if span[1] > span[0]]
    return [
        (path, span)
        for path, span in files
        if not any(w != span and w[0] <= span[0] and span[1] <= w[1] for w in wide)
    ]


def _read(path: Path) -> list[VideoRow]:
    try:
        with path.open("rb") as file:
            return from_table(pq.read_table(file))
    except (OSError, pa.ArrowException, KeyError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{path}: damaged ({reason}); remove this file, and its videos are looked at again"
        ) from error
