"""Workers as Ray actors, on this machine or on a cluster whose machines come and go."""

from __future__ import annotations

import logging
import os
import re
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is reported to Ray's makers

import ray
from ray.exceptions import ActorUnavailableError, OutOfMemoryError, RayActorError, RayError

from vidpose.batch.pool import Crash, Event, Rest
from vidpose.batch.settings import Reply, Settings, Task
from vidpose.batch.worker import Worker, worker_name
from vidpose.errors import VidposeError
from vidpose.inference import Detector, PoseModel

_ANSWER = 5.0  # s in which an address must take a connection
_LOOK = 5.0  # s between two looks at how large the cluster is
_NOBODY = 300.0  # s without a single worker after which the batch ends
_DEATHS_AT_START = 3
_GONE = ("node has died", "node was", "preempted")  # words of Ray for machines that went away


@dataclass(eq=False)
class _Actor:
    handle: Any
    call: Any  # the reference of what it does now: its start, or a task
    task: Task | None = None
    ready: bool = False
    rest: Rest = field(default_factory=Rest)


class RayPool:
    """An actor for each CPU of the cluster, at most ``count``; the networks travel with it.

    Every few seconds the cluster is looked at: new machines get actors, and those of removed
    ones are given up. Raises VidposeError when the cluster cannot be reached.
    """

    def __init__(
        self,
        dest: Path,
        settings: Settings,
        networks: tuple[PoseModel, Detector],
        count: int | None,
        address: str | None,
        worker: type[Worker] = Worker,
    ) -> None:
        _connect(address, count)
        self._count = count
        # Kept once on each machine; every actor there reads the same memory.
        self._networks = ray.put(networks)
        # Ray's types know nothing of `.remote`.
        decorate: Any = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)
        self._new: Any = decorate(_RayWorker)
        self._arguments = (worker, dest, settings)
        self._actors: list[_Actor] = []
        self._looked = -_LOOK
        self._alone_since = time.monotonic()
        self._deaths_at_start = 0
        self._grow()

    def free(self) -> int:
        return len(self._free())

    def submit(self, task: Task) -> None:
        actor = self._free()[0]
        actor.task = task
        actor.call = actor.handle.do.remote(task)

    def wait(self, seconds: float) -> list[Event]:
        self._grow()
        calls = {actor.call: actor for actor in self._actors if actor.call is not None}
        if not calls:
            time.sleep(seconds)
            return []
        done, _ = ray.wait(list(calls), num_returns=len(calls), timeout=seconds)
        events: list[Event] = []
        for call in done:
            events += self._answer(calls[call])
        return events

    def close(self) -> None:
        for actor in self._actors:
            with suppress(RayError):
                ray.kill(actor.handle)
        ray.shutdown()

    def _free(self) -> list[_Actor]:
        free = (a for a in self._actors if a.ready and a.task is None and a.rest.over)
        return sorted(free, key=lambda actor: actor.rest.seconds)

    def _answer(self, actor: _Actor) -> list[Event]:
        call, task = actor.call, actor.task
        actor.call = None
        try:
            result = ray.get(call)
        except (RayActorError, OutOfMemoryError) as error:
            self._actors.remove(actor)
            with suppress(RayError):
                ray.kill(actor.handle)  # one that cannot be reached may still be at work
            reason = short_reason(error)
            if not actor.ready:
                self._deaths_at_start += 1
                if self._deaths_at_start >= _DEATHS_AT_START:
                    raise VidposeError(f"Ray workers die at their start ({reason})") from error
            gone = isinstance(error, ActorUnavailableError) or any(w in str(error) for w in _GONE)
            return [] if task is None else [Crash(task, reason, innocent=gone)]
        except RayError as error:
            raise VidposeError(f"Ray failed: {short_reason(error)}") from error
        actor.task = None
        if not isinstance(result, Reply):
            actor.ready = True
            self._deaths_at_start = 0
            return []
        actor.rest.after(result)
        return [result]

    def _grow(self) -> None:
        """As many actors as there are CPUs. Ray places them, as soon as there is room."""
        now = time.monotonic()
        if any(actor.ready for actor in self._actors):
            self._alone_since = now
        elif now - self._alone_since > _NOBODY:
            raise VidposeError(f"the Ray cluster has had no CPU for a worker for {_NOBODY:.0f} s")
        if now - self._looked < _LOOK:
            return
        self._looked = now
        resources: Any = ray.cluster_resources  # not typed
        cpus = int(resources().get("CPU", 0))
        wanted = cpus if self._count is None else min(self._count, cpus)
        while len(self._actors) < wanted:
            handle = self._new.remote(*self._arguments, self._networks)
            self._actors.append(_Actor(handle, handle.ready.remote()))


class _RayWorker:
    """The actor: networks that are loaded once, one task at a time."""

    def __init__(
        self,
        worker: type[Worker],
        dest: Path,
        settings: Settings,
        networks: tuple[PoseModel, Detector],
    ) -> None:
        self._worker = worker(dest, settings, networks)

    def ready(self) -> bool:
        return True

    def do(self, task: Task) -> Reply:
        return self._worker.do(task, worker_name())


def _connect(address: str | None, count: int | None) -> None:
    if address is not None:
        _check_answer(address)
    try:
        ray.init(
            address=address or "local",
            num_cpus=count if address is None else None,
            include_dashboard=None if address is not None else False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            ignore_reinit_error=False,
        )
    except (RayError, ConnectionError, OSError, RuntimeError, ValueError, TimeoutError) as error:
        if address is None:
            raise VidposeError(f"Ray cannot be started here ({short_reason(error)})") from error
        raise VidposeError(
            f"{address}: cannot be joined ({short_reason(error)}); if it asks for a token, as what "
            "`ray start` starts does, set RAY_AUTH_MODE=token, and copy ~/.ray/auth_token from its "
            "head or set RAY_AUTH_TOKEN"
        ) from error


def _check_answer(address: str) -> None:
    """Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER).close()
    except OSError as error:
        raise VidposeError(
            f"{address}: no Ray cluster answers ({error.strerror or error}); check the address, "
            "and that `ray start --head` ran there"
        ) from error


def short_reason(error: BaseException) -> str:
    """The first and the last line of Ray's long texts."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(dict.fromkeys([*lines[:1], *lines[-1:]])) or type(error).__name__
    text = re.sub(r"\x1b\[\d*m", "", text)
    return text if len(text) <= 300 else text[:297] + "..."
