"""Videos behind Python's file objects: of a bucket, an archive, or in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True, slots=True, eq=False)
class FileObject:
    """A video that is read through ``file``, a binary file object that can seek.

    ``name``: what messages and results call it. The file is read from its beginning, whatever its
    position, and left open; one reader at a time. What its ``read`` raises passes unchanged.
    """

    name: str
    file: BinaryIO

    def __str__(self) -> str:
        return self.name

    def read(self, size: int, /) -> bytes:
        return self.file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()

    def close(self) -> None:
        """Nothing: who opened the file closes it."""


VideoSource = str | Path | FileObject


def is_searchable(source: VideoSource) -> bool:
    """Whether the source is a file object or a regular file, which can be entered anywhere."""
    return isinstance(source, FileObject) or Path(source).is_file()


@contextmanager
def opened_bytes(source: Path | FileObject) -> Iterator[tuple[BinaryIO, int]]:
    """The file at its beginning, and its size. A file object gets its position back."""
    if isinstance(source, Path):
        with source.open("rb") as opened:
            yield opened, source.stat().st_size
        return
    position = source.tell()
    try:
        size = source.seek(0, os.SEEK_END)
        source.seek(0)
        yield source.file, size
    finally:
        source.seek(position)
