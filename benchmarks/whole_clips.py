"""Whole processes on real clips, from their start to the finished table, beside MediaPipe.

    python benchmarks/whole_clips.py CLIP.mp4 --model dkd-base-int8 --model dkd-lite-int8 \\
        --mediapipe ENV/bin/python --rounds 5 --json results/whole_clips.json

In every round each model (`vidpose run CLIP --out FILE.csv`, as a newcomer would call it) and
MediaPipe Pose take the clip once, in an order that turns, so that a busy machine slows all alike.
Start of the process, loading, decoding and writing count. "times the first" is the median of the
rounds' ratios to the first row, "of first, rounds" their least and most; "least" and "most" are
frames/s of the slowest and quickest round; "CPU ms a frame" is user and system time of the process
and its children, the median.

MediaPipe's PoseLandmarker reads the clip by OpenCV, as its examples do, follows one person with its
full model (the one inside its wheel, so that no network is needed) and writes the 33 landmarks of
each frame to a .csv. ENV is an environment of its own: `pip install mediapipe==0.10.21`.
"""

from __future__ import annotations

import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from report import finish, machine, parser, table

from vidpose.defaults import DEFAULT_MODEL, FAST_MODEL

MEDIAPIPE = """
import csv, sys
import cv2, mediapipe
clip, out = sys.argv[1:]
frames = cv2.VideoCapture(clip)
with mediapipe.solutions.pose.Pose(model_complexity=1) as pose, open(out, "w", newline="") as file:
    rows = csv.writer(file)
    rows.writerow(["frame", "id", *range(99)])
    index = 0
    while True:
        there, frame = frames.read()
        if not there:
            break
        found = pose.process(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)).pose_landmarks
        points = found.landmark if found else ()
        rows.writerow([index, 1 if found else "", *(v for p in points for v in (p.x, p.y, p.visibility))])
        index += 1
"""  # noqa: E501


@dataclass(frozen=True, slots=True)
class Run:
    """One process: seconds, its processor time in s, frames in its table, and those with people."""

    seconds: float
    cpu: float
    frames: int
    found: int


def run(command: Sequence[str], table_file: Path) -> Run:
    """Start the process, wait for its end and read its table."""
    before, start = os.times(), time.perf_counter()
    ended = subprocess.run(command, capture_output=True, text=True)
    seconds, after = time.perf_counter() - start, os.times()
    if ended.returncode:
        raise SystemExit(f"{command[0]} failed: {ended.stderr.strip()[-500:]}")
    with table_file.open(newline="") as file:
        rows = list(csv.DictReader(file))
    cpu = (after.children_user + after.children_system) - (
        before.children_user + before.children_system
    )
    people = {row["frame"] for row in rows if row["id"]}
    return Run(seconds, cpu, len({row["frame"] for row in rows}), len(people))


def measure(
    clip: Path, commands: dict[str, list[str]], rounds: int, folder: Path
) -> dict[str, list[Run]]:
    """Runs of each command by name, one a round; {out} in a command is its table."""
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    names = list(commands)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            out = folder / f"{number}.csv"
            filled = [word.format(clip=clip, out=out) for word in commands[name]]
            runs[name].append(run(filled, out))
            out.unlink()
    return runs


def summary(runs: dict[str, list[Run]]) -> dict[str, dict[str, float | int | str]]:
    """Figures of each row."""
    first = next(iter(runs.values()))
    rows: dict[str, dict[str, float | int | str]] = {}
    for name, found in runs.items():
        rates = [each.frames / each.seconds for each in found]
        ratios = [
            (each.frames / each.seconds) / (other.frames / other.seconds)
            for each, other in zip(found, first, strict=True)
        ]
        rows[name] = {
            "frames/s": statistics.median(rates),
            "least": min(rates),
            "most": max(rates),
            "of first": f"{statistics.median(ratios):.2f}",
            "of first, rounds": f"{min(ratios):.2f} to {max(ratios):.2f}",
            "CPU ms a frame": statistics.median(1000 * each.cpu / each.frames for each in found),
            "frames with a person": found[0].found,
            "frames": found[0].frames,
        }
    return rows


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("clips", type=Path, nargs="+", metavar="CLIP")
    arguments.add_argument("--model", action="append", help="default: the two shipped models")
    arguments.add_argument("--mediapipe", type=Path, help="a Python that has mediapipe")
    arguments.add_argument("--rounds", type=int, default=5)
    given = arguments.parse_args()
    commands = {}
    if given.mediapipe is not None:
        script = MEDIAPIPE.replace("{", "{{").replace("}", "}}")
        commands["MediaPipe Pose, full"] = [str(given.mediapipe), "-c", script, "{clip}", "{out}"]
    for model in given.model or dict.fromkeys([DEFAULT_MODEL, FAST_MODEL]):
        options = ["--model", model, "--quiet", "--out", "{out}"]
        commands[Path(model).stem] = [sys.executable, "-m", "vidpose", "run", "{clip}", *options]
    conditions = machine(given.threads)
    del conditions["threads"]  # each process takes what it takes
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for clip in given.clips:
            rows = summary(measure(clip, commands, given.rounds, Path(folder)))
            columns = list(next(iter(rows.values())))
            cells = [[name, *(_cell(row[c]) for c in columns)] for name, row in rows.items()]
            print(f"\n{clip.name}\n\n{table(['process', *columns], cells)}", flush=True)
            count = next(iter(rows.values()))["frames"]
            figures[f"{clip.name}, {count} frames"] = rows
    finish(given.json, {"machine": conditions, "rounds": given.rounds, "clips": figures})


def _cell(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
