"""What a source's content is, in a few bytes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from vidpose.errors import InputError
from vidpose.video.file_object import FileObject, VideoSource, opened_bytes
from vidpose.video.sources import image_sequence, is_stream

_BLOCK = 1 << 20


def source_digest(source: VideoSource) -> str | None:
    """A digest of the source's content; None for a camera, an address, a pipe, or what is absent.

    Of a file: its size, and its first, middle and last MiB. Of an image sequence: the images'
    names, sizes and times of change.
    """
    if is_stream(source):
        return None
    try:
        if isinstance(source, FileObject):
            return _bytes_digest(source)
        images = image_sequence(source)
        if images is None or len(images) == 1:
            return _file_digest(Path(source) if images is None else images[0])
        parts = (f"{image.name} {_size_and_time(image)}\n" for image in images)
        return hashlib.sha256(os.fsencode("".join(parts))).hexdigest()
    except (OSError, InputError):
        return None


def _file_digest(path: Path) -> str | None:
    return _bytes_digest(path) if path.is_file() else None


def _bytes_digest(source: Path | FileObject) -> str:
    with opened_bytes(source) as (file, size):
        digest = hashlib.sha256(f"{size}\n".encode())
        for start in sorted({0, max(0, size // 2 - _BLOCK // 2), max(0, size - _BLOCK)}):
            file.seek(start)
            digest.update(file.read(_BLOCK))
    return digest.hexdigest()


def _size_and_time(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns}"
