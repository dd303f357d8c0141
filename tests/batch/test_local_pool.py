"""Real worker processes: what they make, and what their deaths cost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import duckdb
import pandas as pd
import processes
import pyarrow.dataset as ds
import pytest
from walkers import film

from vidpose import process_video, read_results
from vidpose.batch.driver import run_batch
from vidpose.batch.layout import Layout
from vidpose.batch.local_pool import LocalPool
from vidpose.batch.made_with import Marks
from vidpose.batch.manifest import Manifest
from vidpose.batch.progress import Summary
from vidpose.batch.rows import VideoRow
from vidpose.batch.settings import Settings
from vidpose.batch.sources import find_sources
from vidpose.errors import BundleError, VidposeError
from vidpose.files import AtomicFile

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


def go(folder: Path, dest: Path, settings: Settings, count: int = 1, **options: object) -> Summary:
    def pool() -> LocalPool:
        return LocalPool(count, partial(processes.poisoned, dest, settings))

    found = find_sources(str(folder))
    return run_batch(found, dest, Marks("m", "s"), pool, **options)  # type: ignore[arg-type]


def rows(dest: Path) -> dict[str, VideoRow]:
    return {row.video: row for row in Manifest(Layout(dest).manifest).rows.values()}


def parts(dest: Path) -> list[Path]:
    return [path for path in dest.rglob("*") if ".part" in path.name]


def test_results_are_one_table_and_the_same_as_of_a_single_run(
    clips: list[Path], tmp_path: Path, settings: Settings
) -> None:
    dest = tmp_path / "dest"
    poison = clips[0].with_name("poison.mp4")
    shutil.copy(clips[0], poison)
    clips[0].with_name("junk.mp4").write_bytes(b"junk")
    summary = go(clips[0].parent, dest, settings)
    assert (summary.done, summary.failed, summary.quarantined) == (3, 1, 1)
    assert summary.frames == 18

    model, detector = settings.load()
    alone = tmp_path / "alone.parquet"
    process_video(clips[0], alone, model=model, detector=detector)
    assert (
        read_results(dest / "video=a.mp4" / "part-0.parquet").frames == read_results(alone).frames
    )

    counts = {"a.mp4": 6, "b.mp4": 6, "c.mp4": 6}
    assert pd.read_parquet(dest)["video"].value_counts().to_dict() == counts
    assert ds.dataset(dest, partitioning="hive").count_rows() == 18
    half = AtomicFile(dest / "video=a.mp4" / "part-0.parquet")  # of a batch that goes on
    half.temporary.write_bytes(b"junk")
    query = "SELECT video, count(DISTINCT frame) FROM read_parquet('{}') GROUP BY video"
    for pattern in ("", "/*/*.parquet", "/**/*.parquet"):
        assert dict(duckdb.sql(query.format(f"{dest}{pattern}")).fetchall()) == counts
    half.discard()

    found = rows(dest)
    assert found["poison.mp4"].error == (
        "its process died 3 times, at last by SIGSEGV; not tried again unasked"
    )
    assert "not a video" in (found["junk.mp4"].error or "")
    assert found["a.mp4"].frames == 6
    assert found["a.mp4"].digest
    assert parts(dest) == []
    assert not (dest / "video=junk.mp4").exists()


class Killer:
    """A monitor that kills a worker when the first frames are done."""

    def __init__(self, number: int) -> None:
        self.number, self.killed = number, 0

    def planned(self, total: int, kept: int, share: float) -> None:
        pass

    def frames(self, count: int) -> None:
        if not self.killed:
            self.killed = children()[0]
            os.kill(self.killed, self.number)

    def video(self, row: VideoRow, share: float) -> None:
        pass


def children() -> list[int]:
    """The worker processes of this one."""
    import multiprocessing

    return [child.pid or 0 for child in multiprocessing.active_children()]


def test_a_killed_worker_loses_nothing(tmp_path: Path, settings: Settings) -> None:
    film(tmp_path / "clips" / "slow.mp4", 30)
    killer = Killer(signal.SIGKILL)
    summary = go(tmp_path / "clips", tmp_path / "dest", settings, monitor=killer)
    assert killer.killed
    assert (summary.done, summary.frames) == (1, 30)
    row = rows(tmp_path / "dest")["slow.mp4"]
    assert (row.status, row.crashes) == ("done", 1)
    assert parts(tmp_path / "dest") == []
    assert len(pd.read_parquet(tmp_path / "dest")) == 30


def test_workers_stop_when_the_driver_does(tmp_path: Path, settings: Settings) -> None:
    class Interrupted(Exception):
        pass

    class Impatient(Killer):
        def frames(self, count: int) -> None:
            raise Interrupted

    film(tmp_path / "clips" / "slow.mp4", 400)
    start = time.monotonic()
    with pytest.raises(Interrupted):
        go(tmp_path / "clips", tmp_path / "dest", settings, monitor=Impatient(0))
    assert time.monotonic() - start < 15
    assert children() == []
    assert parts(tmp_path / "dest") == []
    assert not (tmp_path / "dest" / "video=slow.mp4" / "part-0.parquet").exists()


@pytest.mark.parametrize(
    ("start", "error", "says"),
    [
        (processes.without_model, BundleError, "no such model"),
        (processes.dies_at_once, VidposeError, r"die at their start \(exit code 3\)"),
    ],
)
def test_workers_that_cannot_begin_end_the_batch(
    start: Callable[[], object], error: type[Exception], says: str
) -> None:
    pool = LocalPool(1, start)  # type: ignore[arg-type]

    def wait() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            pool.wait(0.2)

    with pytest.raises(error, match=says):
        wait()
    pool.close()


def test_a_killed_driver_begins_again_where_it_was(tmp_path: Path, settings: Settings) -> None:
    folder, dest = tmp_path / "clips", tmp_path / "dest"
    for name in ("a", "b", "slow1", "slow2"):
        film(folder / f"{name}.mp4", 12)
    places = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    command = [sys.executable, Path(__file__).with_name("drive.py"), folder, dest, settings.model]
    driver = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": places})
    end = time.monotonic() + 60
    while not Layout(dest).table("a.mp4").exists():
        assert time.monotonic() < end
        assert driver.poll() is None
        time.sleep(0.02)
    driver.kill()
    driver.wait()
    made = Layout(dest).table("a.mp4").stat().st_mtime_ns
    summary = go(folder, dest, settings)
    assert (summary.done + summary.kept, summary.failed) == (4, 0)
    assert Layout(dest).table("a.mp4").stat().st_mtime_ns == made, "it was not made again"
    table = pd.read_parquet(dest)
    assert len(table) == 48
    assert not table.duplicated(["video", "frame"]).any()
    assert {row.frames for row in rows(dest).values()} == {12}
    assert parts(dest) == []
