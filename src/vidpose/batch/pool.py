"""What the driver knows of those who work for it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
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


@dataclass(slots=True)
class Rest:
    """How long a worker is left alone after failures of its place, such as a full disk: longer each
    time, so that it does not take task after task and fail them all."""

    _seconds: float = 0.0
    _until: float = field(default=0.0)

    def after(self, reply: Reply) -> None:
        """Take note of how a task ended."""
        if reply.fault == "place":
            self._seconds = min(2 * self._seconds or _REST[0], _REST[1])
            self._until = time.monotonic() + self._seconds
        else:
            self._seconds = 0.0

    @property
    def over(self) -> bool:
        return self._until <= time.monotonic()

    @property
    def seconds(self) -> float:
        """The last rest, if nothing has gone well since; those with the least go first."""
        return self._seconds


_REST = (1.0, 30.0)  # s: the first time, and at most


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
