"""A file appears whole or not at all, and writing needs no more memory for longer videos."""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
import time
import tracemalloc
import warnings
from pathlib import Path

import pytest

from vidpose.errors import OutputError
from vidpose.files import AtomicFile, remove_old_parts
from vidpose.io import open_writer, read_results
from vidpose.results import FrameResult, ResultHeader


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def path(tmp_path: Path, suffix: str) -> Path:
    """The final name, in an empty folder."""
    return tmp_path / f"out{suffix}"


def test_appears_at_close(path: Path, header: ResultHeader, frames: list[FrameResult]) -> None:
    writer = open_writer(path, header)
    writer.write(frames[0])
    (temporary,) = names(path.parent)
    assert temporary.startswith(".vidpose-")
    assert temporary.endswith(".part" if path.suffix == ".parquet" else f".part{path.suffix}")
    writer.close()
    assert names(path.parent) == [path.name]
    writer.close()
    writer.abort()
    assert read_results(path).frames == frames[:1]


def test_abort_removes(path: Path, header: ResultHeader, frames: list[FrameResult]) -> None:
    writer = open_writer(path, header)
    writer.write(frames[0])
    writer.abort()
    assert names(path.parent) == []
    writer.abort()
    writer.close()
    assert names(path.parent) == []
    with pytest.raises(OutputError, match="already closed"):
        writer.write(frames[1])


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_exception_aborts_and_keeps_the_older_file(
    path: Path, header: ResultHeader, frames: list[FrameResult], error: type[BaseException]
) -> None:
    path.write_text("older")
    with pytest.raises(error), open_writer(path, header) as writer:  # noqa: PT012
        writer.write(frames[0])
        raise error
    assert names(path.parent) == [path.name]
    assert path.read_text() == "older"


def test_replaces_the_older_file(
    path: Path, header: ResultHeader, frames: list[FrameResult]
) -> None:
    path.write_text("older")
    with open_writer(path, header) as writer:
        writer.write(frames[0])
    assert read_results(path).frames == frames[:1]


def test_permissions_are_the_usual(path: Path, header: ResultHeader) -> None:
    umask = os.umask(0o022)
    try:
        open_writer(path, header).close()
    finally:
        os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("second", [0, 4])
def test_order_is_checked(
    path: Path, header: ResultHeader, frames: list[FrameResult], second: int
) -> None:
    writer = open_writer(path, header)
    writer.write(frames[2])
    with pytest.raises(OutputError, match=f"frame {second} after frame 4"):
        writer.write(FrameResult(second, 9.0))
    assert names(path.parent) == []


def test_missing_folder(tmp_path: Path, suffix: str, header: ResultHeader) -> None:
    with pytest.raises(OutputError, match=r"there is no folder .*absent; create it$"):
        open_writer(tmp_path / "absent" / f"out{suffix}", header)


def test_folder_in_the_way(path: Path, header: ResultHeader) -> None:
    path.mkdir()
    with pytest.raises(OutputError, match="it is a folder"):
        open_writer(path, header)
    assert names(path.parent) == [path.name]


def test_name_too_long(tmp_path: Path, suffix: str, header: ResultHeader) -> None:
    with pytest.raises(OutputError, match="cannot write: File name too long"):
        open_writer(tmp_path / f"{'n' * 300}{suffix}", header).close()
    assert names(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_forbidden_folder(path: Path, header: ResultHeader) -> None:
    path.parent.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="cannot write: Permission denied"):
            open_writer(path, header)
    finally:
        path.parent.chmod(0o700)


def test_full_disk(path: Path, header: ResultHeader, frames: list[FrameResult]) -> None:
    """The system refuses to let any file grow over 64 KiB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = open_writer(path, header)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        with pytest.raises(OutputError) as caught:  # noqa: PT012
            for index in range(20_000):
                writer.write(FrameResult(index, index / 7, frames[0].people))
            writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(caught.value) == f"{path}: cannot write: File too large"
    assert names(path.parent) == []
    with warnings.catch_warnings():  # nothing may be left that writes when it is collected
        warnings.simplefilter("error")
        del writer
        gc.collect()


def test_memory_does_not_grow(
    path: Path,
    header: ResultHeader,
    frames: list[FrameResult],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vidpose.io.parquet.ROWS_PER_GROUP", 64)
    writer = open_writer(path, header)

    def peak(start: int, count: int) -> int:
        tracemalloc.start()
        for index in range(start, start + count):
            writer.write(FrameResult(index, index / 30, frames[0].people))
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    peak(0, 100)  # what the first frames set up stays
    few = peak(100, 300)
    assert peak(1000, 1500) < 1.5 * few + 20_000
    writer.abort()


def test_atomic_file_keeps_suffix_and_can_be_committed_once(tmp_path: Path) -> None:
    file = AtomicFile(tmp_path / "film.mp4")
    assert file.temporary.suffix == ".mp4"
    file.temporary.write_bytes(b"frames")
    file.commit()
    file.discard()
    file.commit()
    assert names(tmp_path) == ["film.mp4"]
    assert (tmp_path / "film.mp4").read_bytes() == b"frames"


def test_two_writers_of_one_name_do_not_meet(tmp_path: Path) -> None:
    first, second = AtomicFile(tmp_path / "a.csv"), AtomicFile(tmp_path / "a.csv")
    first.temporary.write_text("first")
    second.temporary.write_text("second")
    first.commit()
    second.discard()
    assert (tmp_path / "a.csv").read_text() == "first"
    assert names(tmp_path) == ["a.csv"]


def test_the_temporary_name_is_short_whatever_the_files(tmp_path: Path) -> None:
    file = AtomicFile(tmp_path / ("é" * 120 + ".csv"))  # 244 bytes
    assert len(file.temporary.name) < 50
    file.commit()
    with pytest.raises(OutputError, match="cannot write"):
        AtomicFile(tmp_path / ("é" * 130 + ".csv"))


def part(folder: Path, days: float) -> AtomicFile:
    file = AtomicFile(folder / "a.csv")
    then = time.time() - days * 86400
    os.utime(file.temporary, (then, then))
    return file


def test_parts_of_killed_processes_are_removed_after_a_day(tmp_path: Path) -> None:
    command = (
        "import os, sys; from vidpose.files import AtomicFile\n"
        "AtomicFile(sys.argv[1]); os.kill(os.getpid(), 9)"
    )
    for _ in range(2):
        subprocess.run([sys.executable, "-c", command, str(tmp_path / "a.csv")], check=False)
    old, young = tmp_path.iterdir()
    os.utime(old, (time.time() - 90000,) * 2)
    (tmp_path / ".vidpose").mkdir()
    (tmp_path / ".other.part.csv").touch()
    os.utime(tmp_path / ".other.part.csv", (0, 0))
    remove_old_parts(tmp_path)
    assert names(tmp_path) == sorted([".other.part.csv", ".vidpose", young.name])


def test_a_part_that_is_still_written_stays_however_old(tmp_path: Path) -> None:
    file = part(tmp_path, days=3)
    remove_old_parts(tmp_path)
    assert names(tmp_path) == [file.temporary.name]
    file.commit()
    assert names(tmp_path) == ["a.csv"]


def test_cleaning_a_folder_that_is_not_there_does_nothing(tmp_path: Path) -> None:
    remove_old_parts(tmp_path / "none")
