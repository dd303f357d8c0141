"""How `vidpose batch` tells how far it is: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from vidpose.cli._progress import PLAIN_INTERVAL_SECONDS
from vidpose.words import counted

if TYPE_CHECKING:
    from vidpose.batch import Summary
    from vidpose.batch.rows import VideoRow


@contextmanager
def show_batch(*, quiet: bool) -> Iterator[BatchMeter]:
    """The progress of a batch, on stderr. ``quiet``: errors alone."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield BatchMeter(console, None, quiet=quiet)
        return
    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True) as bar:
        yield BatchMeter(console, bar, quiet=quiet)


class BatchMeter:
    """The `Monitor` of the command line."""

    def __init__(self, console: Console, bar: Progress | None, *, quiet: bool) -> None:
        self._console, self._bar, self._quiet = console, bar, quiet
        self._task = None if bar is None else bar.add_task("", total=1.0)
        self._start = time.monotonic()
        self._spoken = self._start
        self._total = self._finished = self._failed = self._frames = 0
        self._share = self._first_share = 0.0

    def planned(self, total: int, kept: int, share: float) -> None:
        self._total, self._finished = total, kept
        self._share = self._first_share = share
        if kept and not self._quiet:
            self._print(f"{counted(total, 'video')}, {kept} of them done already")

    def frames(self, count: int) -> None:
        self._frames += count
        self._show()

    def video(self, row: VideoRow, share: float) -> None:
        self._share = share
        if row.status == "crashed":
            self._print(f"vidpose: warning: {row.source}: {row.error}; it is tried again")
        else:
            self._finished += 1
        if row.status in ("failed", "quarantined"):
            self._failed += 1
            error = row.error or ""
            about = error if error.startswith(row.source) else f"{row.source}: {error}"
            self._print(f"vidpose: {about}")
        for warning in row.warnings.splitlines():
            self._print(f"vidpose: warning: {warning}")
        self._show()

    def say_interrupted(self) -> None:
        """What a user who pressed Ctrl-C wants to know."""
        self._print(
            f"vidpose: interrupted; done: {self._finished - self._failed} of "
            f"{counted(self._total, 'video')} (run the same command to go on)"
        )

    def say_summary(self, summary: Summary, dest: Path) -> None:
        """The last line, on stdout."""
        if self._quiet:
            return
        rate = summary.frames / max(summary.seconds, 1e-9)
        print(
            f"{counted(summary.total, 'video')}: {summary.done} done, {summary.kept} kept, "
            f"{summary.failed} failed, {summary.quarantined} quarantined; "
            f"{counted(summary.frames, 'frame')} in {summary.seconds:.1f} s, {rate:.1f} frames/s"
        )
        if summary.done or summary.kept:
            print(f"  results   {dest}/video=*/*.parquet")
        print(f"  manifest  {dest}/_vidpose/manifest")

    def _show(self) -> None:
        if self._quiet:
            return
        now = time.monotonic()
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._share, description=self._line(now))
        elif now - self._spoken >= PLAIN_INTERVAL_SECONDS:
            self._spoken = now
            self._print(self._line(now))

    def _line(self, now: float) -> str:
        seconds = max(now - self._start, 1e-9)
        videos = counted(self._total, "video")
        text = f"{self._finished} of {videos}, {self._frames / seconds:.1f} frames/s"
        done = self._share - self._first_share
        if done > 0:
            text += f", ETA {_duration(seconds * (1.0 - self._share) / done)}"
        return text + (f", {self._failed} failed" if self._failed else "")

    def _print(self, text: str) -> None:
        if self._bar is not None:
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, file=sys.stderr)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
