"""Working through the sources of a run, saying how each went."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import typer

from vidpose.cli._errors import say_error
from vidpose.cli._interrupt import Interrupted, StopRequest, stop_on_signals
from vidpose.cli._outputs import Job
from vidpose.cli._progress import Meter, show_progress
from vidpose.errors import VidposeError
from vidpose.pipeline import Outcome
from vidpose.results import SourceInfo
from vidpose.video.sources import is_stream
from vidpose.words import counted

Process = Callable[..., Outcome]
"""``process_video`` with its networks and options."""

Expect = Callable[[SourceInfo], int | None]
"""About how many frames there will be; None where that is not known."""


@dataclass(frozen=True, slots=True)
class Say:
    """Where the summary goes: nowhere if ``quiet``, else to stderr if ``aside``, as the results
    have stdout for themselves."""

    quiet: bool
    aside: bool

    def __call__(self, text: str) -> None:
        if not self.quiet:
            print(text, file=sys.stderr if self.aside else sys.stdout)


def run_all(jobs: list[Job], process: Process, expect: Expect, say: Say) -> int:
    """Work through ``jobs``, saying how each went; returns how many failed."""
    done = failed = 0
    with stop_on_signals() as stop:
        for number, job in enumerate(jobs, start=1):
            short = Path(job.name).name or job.name
            title = short if len(jobs) == 1 else f"[{number} of {len(jobs)}] {short}"
            try:
                outcome = _run_one(job, process, None if say.quiet else title, expect, stop)
            except Interrupted as interruption:
                _say_interrupted(job, done, len(jobs))
                raise typer.Exit(interruption.exit_code) from None
            except VidposeError as error:
                say_error(error)
                failed += 1
            except BrokenPipeError:  # the results are not read any more
                raise
            except Exception as error:  # also after a bug here, the other sources get their turn
                say_error(error, about=job.name)
                failed += 1
            else:
                _say_done(job, outcome, say)
                done += bool(outcome.written)
    if len(jobs) > 1:
        kept = len(jobs) - done - failed
        say(f"{len(jobs)} sources: {done} done, {kept} kept, {failed} failed")
    return failed


def _run_one(
    job: Job, process: Process, title: str | None, expect: Expect, stop: StopRequest
) -> Outcome:
    """One source, with its progress if that has a title.

    Raises Interrupted, except where a live source has given frames: being stopped is how its
    video ends.
    """
    live = is_stream(job.source)
    seen = 0
    with ExitStack() as stack:
        meters: list[Meter] = []

        def on_start(info: SourceInfo) -> None:
            if title is not None:
                progress = show_progress(title, expect(info))
                meters.append(stack.enter_context(progress))

        def on_frame(*_: object) -> None:
            nonlocal seen
            seen += 1
            for meter in meters:
                meter.advance()

        def should_stop() -> bool:
            if not live or seen == 0:
                stop.check()
            return stop.requested

        return process(
            job.source,
            job.outputs,
            on_start=on_start,
            on_frame=on_frame,
            should_stop=should_stop,
        )


def _say_done(job: Job, outcome: Outcome, say: Say) -> None:
    if not outcome.written:
        say(f"{job.name}: already done, kept (--overwrite makes it anew)")
        return
    rate = outcome.frames / outcome.seconds
    people = counted(outcome.people, "person", "people")
    say(
        f"{job.name}: {counted(outcome.frames, 'frame')}, {people}, "
        f"{outcome.seconds:.1f} s, {rate:.1f} frames/s"
    )
    for path in outcome.written:
        if path.name != "-":
            say(f"  wrote {path}")
    for path in outcome.kept:
        say(f"  kept  {path} (already done; --overwrite makes it anew)")
    for warning in outcome.warnings:
        print(f"vidpose: warning: {warning}", file=sys.stderr)


def _say_interrupted(job: Job, done: int, total: int) -> None:
    text = f"vidpose: interrupted in {job.name}; its unfinished outputs were removed"
    if total > 1:
        text += f", {done} of {total} sources were finished (run the same command to go on)"
    print(text, file=sys.stderr)
