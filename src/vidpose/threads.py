"""Overlapping decoding, inference and encoding: order kept, errors carried over, bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from queue import Empty, Full, Queue
from threading import Event, Thread
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")

_POLL_SECONDS = 0.1
_END = object()


def prefetch(items: Iterable[T], depth: int = 4) -> Generator[T, None, None]:
    """``items`` in their order, produced up to ``depth`` ahead by a thread of their own.

    An error of the producer is raised here, after the items before it. Close the generator
    (``contextlib.closing``) before closing what ``items`` reads from.
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
        while (item := queue.get()) is not _END:
            yield item  # type: ignore[misc]
        if failure:
            raise failure[0]
    finally:
        stop.set()
        thread.join()


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
