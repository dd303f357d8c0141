"""Progress on stderr: a bar with frames/s and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

PLAIN_INTERVAL_SECONDS = 10.0


class Meter(Protocol):
    """Counts the frames of one source."""

    def advance(self) -> None: ...


@contextmanager
def show_progress(title: str, total: int | None) -> Iterator[Meter]:
    """Progress of one source of about ``total`` frames (None: not known)."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _PlainMeter(console, title, total)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield _BarMeter(progress, title, total)


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.finished_speed or task.speed or 0.0:.1f} frames/s")


class _BarMeter:
    def __init__(self, progress: Progress, title: str, total: int | None) -> None:
        self._progress = progress
        self._task = progress.add_task(title, total=total)

    def advance(self) -> None:
        self._progress.advance(self._task)


class _PlainMeter:
    def __init__(self, console: Console, title: str, total: int | None) -> None:
        self._console = console
        self._title = title
        self._total = total
        self._done = 0
        self._start = self._spoken = time.monotonic()

    def advance(self) -> None:
        self._done += 1
        now = time.monotonic()
        if now - self._spoken < PLAIN_INTERVAL_SECONDS:
            return
        self._spoken = now
        rate = self._done / (now - self._start)
        text = f"{self._title}: frame {self._done}"
        if self._total:
            left = max(self._total - self._done, 0) / rate
            text += f" of {self._total}, {rate:.1f} frames/s, ETA {left:.0f} s"
        else:
            text += f", {rate:.1f} frames/s"
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
