"""Workers with faults, importable by worker processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from vidpose.batch.settings import Reply, Settings, Task
from vidpose.batch.worker import Worker
from vidpose.errors import BundleError


class Poisoned(Worker):
    """Dies of videos called poison; waits with those called slow until it is told to stop."""

    def do(
        self,
        task: Task,
        name: str,
        on_frame: Callable[[], object] = lambda: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Reply:
        if "poison" in task.video:
            os.kill(os.getpid(), signal.SIGSEGV)

        def slowly() -> None:
            on_frame()
            if "slow" in task.video:
                time.sleep(0.05)

        return super().do(task, name, slowly, should_stop)


class Hopeless(Worker):
    """Cannot begin."""

    def __init__(self, *_: object) -> None:
        raise BundleError("no such model")


def poisoned(dest: Path, settings: Settings) -> Worker:
    return Poisoned(dest, settings)


def without_model() -> Worker:
    raise BundleError("no such model")


def dies_at_once() -> Worker:
    os._exit(3)
