"""Videos behind Python's file objects: of a bucket, an archive, or in memory."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from vidpose.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class FileObject:
    """A video that is read through ``file``, a binary file object that can seek.

    ``name``: what messages and results call it. ``file``: opened with "rb", or an ``io.BytesIO``.
    It is read from its beginning, whatever its position, and left open; one reader at a time. What
    its ``read`` raises passes unchanged.
    """

    name: str
    file: BinaryIO

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Raises InputError for what cannot be read as a video, or not any more."""
        if not (hasattr(self.file, "read") and hasattr(self.file, "seek")):
            kind = type(self.file).__name__
            raise InputError(f"{self.name}: a file object can read and seek, {kind} cannot")
        file: object = self.file
        if isinstance(file, io.TextIOBase):
            raise InputError(f"{self.name}: a video is no text; open it with 'rb'")
        if getattr(self.file, "closed", False) is True:
            raise InputError(f"{self.name}: this file is closed; open it anew")

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


def check_source(source: object) -> None:
    """Raises InputError for what is no source at all."""
    if isinstance(source, FileObject):
        source.check()  # it may have been closed since
        return
    if isinstance(source, (str, Path)):
        return
    kind = type(source).__name__
    if isinstance(source, (bytes, bytearray)):
        hint = "wrap a video's bytes: vidpose.video.FileObject(name, io.BytesIO(data))"
    elif hasattr(source, "read"):
        hint = "wrap an open file: vidpose.video.FileObject(name, file)"
    else:
        hint = "give a str, a pathlib.Path or a vidpose.video.FileObject"
    raise InputError(f"a source is a name, not {kind}; {hint}")


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
