"""Pipes as a source, whose bytes come once, in order; and files without their end."""

from __future__ import annotations

import os
import stat
import tempfile
from io import FileIO
from pathlib import Path
from typing import Protocol

from vidpose.video.file_object import FileObject

_CHUNK = 1 << 16
_MAX_LEADING_BOXES = 1 << 20  # bytes searched for an mp4's index before its media data


class ByteSource(Protocol):
    """What PyAV needs of an open file: bytes; those with ``seek`` and ``tell`` can be searched."""

    def read(self, size: int, /) -> bytes: ...

    def close(self) -> object: ...


def is_pipe(path: Path) -> bool:
    """Whether the path is a FIFO, a socket or a terminal: anything that can be read only once."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)


def open_pipe(path: Path) -> ByteSource:
    """Open a pipe for reading, which waits for its writer.

    An mp4 whose index follows its pictures can be read only from its end: such a one is
    copied to a temporary file first, which has no name and vanishes with the process.
    """
    # Unbuffered, so that a live pipe gives what it has instead of waiting for a full buffer.
    file = FileIO(path)
    head = bytearray()
    try:
        while not (verdict := _index_place(head)) and len(head) < _MAX_LEADING_BOXES:
            chunk = file.read(_CHUNK)
            if not chunk:
                break
            head += chunk
        return _copied(bytes(head), file) if verdict == "end" else _Pipe(bytes(head), file)
    except BaseException:
        file.close()
        raise


class _Pipe:
    """A pipe with the bytes read already put back in front."""

    def __init__(self, head: bytes, file: FileIO) -> None:
        self._head = head
        self._file = file

    def read(self, size: int, /) -> bytes:
        if self._head:
            part, self._head = self._head[:size], self._head[size:]
            return part
        return self._file.read(size) or b""

    def close(self) -> None:
        self._file.close()


class BeginningOf:
    """A file that ends sooner than it does: at ``end`` bytes."""

    def __init__(self, source: Path | FileObject, end: int) -> None:
        self._file = source if isinstance(source, FileObject) else FileIO(source)
        self._file.seek(0)
        self._end = end

    def read(self, size: int, /) -> bytes:
        return self._file.read(min(size, max(0, self._end - self._file.tell())))

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if whence == os.SEEK_END:
            return self._file.seek(self._end + offset)
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()


def _copied(head: bytes, file: FileIO) -> ByteSource:
    copy = tempfile.TemporaryFile(prefix="vidpose-")  # noqa: SIM115 (the reader closes it)
    with file:
        copy.write(head)
        while chunk := file.read(_CHUNK):
            copy.write(chunk)
    copy.seek(0)
    return copy


def _index_place(head: bytes | bytearray) -> str:
    """Where the index of an mp4 that begins so is: "end", "start" (also of anything else), or ""
    while there are too few bytes to tell."""
    position = 0
    while len(head) >= position + 16:
        kind = bytes(head[position + 4 : position + 8])
        if kind == b"mdat":
            return "end"
        if kind not in (b"ftyp", b"free", b"skip", b"wide", b"uuid"):
            return "start"
        length = int.from_bytes(head[position : position + 4], "big")
        if length < 8:
            return "start"
        position += length
    return ""
