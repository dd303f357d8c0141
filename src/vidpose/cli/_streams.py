"""Standard output and error: what a terminal cannot show, and readers that go away."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable

READER_GONE = 128 + 13
"""The exit code of programs that SIGPIPE ends, as in ``| head``."""


def print_anything() -> None:
    """Let names that the terminal cannot show come out as escapes, not as errors."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def exit_code_of(command: Callable[[], object]) -> int:
    """Run a command that may end by SystemExit; a reader of its output who goes away ends it too,
    without a word."""
    stdout = sys.stdout
    code = 0
    try:
        command()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    try:
        stdout.flush()
        gone = sys.stdout is not stdout  # what Typer does when a write fails by that
    except BrokenPipeError:
        gone = True
    if not gone:
        return code
    # What is left in the buffer would be tried again when Python ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
    return READER_GONE
