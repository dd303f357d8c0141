"""Overlapped stages: order, bounded memory, errors, and an end without threads left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from vidpose.threads import Background, prefetch


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def test_prefetch_keeps_the_order() -> None:
    assert list(prefetch((number for number in range(100)), depth=3)) == list(range(100))


def test_prefetch_runs_ahead_by_no_more_than_its_depth() -> None:
    produced = []

    def items() -> Iterator[int]:
        for number in range(50):
            produced.append(number)
            yield number

    with closing(prefetch(items(), depth=3)) as ahead:
        assert next(ahead) == 0
        time.sleep(0.3)
        assert 2 <= len(produced) <= 5  # one taken, three waiting, one in the producer's hands


def test_prefetch_raises_the_producers_error_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("broken")

    ahead = prefetch(items())
    assert [next(ahead), next(ahead)] == [1, 2]
    with pytest.raises(ValueError, match="broken"):
        next(ahead)


def test_prefetch_can_be_left_early() -> None:
    def items() -> Iterator[int]:
        while True:
            yield 0

    with closing(prefetch(items(), depth=2)) as ahead:
        next(ahead)


def test_prefetch_closes_what_the_generator_opened_when_left_early() -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            closed.set()

    with closing(prefetch(items(), depth=2)) as ahead:
        next(ahead)
    assert closed.is_set()


def test_prefetch_asks_whether_to_stop_also_while_it_waits() -> None:
    silence = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        silence.wait()

    start = time.monotonic()
    waited = lambda: time.monotonic() - start > 0.2  # noqa: E731
    assert list(prefetch(items(), should_stop=waited)) == [1]
    assert time.monotonic() - start < 1.5
    silence.set()
    time.sleep(0.2)


def test_background_handles_everything_in_order_before_leaving() -> None:
    seen: list[int] = []

    def slow(item: int) -> None:
        time.sleep(0.002)
        seen.append(item)

    with Background(slow, depth=2) as background:
        for number in range(30):
            background.put(number)
    assert seen == list(range(30))


def test_background_raises_the_handlers_error_on_leaving() -> None:
    def fail(item: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"), Background(fail) as background:
        background.put(1)


def test_background_raises_the_handlers_error_on_a_later_put() -> None:
    def fail(item: int) -> None:
        raise OSError(28, "No space left on device")

    puts = 0

    def put_many() -> None:
        nonlocal puts
        with Background(fail, depth=1) as background:
            for number in range(1000):
                background.put(number)
                puts += 1
                time.sleep(0.001)

    with pytest.raises(OSError, match="No space left"):
        put_many()
    assert puts < 1000


def test_background_drops_what_waits_when_left_by_an_error() -> None:
    seen: list[int] = []
    started = threading.Event()

    def slow(item: int) -> None:
        started.set()
        time.sleep(0.05)
        seen.append(item)

    def work() -> None:
        with Background(slow, depth=8) as background:
            for number in range(8):
                background.put(number)
            started.wait()
            raise KeyError("elsewhere")

    with pytest.raises(KeyError, match="elsewhere"):
        work()
    assert len(seen) < 8
