"""Ctrl-C and termination at a safe point: outputs are either finished or removed."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(Exception):
    """The user (or the system) asked to stop."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(signal_number).name}")
        self.exit_code = 128 + signal_number


class StopRequest:
    """Remembers the first signal; ``check`` raises Interrupted once there was one."""

    def __init__(self) -> None:
        self._signal: int | None = None

    @property
    def requested(self) -> bool:
        return self._signal is not None

    def check(self) -> None:
        if self._signal is not None:
            raise Interrupted(self._signal)

    def _receive(self, signal_number: int, frame: FrameType | None) -> None:
        if self._signal is not None:  # asked twice: do not wait for the safe point
            raise Interrupted(signal_number)
        self._signal = signal_number


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Within the block SIGINT, SIGTERM and SIGHUP (a closed terminal) are noted instead of striking
    anywhere. Under nohup, which lets SIGHUP be ignored, it stays so.

    A second signal strikes at once.
    """
    request = StopRequest()
    with _handled([signal.SIGINT, *_terminations()], request._receive):
        yield request


@contextmanager
def end_on_termination() -> Iterator[None]:
    """Within the block SIGTERM and SIGHUP raise SystemExit where they strike, as Ctrl-C raises
    KeyboardInterrupt, so that what is unfinished is removed on the way out."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    with _handled(_terminations(), end):
        yield


def _terminations() -> list[signal.Signals]:
    """SIGTERM and SIGHUP, which Windows has not, and which nohup lets be ignored."""
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is None or signal.getsignal(hangup) is signal.SIG_IGN:
        return [signal.SIGTERM]
    return [signal.SIGTERM, hangup]


@contextmanager
def _handled(
    numbers: list[signal.Signals], handler: Callable[[int, FrameType | None], None]
) -> Iterator[None]:
    previous = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)
