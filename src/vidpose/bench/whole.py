"""`vidpose run` as a whole, in a process of its own: frames a second and peak memory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vidpose.errors import VidposeError

_WATCH_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Networks:
    """What `vidpose run` is told to use: names or paths of a model and of a detector, and the
    runtime, which may be "auto"."""

    model: str
    detector: str
    runtime: str


@dataclass(frozen=True, slots=True)
class Whole:
    """`frames_per_second` from opening the video to the finished files, without the loading of
    the models; `peak_mb` of the process' resident memory, None where the system does not tell."""

    frames_per_second: float
    peak_mb: float | None


def run_whole(
    clip: Path, networks: Networks, threads: int, folder: Path, kinds: Sequence[str]
) -> Whole:
    """`vidpose run` on a clip, to a file of each of the `kinds` (".jsonl", ".mp4") in `folder`.

    Raises VidposeError with its last words when it fails.
    """
    command = [sys.executable, "-m", "vidpose", "run", str(clip), "--overwrite"]
    command += ["--model", networks.model, "--detector", networks.detector]
    command += ["--runtime", networks.runtime, "--threads", str(threads)]
    for kind in kinds:
        command += ["--out", str(folder / f"whole{kind}")]
    with (folder / "words").open("w+") as words:
        process = subprocess.Popen(command, stdout=words, stderr=subprocess.STDOUT)
        try:
            peak = _wait(process)
        finally:
            if process.returncode is None:
                process.terminate()
                process.wait()
        words.seek(0)
        text = words.read()
    rate = re.search(r"([\d.]+) frames/s$", text, flags=re.MULTILINE)
    if process.returncode or rate is None:
        last = text.strip().splitlines()[-1:] or ["no output"]
        raise VidposeError(f"vidpose run failed on {clip.name}: {last[0]}")
    return Whole(float(rate[1]), peak)


def _wait(process: subprocess.Popen[bytes]) -> float | None:
    """Wait for the end; megabytes at the peak."""
    status = Path(f"/proc/{process.pid}/status")
    if status.exists():
        return _watch(process, status)
    wait = getattr(os, "wait4", None)
    if wait is None:
        process.wait()
        return None
    _, status, usage = wait(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts bytes, others kilobytes
    return float(usage.ru_maxrss / unit)


def _watch(process: subprocess.Popen[bytes], status: Path) -> float | None:
    """Linux counts the memory of the process that started another as the other's peak, in what
    it tells at the end; while it runs, it tells the true one."""
    peak = None
    while process.poll() is None:
        with suppress(OSError):
            found = re.search(r"^VmHWM:\s*(\d+) kB", status.read_text(), flags=re.MULTILINE)
            peak = int(found[1]) / 2**10 if found else peak
        time.sleep(_WATCH_SECONDS)
    return peak
