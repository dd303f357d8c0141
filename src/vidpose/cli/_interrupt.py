"""Ctrl-C and termination at a safe point: outputs are either finished or removed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
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
    numbers = [signal.SIGINT, signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        numbers.append(hangup)
    previous = {number: signal.signal(number, request._receive) for number in numbers}
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
