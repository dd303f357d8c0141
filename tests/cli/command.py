"""Types of the fixtures that run the command and write clips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


Vidpose = Callable[..., Ended]
NewClip = Callable[..., Path]
