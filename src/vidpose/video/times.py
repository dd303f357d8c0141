"""Presentation times without gaps and without steps back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

FALLBACK_RATE = 30.0
"""Frames a second assumed where a source gives neither time stamps nor a rate."""

MAX_WAITING = 8
"""How many frames may wait for the next usable time stamp: bounds memory and delay."""

T = TypeVar("T")


def strictly_increasing(
    stamped: Iterable[tuple[float | None, T]], interval: float
) -> Iterator[tuple[float, T]]:
    """Give every item a time in seconds, strictly later than that of the item before it.

    A stamp later than the one before is kept exactly as it is. An item without a stamp, or with
    one that is not later (a duplicate, a step back), is spread evenly between its neighbours.
    At the beginning, at the end, and after ``MAX_WAITING`` such items in a row there is no
    neighbour on one side: then items follow each other by ``interval`` (seconds, positive),
    starting from 0 if there has been no stamp at all. Such a long row of steps back means that
    the source's clock has started anew; its later stamps are shifted to continue the old clock.
    """
    waiting: list[T] = []
    last: float | None = None
    shift = 0.0
    for stamp, item in stamped:
        time = None if stamp is None else stamp + shift
        if time is not None and (last is None or time > last):
            start = time - (len(waiting) + 1) * interval if last is None else last
            step = (time - start) / (len(waiting) + 1)
            for number, held in enumerate(waiting, 1):
                yield start + number * step, held
            yield time, item
            last = time
            waiting.clear()
            continue
        waiting.append(item)
        if len(waiting) == MAX_WAITING:
            start = -interval if last is None else last
            yield from _by_interval(waiting, start, interval)
            last = start + MAX_WAITING * interval
            waiting.clear()
            if stamp is not None:
                shift = last - stamp
    yield from _by_interval(waiting, -interval if last is None else last, interval)


def _by_interval(items: Iterable[T], start: float, interval: float) -> Iterator[tuple[float, T]]:
    for number, item in enumerate(items, 1):
        yield start + number * interval, item
