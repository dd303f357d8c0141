"""How the command line speaks of errors: one line each, and the exit code."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from vidpose.errors import VidposeError
from vidpose.redact import redacted

FAILED = 1
WRONG_USAGE = 2


class UsageMistake(VidposeError):
    """The command line asks for something that cannot be; nothing was done."""


def option_mistake(error: VidposeError) -> UsageMistake:
    """A message that begins with an option's name in Python, with its name here."""
    name, space, rest = str(error).partition(" ")
    return UsageMistake(f"--{name.replace('_', '-')}{space}{rest}")


def debug_wanted() -> bool:
    """Whether ``--debug`` stands on the command line, at whatever place."""
    return "--debug" in sys.argv[1:]


def one_line(error: BaseException) -> str:
    """``error`` as one line that a user can act on."""
    if isinstance(error, VidposeError):
        text = str(error)
    elif isinstance(error, OSError) and error.strerror:
        where = f"{os.fsdecode(error.filename)}: " if error.filename else ""
        text = f"{where}{error.strerror}"
    else:
        text = f"internal error, {type(error).__name__}: {error} (--debug shows where)"
    return redacted(" ".join(text.split()))


def say_error(error: BaseException, about: str | None = None) -> None:
    """Print ``error`` on stderr: one line, or with its traceback under ``--debug``."""
    if debug_wanted():
        print(redacted("".join(traceback.format_exception(error))), file=sys.stderr)
    prefix = "vidpose: " if about is None else f"vidpose: {about}: "
    print(prefix + one_line(error), file=sys.stderr)


def show_notices() -> None:
    """Print what the library logs as a warning (labels completed, say) on stderr, a line each."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("vidpose: note: %(message)s"))
    logger = logging.getLogger("vidpose")
    logger.handlers[:] = [handler]


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Turn a missing library of the optional ``extra`` into one line that says what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing == "vidpose":
            raise
        raise VidposeError(
            f"this needs the optional part '{extra}' ({missing} is not installed): "
            f"pip install 'vidpose[{extra}]'"
        ) from error
