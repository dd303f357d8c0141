"""`vidpose run` on every clip of a folder: no frame lost, true times, speed and memory.

    python benchmarks/streams.py --clips DATA/video --model dkd-lite --threads 2 \\
        --loop DATA/video/single_pose.mp4 --json streams.json

For each clip, `vidpose run CLIP --out CLIP.jsonl` in a process of its own. Checked: as many JSONL
frames as PyAV decodes, and the same times as the container's (frames without a time stamp are
left out of that). Measured: wall time of the whole process (start and model loading included),
frames/s over it, and the process' peak resident memory.

With --loop, a clip is scaled to --loop-size pixels and repeated to one minute and to one hour of
video at --loop-rate; the hour's peak memory is set against the minute's, and the speed of the
hour's last minute against its first: frames/s, and milliseconds of CPU time for a frame (Linux
only), which other programs on the machine disturb less. Both come from watching the growing
result file and the process ten times a second.

Exit status 1 if a frame is lost, a time is wrong, the hour needs over 5 % more memory than the
minute, or a frame of its last minute over 10 % more CPU time than one of the first.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path

import av
import numpy as np
from report import finish, machine, parser, table

from vidpose.defaults import DEFAULT_MODEL

SUFFIXES = {".mp4", ".mkv", ".mov", ".avi", ".webm"}
TIME_TOLERANCE = 1e-6  # seconds
GROWTH = 1.05
SLOWER = 1.1
WATCH_SECONDS = 0.1


@dataclass(frozen=True)
class Pace:
    """Speed over a minute of video; CPU time is 0 where the system does not tell."""

    frames_per_second: float
    cpu_ms: float


class Watch:
    """How large the result file of a process is, and its CPU time, ten times a second."""

    def __init__(self, process: int, out: Path) -> None:
        self._process, self._out = process, out
        self._seen: list[tuple[float, float, int]] = [(time.perf_counter(), 0.0, 0)]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def pace(self, first: int, last: int) -> Pace:
        """Between the lines `first` and `last` of the finished file."""
        with self._out.open("rb") as lines:
            ends = np.cumsum([len(line) for line in lines])
        moments, cpu, sizes = (np.array(column) for column in zip(*self._seen, strict=True))
        seconds = np.diff(np.interp(ends[[first, last]], sizes, moments))[0]
        spent = np.diff(np.interp(ends[[first, last]], sizes, cpu))[0]
        return Pace(float((last - first) / seconds), float(1e3 * spent / (last - first)))

    def _look_on(self) -> None:
        while not self._over.wait(WATCH_SECONDS):
            for growing in self._out.parent.glob(f".{self._out.stem}.*.part{self._out.suffix}"):
                size = growing.stat().st_size
                if size > self._seen[-1][2]:
                    self._seen.append((time.perf_counter(), _cpu_seconds(self._process), size))


def _cpu_seconds(process: int) -> float:
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Run:
    """What one `vidpose run` gave; `frames` were read back, `decoded` is PyAV's count. `pace`: of
    the first and of the last minute of a loop."""

    clip: str
    decoded: int
    frames: int
    wrong_times: int
    people: int
    seconds: float
    peak_mb: float
    pace: tuple[Pace, Pace] | None = None

    @property
    def rate(self) -> float:
        return self.frames / self.seconds


def container_times(path: Path) -> list[float | None]:
    """The presentation times of all decoded frames, None where there is none."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        return [
            None if frame.pts is None else float(frame.pts * stream.time_base)
            for frame in container.decode(stream)
        ]


def run(clip: Path, given: argparse.Namespace, folder: Path, minute: int | None = None) -> Run:
    """Run the command line on one clip and read its result. `minute`: frames in a minute, to
    measure the pace of the first and of the last."""
    out = folder / f"{clip.stem}.jsonl"
    command = [sys.executable, "-m", "vidpose", "run", str(clip), "--out", str(out)]
    command += ["--overwrite", "--model", given.model, "--threads", str(given.threads)]
    command += ["--detector", given.detector] if given.detector else []
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    watch = Watch(process.pid, out)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    watch.stop()
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    frames, times, people = 0, [], 0
    with out.open() as lines:
        next(lines)
        for line in lines:
            record = json.loads(line)
            frames += 1
            times.append(record["time"])
            people = max(people, len(record["people"]))
    expected = container_times(clip)
    wrong = sum(
        truth is not None and abs(found - truth) > TIME_TOLERANCE
        for found, truth in zip(times, expected, strict=False)
    )
    peak = usage.ru_maxrss / 1024  # Linux counts kilobytes
    pace = None
    if minute is not None:  # from the second line of each on: the first has the file's opening
        pace = watch.pace(1, minute), watch.pace(frames - minute + 1, frames)
    return Run(clip.name, len(expected), frames, wrong, people, seconds, peak, pace)


def loop(clip: Path, target: Path, seconds: int, rate: int, size: int) -> None:
    """A video of `seconds` that repeats the clip, its longer side `size` pixels."""
    with av.open(str(clip)) as source:
        stream = source.streams.video[0]
        factor = size / max(stream.width, stream.height)
        width, height = (2 * round(side * factor / 2) for side in (stream.width, stream.height))
        pictures = [frame.reformat(width, height, "yuv420p") for frame in source.decode(stream)]
    with av.open(str(target), "w") as container:
        out = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast"})
        out.width, out.height, out.pix_fmt = width, height, "yuv420p"
        for index, picture in enumerate(islice(cycle(pictures), seconds * rate)):
            picture.pts, picture.time_base = index, Fraction(1, rate)
            picture.pict_type = 0
            container.mux(out.encode(picture))
        container.mux(out.encode(None))


def show(runs: list[Run]) -> None:
    columns = ["clip", "decoded", "in JSONL", "wrong times", "people at most"]
    columns += ["seconds", "frames/s", "peak MB"]
    cells = [
        [
            *(r.clip, r.decoded, r.frames, r.wrong_times, r.people),
            *(f"{r.seconds:.1f}", f"{r.rate:.1f}", f"{r.peak_mb:.0f}"),
        ]
        for r in runs
    ]
    print(table(columns, cells))


def show_pace(hour: Run) -> float:
    """Print the first and the last minute; returns the CPU time of a frame then and now."""
    assert hour.pace is not None
    names = ("first minute", "last minute")
    cells = [
        [name, f"{pace.frames_per_second:.1f}", f"{pace.cpu_ms:.2f}"]
        for name, pace in zip(names, hour.pace, strict=True)
    ]
    print("\n" + table(["of the hour", "frames/s", "CPU ms for a frame"], cells))
    first, last = hour.pace
    return last.cpu_ms / first.cpu_ms if first.cpu_ms else 1.0


def main() -> int:
    arguments = parser(__doc__)
    arguments.add_argument("--clips", type=Path, help="folder searched for videos, deeply")
    arguments.add_argument("--model", default=DEFAULT_MODEL, help="name or path of a bundle")
    arguments.add_argument("--detector", help="name or path; the shipped one if not given")
    arguments.add_argument("--loop", type=Path, help="a clip to repeat for an hour")
    arguments.add_argument("--loop-rate", type=int, default=10, help="frames/s of the loop (10)")
    arguments.add_argument("--loop-size", type=int, default=192, help="longer side in pixels (192)")
    given = arguments.parse_args()

    conditions = machine(given.threads)
    runs, looped = [], []
    with tempfile.TemporaryDirectory() as folder:
        if given.clips is not None:
            for clip in sorted(given.clips.rglob("*")):
                if clip.suffix in SUFFIXES:
                    runs.append(run(clip, given, Path(folder)))
            show(runs)
        if given.loop is not None:
            for name, seconds in (("minute", 60), ("hour", 3600)):
                target = Path(folder) / f"{name}.mp4"
                loop(given.loop, target, seconds, given.loop_rate, given.loop_size)
                looped.append(run(target, given, Path(folder), 60 * given.loop_rate))
            show(looped)
    growth = slower = 1.0
    if looped:
        growth = looped[1].peak_mb / looped[0].peak_mb
        slower = show_pace(looped[1])
        print(f"\nan hour's peak memory is {growth:.3f} of a minute's")
    finish(
        given.json,
        {
            "machine": conditions,
            "clips": [asdict(r) for r in runs],
            "loop": [asdict(r) for r in looped],
        },
    )
    whole = all(r.frames == r.decoded and not r.wrong_times for r in runs + looped)
    return 0 if whole and growth <= GROWTH and slower <= SLOWER else 1


if __name__ == "__main__":
    sys.exit(main())
