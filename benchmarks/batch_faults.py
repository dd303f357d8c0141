"""The fault table of `vidpose batch`: each fault is really done, and what is left is counted.

    python benchmarks/batch_faults.py                          # all; full disks as root alone
    python benchmarks/batch_faults.py --only "worker, local" --only "machine, Ray"

Painted clips of people, small networks that see them, and workers that are slow with some videos
and die of others: those of tests/batch. Ray's machines are processes started by `ray start`.
"expected" and "found": videos and frames (pairs of video and number) that the data set should have
and has; "twice": rows of one person's frame that are there more than once, and finished tables
that were made again; "parts": files left of what was under way.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.dataset as ds
from report import table

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS / "batch"), str(TESTS)]

from ray_machines import Machines  # noqa: E402
from walkers import film  # noqa: E402

import painted  # noqa: E402
from vidpose.batch.layout import Layout  # noqa: E402
from vidpose.batch.manifest import Manifest  # noqa: E402
from vidpose.batch.rows import VideoRow  # noqa: E402

PATIENCE = 300.0  # s for whatever is waited for
SLOW, QUICK = 40, 6  # frames of slow videos, of which each takes 50 ms more, and of others


@dataclass
class Trial:
    """One fault: a folder of videos, DEST, and drivers that work there."""

    folder: Path
    model: str
    options: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    videos: dict[str, int] = field(default_factory=dict)
    finished: dict[Path, int] = field(default_factory=dict)
    machines: Machines | None = None

    def on(self, machines: Machines) -> None:
        """Let the drivers work on Ray's machines."""
        self.machines, self.environment = machines, machines.environment
        self.options += ["--address", machines.address]

    @property
    def dest(self) -> Path:
        return self.folder / "dest"

    def films(self, *names: str) -> None:
        for name in names:
            frames = SLOW if "slow" in name else QUICK
            film(self.folder / "clips" / f"{name}.mp4", frames)
            if "poison" not in name:
                self.videos[f"{name}.mp4"] = frames

    def start(self) -> subprocess.Popen[str]:
        """A driver in a process of its own."""
        places = os.pathsep.join([*sys.path, self.environment.get("PYTHONPATH", "")])
        command = [sys.executable, str(TESTS / "batch" / "drive.py")]
        return subprocess.Popen(
            [*command, str(self.folder / "clips"), str(self.dest), self.model, *self.options],
            env={**self.environment, "PYTHONPATH": places},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def until(self, done: int, *, busy: bool = True) -> None:
        """Wait until so many tables are finished and, with `busy`, another one is begun."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            tables = list(self.dest.glob("video=*/part-*.parquet"))
            if len(tables) >= done and (not busy or any(self.dest.glob("video=*/.*part*"))):
                self.finished = {path: path.stat().st_mtime_ns for path in tables}
                return
            time.sleep(0.02)
        raise TimeoutError(f"fewer than {done} videos after {PATIENCE:.0f} s")

    def rows(self) -> list[VideoRow]:
        return list(Manifest(Layout(self.dest).manifest).rows.values())

    def counts(self) -> list[str]:
        """Cells of the table."""
        found = ds.dataset(self.dest, partitioning="hive").to_table(["video", "frame", "id"])
        frames = found.select(["video", "frame"]).group_by(["video", "frame"]).aggregate([])
        twice = found.num_rows - found.group_by(["video", "frame", "id"]).aggregate([]).num_rows
        twice += sum(path.stat().st_mtime_ns != then for path, then in self.finished.items())
        parts = [path for path in self.dest.rglob("*") if ".part" in path.name]
        rows = self.rows()
        told = [
            f"{sum(row.crashes for row in rows)} crashes",
            *(f"{r.video} {r.status}: {r.error}" for r in rows if r.status != "done"),
        ]
        videos = len(set(frames["video"].to_pylist()))
        return [
            f"{len(self.videos)}, {sum(self.videos.values())}",
            f"{videos}, {frames.num_rows}",
            str(twice),
            str(len(parts)),
            ", ".join(told),
        ]


def ended(driver: subprocess.Popen[str]) -> int:
    """Wait for a driver's end; its exit code."""
    try:
        output, _ = driver.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        driver.kill()
        raise
    if driver.returncode:
        print(f"  driver: {output.strip().splitlines()[-1]}", flush=True)
    return driver.returncode


def worker_killed(trial: Trial) -> list[str]:
    trial.films("a", "slow1", "slow2")
    driver = trial.start()
    trial.until(1)
    while not (rows := trial.rows()):  # they are written each second
        time.sleep(0.1)
    os.kill(int(rows[0].worker.rpartition(":")[2]), signal.SIGKILL)
    ended(driver)
    return trial.counts()


def driver_killed(trial: Trial) -> list[str]:
    trial.films("a", "b", "slow1", "slow2")
    driver = trial.start()
    trial.until(1)
    driver.kill()
    driver.communicate()
    ended(trial.start())
    return trial.counts()


def poisoned(trial: Trial) -> list[str]:
    trial.films("a", "b", "slow1", "poison")
    ended(trial.start())
    return trial.counts()


def machine_removed(trial: Trial) -> list[str]:
    trial.films("a", "slow1", "slow2", "slow3")
    assert trial.machines is not None
    second = trial.machines.add()
    driver = trial.start()
    trial.until(2)
    trial.machines.remove(second)
    ended(driver)
    return trial.counts()


def scratch_full(trial: Trial) -> list[str]:
    """Long videos of an address are copied; one of two machines has no room for them."""
    trial.films("slow1", "slow2", "slow3", "slow4")
    trial.options.append("--copied")
    assert trial.machines is not None
    with small_disk(trial.folder / "small", "4k") as scratch:
        second = trial.machines.add(TMPDIR=str(scratch))
        ended(trial.start())
        trial.machines.remove(second)
    return trial.counts()


def dest_full(trial: Trial) -> list[str]:
    """The first driver ends, the disk grows, the second one goes on."""
    trial.films(*(f"slow{number}" for number in range(6)))
    with small_disk(trial.dest, "64k"):
        assert ended(trial.start()) == 1
        trial.until(1, busy=False)
        subprocess.run(["mount", "-o", "remount,size=8m", str(trial.dest)], check=True)
        ended(trial.start())
        return trial.counts()


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own. Raises PermissionError where this user may not."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command).returncode:
        raise PermissionError("only root may mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


LOCAL: dict[str, Callable[[Trial], list[str]]] = {
    "worker killed, local": worker_killed,
    "driver killed and started again, local": driver_killed,
    "poisonous video, local": poisoned,
    "DEST full and enlarged, local": dest_full,
}
RAY: dict[str, Callable[[Trial], list[str]]] = {
    "worker killed, Ray": worker_killed,
    "driver killed and started again, Ray": driver_killed,
    "poisonous video, Ray": poisoned,
    "one of two machines removed, Ray": machine_removed,
    "scratch of one of two machines full, Ray": scratch_full,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", metavar="FAULT", help="part of a line's name")
    given = parser.parse_args()
    wanted = [name for name in [*LOCAL, *RAY] if any(o in name for o in given.only or [""])]
    cells: list[list[str]] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vidpose-")))
        model = str(painted.save_bundle(folder))
        machines: Machines | None = None
        for name in wanted:
            trial = Trial(folder / str(len(cells)), model)
            trial.folder.mkdir()
            if name in RAY:
                if machines is None:
                    machines = stack.enter_context(Machines(folder))
                    machines.add()
                trial.on(machines)
            start = time.monotonic()
            try:
                cells.append([name, *{**LOCAL, **RAY}[name](trial)])
            except PermissionError as error:
                print(f"{name}: not done, {error}")
                continue
            print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)
    heads = ["fault", "expected", "found", "twice", "parts", "told"]
    print(table(heads, cells))
    if any(row[1] != row[2] or row[3:5] != ["0", "0"] for row in cells):
        raise SystemExit("something was lost or done twice")


if __name__ == "__main__":
    main()
