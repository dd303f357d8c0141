"""Workers as processes of this machine, each of which may die without harm to the others."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from vidpose.batch.pool import Crash, Event, Frames, Rest
from vidpose.batch.settings import Reply, Task
from vidpose.batch.worker import Stopped, Worker, worker_name
from vidpose.errors import VidposeError

_READY = "ready"
_DEATHS_AT_START = 3
_PATIENCE = 10.0  # s in which a worker that was told to stop may remove what is unfinished
_REPORT = 0.5  # s between two reports of frames

NewWorker = Callable[[], Worker]


@dataclass(eq=False)
class _Process:
    process: BaseProcess
    connection: Connection
    ready: bool = False
    task: Task | None = None
    rest: Rest = field(default_factory=Rest)


class LocalPool:
    """``count`` worker processes. ``new_worker`` is called in each of them, and must be picklable.

    A process is started anew after its death.
    """

    def __init__(self, count: int, new_worker: NewWorker) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._new_worker = new_worker
        self._deaths_at_start = 0
        self._processes = [self._start() for _ in range(count)]

    def free(self) -> int:
        return len(self._free())

    def submit(self, task: Task) -> None:
        worker = self._free()[0]
        worker.task = task
        try:
            worker.connection.send(task)
        except OSError:  # it died while it waited; `wait` will see to it
            worker.ready = False

    def wait(self, seconds: float) -> list[Event]:
        watched: list[Any] = []
        for worker in self._processes:
            watched += [worker.connection, worker.process.sentinel]
        ready = wait(watched, seconds)
        events: list[Event] = []
        for number, worker in enumerate(self._processes):
            if worker.process.sentinel in ready:
                worker.process.join(_PATIENCE)  # it is ending
            if not self._drain(worker, events):
                events += self._bury(worker)
                self._processes[number] = self._start()
        return events

    def close(self) -> None:
        for worker in self._processes:
            try:
                worker.connection.send(None)
            except OSError:
                continue
        end = time.monotonic() + _PATIENCE
        for worker in self._processes:
            worker.process.join(max(0.0, end - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.connection.close()

    def _free(self) -> list[_Process]:
        free = (w for w in self._processes if w.ready and w.task is None and w.rest.over)
        return sorted(free, key=lambda worker: worker.rest.seconds)

    def _start(self) -> _Process:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_work, args=(theirs, self._new_worker), name="vidpose-worker", daemon=True
        )
        process.start()
        theirs.close()
        return _Process(process, ours)

    def _drain(self, worker: _Process, events: list[Event]) -> bool:
        """Take in what a worker says; False when it is dead, and has nothing more to say."""
        alive = worker.process.is_alive()  # asked first, so that nothing said is missed
        try:
            while worker.connection.poll():
                self._hear(worker, worker.connection.recv(), events)
        except (EOFError, OSError):
            return False
        return alive

    def _hear(self, worker: _Process, message: Any, events: list[Event]) -> None:
        if message == _READY:
            worker.ready = True
            self._deaths_at_start = 0
        elif isinstance(message, VidposeError):
            raise message
        elif isinstance(message, Frames):
            events.append(message)
        elif isinstance(message, Reply):
            worker.task = None
            worker.rest.after(message)
            events.append(message)

    def _bury(self, worker: _Process) -> list[Event]:
        worker.process.join(_PATIENCE)
        worker.connection.close()
        reason = _cause(worker.process.exitcode)
        if worker.task is not None:
            return [Crash(worker.task, reason)]
        if not worker.ready:
            self._deaths_at_start += 1
            if self._deaths_at_start >= _DEATHS_AT_START:
                raise VidposeError(f"worker processes die at their start ({reason})")
        return []


def _cause(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _work(connection: Connection, new_worker: NewWorker) -> None:
    """A worker process from its start to its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the driver's matter
    try:
        worker = new_worker()
    except VidposeError as error:
        connection.send(error)
        return
    reporter = _Reporter(connection)
    try:
        connection.send(_READY)
        while (task := connection.recv()) is not None:
            reply = worker.do(task, worker_name(), reporter.count, reporter.should_stop)
            reporter.flush()
            connection.send(reply)
    except (EOFError, OSError, Stopped):
        sys.exit(0)  # the driver is gone, or wants us to go


class _Reporter:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._frames = 0
        self._said = time.monotonic()

    def count(self) -> None:
        self._frames += 1
        if time.monotonic() - self._said >= _REPORT:
            self.flush()

    def flush(self) -> None:
        self._said = time.monotonic()
        if self._frames:
            self._connection.send(Frames(self._frames))
            self._frames = 0

    def should_stop(self) -> bool:
        # While a task is under way the driver says nothing but "stop", or is gone.
        if self._connection.poll():
            raise Stopped
        return False
