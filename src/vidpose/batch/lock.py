"""One batch at a time in a folder: a lock with its owner's name, taken over when that one is gone.

On the same machine the owner is known to live by process number and start; on others by the
lock's time of change, which an owner renews every few seconds.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Any

from vidpose.errors import OutputError
from vidpose.files import cannot_write

HEARTBEAT = 10.0  # s between two renewals
STALE = 120.0  # s without a renewal after which an owner on another machine is taken for gone


class FolderLock:
    """Holds ``path`` within ``with``. Raises OutputError when somebody else does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._token = secrets.token_hex(8)
        self._stop = Event()
        self._lost = False
        self._thread = Thread(target=self._renew, name="lock", daemon=True)
        self.taken_from: str | None = None

    def __enter__(self) -> FolderLock:
        for _ in range(3):
            if self._create():
                self._thread.start()
                return self
            self._remove_if_stale()
        raise OutputError(f"{self._path.parent.parent}: another batch keeps taking its lock")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._is_ours():
            self._path.unlink(missing_ok=True)

    def check(self) -> None:
        """Raises OutputError if the lock was lost: this process slept and was taken for gone."""
        if self._lost:
            raise OutputError(
                f"{self._path}: another batch took this lock over while this one did not answer; "
                "it goes on there"
            )

    def _create(self) -> bool:
        owner = {
            "token": self._token,
            "host": socket.gethostname(),
            "process": os.getpid(),
            "process_start": _start_of(os.getpid()),
            "since": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        }
        # A link appears with its whole content, or not at all.
        draft = self._path.with_name(f"{self._path.name}.{self._token}")
        try:
            draft.write_text(json.dumps(owner), encoding="utf-8")
            os.link(draft, self._path)
        except FileExistsError:
            return False
        except OSError as error:
            raise cannot_write(self._path, error) from error
        finally:
            draft.unlink(missing_ok=True)
        return True

    def _remove_if_stale(self) -> None:
        owner, age = _read(self._path)
        if owner is None:
            return
        if _alive(owner, age):
            raise OutputError(
                f"{self._path.parent.parent}: another batch is at work there: "
                f"{_name(owner)} since {owner.get('since')}; wait for it, or give another --out"
            )
        aside = self._path.with_name(f"{self._path.name}.{self._token}")
        try:
            self._path.rename(aside)
        except FileNotFoundError:
            return
        taken, _ = _read(aside)
        if taken is not None and taken.get("token") != owner.get("token"):
            # Somebody else was quicker, and it is the new lock that we hold in our hands.
            with suppress(FileExistsError):
                os.link(aside, self._path)
        else:
            self.taken_from = _name(owner)
        aside.unlink(missing_ok=True)

    def _is_ours(self) -> bool:
        owner, _ = _read(self._path)
        return owner is not None and owner.get("token") == self._token

    def _renew(self) -> None:
        while not self._stop.wait(HEARTBEAT):
            if not self._is_ours():
                self._lost = True
                return
            with suppress(OSError):
                os.utime(self._path)


def _read(path: Path) -> tuple[dict[str, Any] | None, float]:
    """The owner and the seconds since the last renewal; None where there is no lock."""
    try:
        age = time.time() - path.stat().st_mtime
        owner = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None, 0.0
    except (OSError, ValueError):
        owner = {}
    return owner if isinstance(owner, dict) else {}, age


def _alive(owner: dict[str, Any], age: float) -> bool:
    if owner.get("host") != socket.gethostname():
        return age < STALE
    process = owner.get("process")
    if not isinstance(process, int):
        return False
    start = _start_of(process)
    if start is None:  # no such process, or a system that does not say
        return _exists(process) and age < STALE
    return bool(start == owner.get("process_start"))


def _exists(process: int) -> bool:
    if sys.platform == "win32":  # where asking would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _start_of(process: int) -> str | None:
    """When a process started, in Linux' own count; None elsewhere, or where there is none."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return None
    fields = status.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def _name(owner: dict[str, Any]) -> str:
    return f"process {owner.get('process', '?')} on {owner.get('host', '?')}"
