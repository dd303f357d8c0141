"""`vidpose run` on every clip of a folder: no frame lost, true times, speed and memory.

    python benchmarks/streams.py --clips DATA/video --model dkd-lite --threads 2 \\
        --loop DATA/video/single_pose.mp4 --json streams.json

For each clip, `vidpose run CLIP --out CLIP.jsonl` in a process of its own. Checked: as many JSONL
frames as PyAV decodes, and the same times as the container's (frames without a time stamp are
left out of that). Measured: wall time of the whole process (start and model loading included),
frames/s over it, and the process' peak resident memory.

With --loop, a clip is scaled to --loop-size pixels and repeated to one minute and to one hour of
video at --loop-rate; the hour's peak memory is set against the minute's.

Exit status 1 if a frame is lost, a time is wrong, or the hour needs over 5 % more than the minute.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path

import av
from report import finish, machine, parser, table

SUFFIXES = {".mp4", ".mkv", ".mov", ".avi", ".webm"}
TIME_TOLERANCE = 1e-6  # seconds
GROWTH = 1.05


@dataclass(frozen=True)
class Run:
    """What one `vidpose run` gave; `frames` were read back, `decoded` is PyAV's count."""

    clip: str
    decoded: int
    frames: int
    wrong_times: int
    people: int
    seconds: float
    peak_mb: float

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


def run(clip: Path, given: argparse.Namespace, folder: Path) -> Run:
    """Run the command line on one clip and read its result."""
    out = folder / f"{clip.stem}.jsonl"
    command = [sys.executable, "-m", "vidpose", "run", str(clip), "--out", str(out)]
    command += ["--overwrite", "--model", given.model, "--threads", str(given.threads)]
    command += ["--detector", given.detector] if given.detector else []
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
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
    return Run(clip.name, len(expected), frames, wrong, people, seconds, peak)


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


def main() -> int:
    arguments = parser(__doc__)
    arguments.add_argument("--clips", type=Path, help="folder searched for videos, deeply")
    arguments.add_argument("--model", default="dkd-lite", help="name or path of a bundle")
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
                looped.append(run(target, given, Path(folder)))
            show(looped)
    growth = looped[1].peak_mb / looped[0].peak_mb if looped else 1.0
    if looped:
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
    return 0 if whole and growth <= GROWTH else 1


if __name__ == "__main__":
    sys.exit(main())
