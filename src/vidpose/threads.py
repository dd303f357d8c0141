"""Overlapping decoding, inference and encoding: order kept, errors carried over, bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from queue import Empty, Full, Queue
from threading import Event, Thread
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")

_POLL_SECONDS = 0.1
_PATIENCE_SECONDS = 0.5
_END = object()


def prefetch(
    items: Generator[T, None, None],
    depth: int = 4,
    should_stop: Callable[[], bool] = lambda: False,
) -> Generator[T, None, None]:
    """``items`` in their order, produced up to ``depth`` ahead by a thread of their own.

    The thread runs ``items`` from its first line to its last, so what the generator opens it also
    closes there, whether all of it is wanted or not. An error of the producer is raised here,
    after the items before it.

    ``should_stop`` is asked before every item, ten times a second while waiting for one, and once
    more at the end; True ends the items here, and what it raises is raised here. A producer that
    does not answer (a camera that has gone silent) is then left to end by itself.
    """
    queue: Queue[object] = Queue(depth)
    stop = Event()
    failure: list[BaseException] = []

    def offer(item: object) -> None:
        while not stop.is_set():
            try:
                queue.put(item, timeout=_POLL_SECONDS)
            except Full:
                continue
            return

    def produce() -> None:
        try:
            with closing(items):
                for item in items:
                    offer(item)
                    if stop.is_set():
                        return
        except BaseException as error:
            failure.append(error)
        offer(_END)

    thread = Thread(target=produce, name="prefetch", daemon=True)
    thread.start()
    try:
        item: object = None
        while not should_stop() and item is not _END:
            try:
                item = queue.get(timeout=_POLL_SECONDS)
            except Empty:
                continue
            if item is not _END:
                yield item  # type: ignore[misc]
            elif failure:
                raise failure[0]
    finally:
        stop.set()
        thread.join(_PATIENCE_SECONDS)


class Background(Generic[T]):
    """Calls ``handle`` on every item put, in order, on a thread of its own.

    Leaving the ``with`` block waits for the items under way; leaving it by an exception drops
    them. An error of ``handle`` is raised by the next ``put`` or on leaving.
    """

    def __init__(self, handle: Callable[[T], None], depth: int = 4) -> None:
        self._handle = handle
        self._queue: Queue[object] = Queue(depth)
        self._stop = Event()
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._consume, name="background", daemon=True)

    def __enter__(self) -> Background[T]:
        self._thread.start()
        return self

    def put(self, item: T) -> None:
        """Hand over ``item``; waits while ``depth`` items are under way."""
        self._offer(item)
        if self._failure is not None:
            raise self._failure

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._offer(_END)
                self._thread.join()
        finally:
            self._stop.set()
            self._thread.join()
        if error is None and self._failure is not None:
            raise self._failure

    def _offer(self, item: object) -> None:
        while self._thread.is_alive():
            try:
                self._queue.put(item, timeout=_POLL_SECONDS)
            except Full:
                continue
            return

    def _consume(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    item = self._queue.get(timeout=_POLL_SECONDS)
                except Empty:
                    continue
                if item is _END:
                    return
                self._handle(item)  # type: ignore[arg-type]
        except BaseException as error:
            self._failure = error
