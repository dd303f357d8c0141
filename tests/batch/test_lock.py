"""One batch at a time in a folder, and no lock that stays for ever."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vidpose.batch import lock as module
from vidpose.batch.lock import FolderLock
from vidpose.errors import OutputError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dest" / "lock"


@pytest.fixture(autouse=True)
def folder(path: Path) -> None:
    path.parent.mkdir()


def owned(path: Path, **changes: object) -> None:
    owner = {"token": "t", "host": "elsewhere", "process": 1, "process_start": "1", "since": "noon"}
    path.write_text(json.dumps({**owner, **changes}))


def test_a_second_batch_is_told_who_the_first_is(path: Path) -> None:
    with (
        FolderLock(path),
        pytest.raises(OutputError, match=rf"at work there: process {os.getpid()} on .* --out"),
        FolderLock(path),
    ):
        pass
    assert list(path.parent.iterdir()) == []
    with FolderLock(path) as lock:
        assert lock.taken_from is None


def test_the_lock_of_a_dead_process_is_taken_over(path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from vidpose.batch.lock import FolderLock\n"
        "FolderLock(Path(sys.argv[1])).__enter__(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, path], check=True)
    assert path.exists()
    with FolderLock(path) as lock:
        assert lock.taken_from is not None


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="only Linux tells when a process started")
def test_another_process_of_the_same_number_is_not_the_owner(path: Path) -> None:
    owned(path, host=module.socket.gethostname(), process=os.getpid(), process_start="1")
    with FolderLock(path) as lock:
        assert lock.taken_from is not None


def test_an_owner_elsewhere_is_gone_when_silent(path: Path) -> None:
    owned(path)
    with pytest.raises(OutputError, match="process 1 on elsewhere since noon"), FolderLock(path):
        pass
    long_ago = time.time() - 2 * module.STALE
    os.utime(path, (long_ago, long_ago))
    with FolderLock(path) as lock:
        assert lock.taken_from == "process 1 on elsewhere"


def test_the_owner_renews(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT", 0.01)
    with FolderLock(path) as lock:
        os.utime(path, (1, 1))
        wait_for(lambda: path.stat().st_mtime > 1)
        lock.check()
        owned(path)
        wait_for(lambda: lock._lost)
        with pytest.raises(OutputError, match="took this lock over"):
            lock.check()
    assert path.exists(), "it is another one's"


def test_who_comes_late_to_a_stale_lock_leaves_the_new_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owned(path, host=module.socket.gethostname(), process=2**22 + 1)
    first = FolderLock(path)
    real = module._alive

    def meanwhile(owner: dict[str, object], age: float) -> bool:
        if owner["token"] == "t" and not first._thread.is_alive():
            monkeypatch.setattr(module, "_alive", real)
            first.__enter__()
        return real(owner, age)

    monkeypatch.setattr(module, "_alive", meanwhile)
    with pytest.raises(OutputError, match="another batch is at work"), FolderLock(path):
        pass
    assert first._is_ours()
    first.__exit__(None, None, None)


def test_a_lock_that_nobody_can_read_is_taken_over_by_age(path: Path) -> None:
    path.write_text("{")
    with pytest.raises(OutputError, match="another batch"), FolderLock(path):
        pass


def wait_for(what: object) -> None:
    end = time.monotonic() + 10
    while not what():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.01)
