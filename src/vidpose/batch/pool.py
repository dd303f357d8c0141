"""What the driver knows of those who work for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from vidpose.batch.settings import Reply, Task


@dataclass(frozen=True, slots=True)
class Crash:
    """The process of a task died. ``innocent``: for a reason that cannot be the task's, such as
    the removal of its machine."""

    task: Task
    reason: str
    innocent: bool = False


@dataclass(frozen=True, slots=True)
class Frames:
    """So many more frames were done."""

    count: int


Event = Reply | Crash | Frames


class Pool(Protocol):
    """Workers, each of which does one task at a time; there is no queue but the driver's."""

    def free(self) -> int:
        """How many tasks could begin now."""
        ...  # pragma: no cover

    def submit(self, task: Task) -> None:
        """Begin a task; only while ``free`` is not 0."""
        ...  # pragma: no cover

    def wait(self, seconds: float) -> list[Event]:
        """What happened; waits so long at most. Raises VidposeError when no worker can be had."""
        ...  # pragma: no cover

    def close(self) -> None:
        """Stop all workers; what they have not finished is removed."""
        ...  # pragma: no cover
