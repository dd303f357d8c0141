"""Files that appear under their final name only when they are complete."""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from vidpose.errors import InputError, OutputError, VidposeError

if sys.platform != "win32":
    import fcntl

NOTES_FOLDER = ".vidpose"
"""Hidden folder beside outputs, for what they have no room to say themselves: NAME.json."""

_PART_PREFIX, _PART_MARK = ".vidpose-", ".part"
_OLD_SECONDS = 24 * 3600.0


class AtomicFile:
    """A temporary file beside ``path`` that takes its name on ``commit``.

    Write to ``temporary`` by any means, close it, then call ``commit`` or ``discard``; both may be
    called again and then do nothing. Raises OutputError when the folder cannot be written.

    The temporary name is short and random, so that neither long names nor two processes (of two
    containers with the same process number, say) get into trouble. A process that is killed
    leaves it behind: ``remove_old_parts``.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        # The suffix stays last: some libraries choose the format by it. Not that of Parquet, of
        # which DuckDB reads all in a folder, hidden ones too.
        suffix = "" if self.path.suffix == ".parquet" else self.path.suffix
        unique = f"{_PART_PREFIX}{secrets.token_hex(8)}{_PART_MARK}{suffix}"
        self.temporary = self.path.with_name(unique)
        self._open = True
        self._lock: int | None = None
        try:
            with suppress(FileNotFoundError, NotADirectoryError):
                self.path.stat()  # a name that is too long must fail now, not on commit
            if self.path.is_dir():
                raise OutputError(f"{self.path}: cannot write: it is a folder")
            refuse_file_as_folder(self.path)
            if not self.path.parent.is_dir():
                raise OutputError(
                    f"{self.path}: cannot write: there is no folder {self.path.parent}; create it"
                )
            self.temporary.touch(exist_ok=False)
            self._lock = _locked(self.temporary)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def commit(self) -> None:
        """Put the file under its final name, replacing an older one."""
        if not self._open:
            return
        try:
            # Some file systems report a full disk only now.
            with self.temporary.open("rb+") as file:
                os.fsync(file.fileno())
            self.temporary.replace(self.path)
        except OSError as error:
            self.discard()
            raise cannot_write(self.path, error) from error
        self._open = False
        self._unlock()
        _sync_folder(self.path.parent)

    def discard(self) -> None:
        """Remove the temporary file; an older file under the final name stays."""
        if self._open:
            self._open = False
            self.temporary.unlink(missing_ok=True)
            self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


class FinishedOrAborted(ABC):
    """A file being written, as a context manager: finished at its end, aborted by an exception."""

    @abstractmethod
    def close(self) -> None:
        """Finish the file and give it its name."""

    @abstractmethod
    def abort(self) -> None:
        """Discard what was written."""

    def __enter__(self: _File) -> _File:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


_File = TypeVar("_File", bound=FinishedOrAborted)


def remove_old_parts(folder: Path, seconds: float = _OLD_SECONDS) -> None:
    """Remove temporary files of ours that killed processes left in ``folder``.

    Only those that no process has written to for so many seconds (a day) and none holds open.
    """
    with suppress(OSError):
        for part in folder.glob(f"{_PART_PREFIX}*{_PART_MARK}*"):
            with suppress(OSError):
                if time.time() - part.stat().st_mtime > seconds:
                    _remove_unlocked(part)


def _remove_unlocked(part: Path) -> None:
    lock = _locked(part)
    if lock is None and sys.platform != "win32":
        return
    try:
        part.unlink()
    finally:
        if lock is not None:
            os.close(lock)


def _locked(path: Path) -> int | None:
    """An open file descriptor that holds a lock of the file; None where that cannot be had."""
    if sys.platform == "win32":  # where a file that is open cannot be removed anyway
        return None
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another user's, or a file system without locks
        os.close(descriptor)
        return None
    return descriptor


def _sync_folder(folder: Path) -> None:
    """Let the new name survive a power cut, where the system can say so."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def identity(path: Path) -> tuple[int, int] | Path:
    """The same for all names of one file: links, and other spellings of its path."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return path.resolve()
    return status.st_dev, status.st_ino


def digest_of(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_bytes(path: Path, kind: type[VidposeError]) -> bytes:
    """A file's content. Raises an error of that kind when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise cannot_read(path, error, kind) from error


def cannot_read(path: Path, error: OSError, kind: type[VidposeError] = InputError) -> VidposeError:
    """The one clear line for a file that the file system does not give."""
    return kind(f"{path}: cannot be read ({error.strerror or error})")


def refuse_file_as_folder(path: Path) -> None:
    """Raise OutputError where a file stands in the place of a folder above ``path``."""
    for folder in path.parents:
        if folder.is_dir():
            return
        if folder.exists():
            raise OutputError(
                f"{path}: cannot write: {folder} is a file, not a folder; choose another --out"
            )


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Raise OutputError for a name that is taken, by a folder or by what is not to be replaced."""
    if path.is_dir():
        raise OutputError(f"{path}: this is a folder; name a file")
    if not overwrite and (path.exists() or path.is_symlink()):
        raise OutputError(f"{path}: it exists; --overwrite (overwrite=True) replaces it")


def refuse_unwritable(path: Path) -> None:
    """Raise OutputError where the folder of a file can neither be written to nor made."""
    refuse_file_as_folder(path)
    folder = next((each for each in path.absolute().parents if each.is_dir()), None)
    if folder is None or not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{path}: cannot write: no permission to write in {folder}")


def make_folder(path: Path) -> None:
    """Make the folders above a file that is to be written. Raises OutputError where it cannot."""
    refuse_file_as_folder(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot write: {error.strerror}: {error.filename}") from error


def cannot_write(path: Path, error: OSError) -> OutputError:
    """The one clear line for a file that the file system does not take."""
    return OutputError(f"{path}: cannot write: {error.strerror or error}")
