"""What workers, threads and one process for all bring over many clips; overhead and memory.

    python benchmarks/batch_speed.py CLIP.mp4... --json results/batch_speed.json

Clips of `--frames` frames at 320 x 180 are cut from those given. In every round each way takes all
of them once, as a command of its own, in an order that turns; the shell loop takes each twelfth
and is counted per clip. Rounds go on for `--minutes`, two at least. "times" is the median of the
rounds' ratios to the first row, with the least and the greatest of them; "working": the same from
the first finished clip to the last, so without the starts of processes.

"overhead": what a worker's task takes beyond reading and following alone (digest, confirmation,
manifest's figures, the table), in CPU ms, the median of pairs; and what the driver takes for each
video. "memory": MB (RSS) of the driver and of its largest worker after 100, 500 and 950 of
1,000 clips of three frames. Linux alone, for /proc.
"""

from __future__ import annotations

import itertools
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
from report import finish, machine, parser, table

from vidpose.batch.driver import run_batch
from vidpose.batch.layout import Layout
from vidpose.batch.made_with import Marks
from vidpose.batch.manifest import Manifest
from vidpose.batch.pool import Event
from vidpose.batch.settings import Reply, Settings, Task
from vidpose.batch.sources import Source
from vidpose.batch.worker import Worker
from vidpose.tracking import PoseStream
from vidpose.video import VideoReader

SIZE, RATE = (320, 180), 30
LOOP = 12  # the shell loop takes each of so many clips
SMALL, SMALL_FRAMES = 1000, 3
VIDPOSE = [sys.executable, "-m", "vidpose"]
Figures = dict[str, float | int | str]


def cut(sources: Sequence[Path], folder: Path, clips: int, frames: int) -> None:
    """Small clips, one after the other from the given ones, which begin anew when they end."""
    folder.mkdir()
    pictures = itertools.chain.from_iterable(map(_pictures, itertools.cycle(sources)))
    for number in range(clips):
        with av.open(str(folder / f"{number:04}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
            (stream.width, stream.height), stream.pix_fmt = SIZE, "yuv420p"
            for index, picture in enumerate(itertools.islice(pictures, frames)):
                picture.pts, picture.time_base = index, Fraction(1, RATE)
                container.mux(stream.encode(picture))
            container.mux(stream.encode())


def _pictures(source: Path) -> Iterator[av.VideoFrame]:
    with av.open(str(source)) as container:
        for picture in container.decode(video=0):
            yield picture.reformat(*SIZE, format="yuv420p")


def seconds_of(commands: Sequence[Sequence[str]]) -> float:
    """Run the commands one after the other."""
    start = time.perf_counter()
    for command in commands:
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode:
            raise SystemExit(f"{' '.join(command)}: {ended.stderr.strip()[-500:]}")
    return time.perf_counter() - start


def ways(clips: Sequence[Path], ray: bool) -> dict[str, tuple[list[list[str]], int]]:
    """Commands by name, {out} in them is a new folder, and how many clips they take."""
    whole, count = str(clips[0].parent), len(clips)

    def batch(*options: str) -> tuple[list[list[str]], int]:
        return [[*VIDPOSE, "batch", whole, "--out", "{out}", "--quiet", *options]], count

    found = {
        "batch, 1 worker": batch("--local", "--workers", "1"),
        "batch, 2 workers": batch("--local", "--workers", "2"),
        "batch, 1 worker of 2 threads": batch("--local", "--workers", "1", "--threads", "2"),
        "run FOLDER": ([[*VIDPOSE, "run", whole, "--out", "{out}/.parquet", "--quiet"]], count),
        "shell loop over run": (
            [
                [*VIDPOSE, "run", str(clip), "--out", f"{{out}}/{clip.stem}.parquet", "--quiet"]
                for clip in clips[::LOOP]
            ],
            len(clips[::LOOP]),
        ),
    }
    return {**found, "batch, 2 Ray actors": batch("--workers", "2")} if ray else found


def measure(
    commands: dict[str, tuple[list[list[str]], int]], folder: Path, minutes: float
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds a clip of each way, by rounds; all, and those of working."""
    end, names = time.monotonic() + 60 * minutes, list(commands)
    found: dict[str, list[float]] = {name: [] for name in names}
    working: dict[str, list[float]] = {name: [] for name in names}
    for number in itertools.count():
        start = time.monotonic()
        for name in names[number % len(names) :] + names[: number % len(names)]:
            lines, clips = commands[name]
            with tempfile.TemporaryDirectory(dir=folder) as out:
                filled = [[word.format(out=out) for word in line] for line in lines]
                found[name].append(seconds_of(filled) / clips)
                working[name].append(_working(Path(out), clips))
        print(f"round {number + 1}: {time.monotonic() - start:.0f} s", flush=True)
        if number >= 1 and 2 * time.monotonic() - start > end:
            return found, working
    raise AssertionError


def _working(out: Path, clips: int) -> float:
    """Seconds a clip after the first one, by the manifest; NaN where there is none."""
    folder = Layout(out).manifest
    if not folder.is_dir():
        return math.nan
    ends = [row.finished for row in Manifest(folder).rows.values()]
    return (max(ends) - min(ends)) / (clips - 1)


def summary(
    seconds: dict[str, list[float]], working: dict[str, list[float]], frames: int
) -> dict[str, Figures]:
    """Figures of each way."""
    rows: dict[str, Figures] = {}
    for name, found in seconds.items():
        rows[name] = {"frames/s": frames / statistics.median(found)}
        for title, times in (("times", seconds), ("working, times", working)):
            first = next(iter(times.values()))
            ratios = sorted(base / own for base, own in zip(first, times[name], strict=True))
            if not any(map(math.isnan, ratios)):
                middle = f"{statistics.median(ratios):.2f}"
                rows[name][title] = f"{middle} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    return rows


def overhead(clips: Sequence[Path], folder: Path, settings: Settings) -> Figures:
    """CPU ms a video of a task beyond those of the stream alone, and of the driver."""
    networks = settings.load()
    worker = Worker(folder / "overhead", settings, networks)
    pairs = []
    for clip in clips:
        start = time.process_time()
        with VideoReader(clip) as video:
            stream = PoseStream(*networks)
            for frame in video:
                stream.step(frame.image, frame.time)
        middle = time.process_time()
        reply = worker.do(Task("video", clip.stem, str(clip)), "benchmark")
        pairs.append(1000 * (time.process_time() - middle - (middle - start)))
        assert reply.error is None
    quartiles = statistics.quantiles(pairs, n=4)
    start = time.process_time()
    run_batch(
        [Source(f"/{n}.mp4", "s") for n in range(2 * SMALL)],
        folder / "driver",
        Marks("m", "s"),
        Nothing,
    )
    driver = 1000 * (time.process_time() - start) / (2 * SMALL)
    return {
        "task ms": f"{statistics.median(pairs):.1f}",
        "task quartiles": f"{quartiles[0]:.1f} to {quartiles[2]:.1f}",
        "driver ms": f"{driver:.2f}",
    }


class Nothing:
    """A pool that has done everything already."""

    def __init__(self) -> None:
        self._tasks: list[Task] = []

    def free(self) -> int:
        return 2 - len(self._tasks)

    def submit(self, task: Task) -> None:
        self._tasks.append(task)

    def wait(self, seconds: float) -> list[Event]:
        events: list[Event] = [Reply(task, "w", 0.1, frames=1) for task in self._tasks]
        self._tasks = []
        return events

    def close(self) -> None:
        pass


def memory(clips: Path, out: Path) -> dict[str, Figures]:
    """MB of the driver and of the largest worker as the batch goes on."""
    options = ["--local", "--workers", "2", "--quiet"]
    driver = subprocess.Popen([*VIDPOSE, "batch", str(clips), "--out", str(out), *options])
    rows: dict[str, Figures] = {}
    for share in (0.1, 0.5, 0.95):
        while driver.poll() is None and _done(out) < share * SMALL:
            time.sleep(0.2)
        rows[f"after {share * SMALL:.0f}"] = {
            "driver": _megabytes(driver.pid),
            "worker": max(map(_megabytes, _children(driver.pid)), default=0),
        }
    if driver.wait() or _done(out) != SMALL:
        raise SystemExit(f"{_done(out)} of {SMALL} small clips")
    return rows


def _done(out: Path) -> int:
    return sum(1 for _ in out.glob("video=*/part-*.parquet"))


def _megabytes(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0) // 1024


def _children(process: int) -> list[int]:
    try:
        return [
            int(c) for c in Path(f"/proc/{process}/task/{process}/children").read_text().split()
        ]
    except OSError:
        return []


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("sources", type=Path, nargs="+", metavar="CLIP")
    arguments.add_argument("--clips", type=int, default=60)
    arguments.add_argument("--frames", type=int, default=40, help="of each clip (40)")
    arguments.add_argument("--minutes", type=float, default=4.0, help="for the rounds (4)")
    arguments.add_argument("--no-ray", action="store_true", help="leave Ray out")
    given = arguments.parse_args()
    conditions = machine(given.threads)
    del conditions["threads"]  # the rows say it
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cut(given.sources, folder / "clips", given.clips, given.frames)
        cut(given.sources, folder / "small", SMALL, SMALL_FRAMES)
        clips = sorted((folder / "clips").iterdir())
        costs = overhead(clips[::3], folder, Settings())
        flat = memory(folder / "small", folder / "memory")
        seconds, working = measure(ways(clips, not given.no_ray), folder, given.minutes)
    rows = summary(seconds, working, given.frames)
    for title, found in (("way", rows), ("memory, MB", flat), ("overhead a video", {"": costs})):
        columns = list(next(iter(found.values())))
        cells = [[n, *(_cell(row.get(c, "")) for c in columns)] for n, row in found.items()]
        print(f"\n{table([title, *columns], cells)}", flush=True)
    rounds = len(next(iter(seconds.values())))
    names = ", ".join(source.name for source in given.sources)
    data = (
        f"{given.clips} clips of {given.frames} frames at {SIZE[0]} x {SIZE[1]} of {names}; "
        f"{rounds} rounds in turn, process starts included; the loop took {-(-given.clips // LOOP)}"
    )
    figures = {"ways": rows, "overhead": costs, "memory": flat, "rounds": rounds}
    finish(given.json, {"data": data, "machine": conditions, **figures})


def _cell(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
