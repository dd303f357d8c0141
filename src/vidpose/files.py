"""Files that appear under their final name only when they are complete."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from vidpose.errors import OutputError


class AtomicFile:
    """A temporary file beside ``path`` that takes its name on ``commit``.

    Write to ``temporary`` by any means, close it, then call ``commit`` or ``discard``; both may be
    called again and then do nothing. Raises OutputError when the folder cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        # The suffix stays last: some libraries choose the format by it.
        unique = f".{self.path.stem[:40]}.{secrets.token_hex(4)}.part{self.path.suffix}"
        self.temporary = self.path.with_name(unique)
        self._open = True
        try:
            if self.path.is_dir():
                raise OutputError(f"{self.path}: cannot write: it is a folder")
            if not self.path.parent.is_dir():
                raise OutputError(
                    f"{self.path}: cannot write: there is no folder {self.path.parent}; create it"
                )
            self.temporary.touch(exist_ok=False)
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

    def discard(self) -> None:
        """Remove the temporary file; an older file under the final name stays."""
        if self._open:
            self._open = False
            self.temporary.unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> OutputError:
    """The one clear line for a failure of the file system."""
    return OutputError(f"{path}: cannot write: {error.strerror or error}")
