"""Videos that lie elsewhere, found, read and fetched through fsspec (s3://, gs://, hf://, https://).

Read in place they need no room, and the first frame does not wait for the last byte; only what is
needed travels, in blocks of which a few are kept.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from vidpose.errors import InputError, VidposeError
from vidpose.files import cannot_write
from vidpose.redact import redacted
from vidpose.video import FileObject
from vidpose.video.sources import VIDEO_SUFFIXES

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_BLOCK = 1 << 20
_HINT = "check the address, and the credentials that this machine has for it"
_READING = {"block_size": 2 << 20, "cache_type": "background", "cache_options": {"maxblocks": 16}}
_MARKS = ("etag", "ETag", "LastModified", "last_modified", "mtime", "sha256")


def is_remote(source: str) -> bool:
    """Whether the source is an address, and not a path."""
    return _ADDRESS.match(source) is not None


def remote_videos(spec: str) -> list[tuple[str, str, int]]:
    """Address, stamp and bytes of the videos behind an address: of a file, a folder or a pattern.

    Raises InputError with the reason when there are none, or none that we may see.
    """
    with _one_line(spec):
        system, path = _open(spec)
        if any(mark in path for mark in "*?["):
            found = system.glob(path, detail=True)
        else:
            info = system.info(path)
            found = {path: info}
            if info["type"] == "directory":
                found = system.glob(f"{path.rstrip('/')}/*", detail=True)
        single = list(found) == [path]
        videos = {
            name: about
            for name, about in sorted(found.items())
            if about["type"] == "file" and (single or Path(name).suffix.lower() in VIDEO_SUFFIXES)
        }
    if not videos:
        raise InputError(f"{spec}: no videos there; check the address")
    return [
        (str(system.unstrip_protocol(name)), _stamp(about), int(about.get("size") or 0))
        for name, about in videos.items()
    ]


@contextmanager
def in_place(source: str) -> Iterator[FileObject | None]:
    """The video at an address, open to be read where it lies, while the block lasts.

    None where it cannot be entered in the middle, as on servers that give files as a whole only.
    Raises InputError when it cannot be reached. What breaks later is a VidposeError.
    """
    with ExitStack() as stack:
        with _one_line(source):
            system, path = _open(source)
            file = stack.enter_context(system.open(path, "rb", **_READING))
            searchable = _can_be_searched(file)
        yield FileObject(source, cast("BinaryIO", _Remote(source, file))) if searchable else None


def _can_be_searched(file: Any) -> bool:
    try:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            file.read(1)  # some servers promise parts, and give the whole
        file.seek(0)
    except (OSError, ValueError, NotImplementedError):
        return False
    return True


class _Remote:
    """A file of fsspec whose errors are one line."""

    def __init__(self, source: str, file: Any) -> None:
        self._source, self._file = source, file

    def read(self, size: int = -1, /) -> bytes:
        try:
            return bytes(self._file.read(size))
        except Exception as error:
            raise VidposeError(
                f"{self._source}: the connection broke while it was read ({_short(error)})"
            ) from error

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._file.seek(offset, whence)
        return self.tell()

    def tell(self) -> int:
        return int(self._file.tell())


@contextmanager
def local_copy(source: str, scratch: Path | None, limit: int) -> Iterator[str | Path]:
    """A path at which the video can be read, while the block lasts.

    Of an address a copy in ``scratch``, of ``limit`` bytes at most; it is removed at the end.
    Raises InputError when it cannot be fetched or is larger, OutputError when there is no room.
    """
    if not is_remote(source):
        yield source
        return
    try:
        folder = Path(tempfile.mkdtemp(prefix="vidpose-", dir=scratch))
    except OSError as error:
        raise cannot_write(Path(scratch or tempfile.gettempdir()), error) from error
    try:
        yield _fetch(source, folder, limit)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fetch(source: str, folder: Path, limit: int) -> Path:
    with ExitStack() as stack:
        with _one_line(source):
            system, path = _open(source)
            size = system.info(path).get("size") or 0
            # Of http: the whole at once, as not every server gives parts.
            whole = {"block_size": 0} if "http" in system.protocol else {}
            remote = _Remote(source, stack.enter_context(system.open(path, "rb", **whole)))
        if size > limit:
            raise InputError(f"{source}: {size} bytes, more than --scratch-limit allows ({limit})")
        target = folder / re.sub(r"[^\w.-]", "_", Path(path).name)[-100:]
        try:
            with target.open("wb") as local:
                while block := remote.read(_BLOCK):
                    local.write(block)
                    if local.tell() > limit:
                        raise InputError(f"{source}: larger than --scratch-limit allows ({limit})")
        except OSError as error:  # at the end too, when the last bytes are written
            raise cannot_write(target, error) from error
    return target


def _open(spec: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ModuleNotFoundError as error:
        raise VidposeError(
            f"{spec}: addresses need the optional part 'cluster' (fsspec is not installed): "
            "pip install 'vidpose[cluster]'"
        ) from error
    system, path = url_to_fs(spec)
    return system, str(path)


@contextmanager
def _one_line(spec: str) -> Iterator[None]:
    """Every file system has errors of its own; ours has one line that names the address."""
    try:
        yield
    except VidposeError:
        raise
    except FileNotFoundError as error:
        cause = error.__cause__  # of http: also where the server does not answer or refuses
        if isinstance(cause, OSError) or getattr(cause, "status", 404) != 404:
            raise InputError(f"{spec}: cannot be reached ({_short(cause)}); {_HINT}") from error
        raise InputError(f"{spec}: no such file or folder there; check the address") from error
    except ImportError as error:  # fsspec says which package this kind of address needs
        raise InputError(f"{spec}: {_short(error)}") from error
    except Exception as error:
        raise InputError(f"{spec}: cannot be reached ({_short(error)}); {_HINT}") from error


def _short(error: BaseException | None) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return redacted(text if len(text) <= 200 else text[:197] + "...")


def _stamp(about: dict[str, Any]) -> str:
    marks = [str(about[mark]) for mark in _MARKS if mark in about]
    return " ".join([str(about.get("size")), *marks])
