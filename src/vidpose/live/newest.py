"""Reading a live source: the newest frame only, and again after it went away."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Event, Thread

from vidpose.errors import InputError
from vidpose.video import Frame, VideoReader
from vidpose.video.sources import is_stream

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0  # seconds between attempts to open a lost source


@dataclass(frozen=True, slots=True)
class Arrival:
    """A decoded frame. ``arrived``: `time.monotonic()` when it was; ``connection``: how often the
    source had been opened, from 1; ``dropped``: frames that were not taken since the one before."""

    frame: Frame
    arrived: float
    connection: int
    dropped: int


class NewestFrames:
    """Decodes a source on a thread of its own and keeps its newest frame alone.

    A webcam or an address is opened again when it ends or fails, after .5, 1, 2, ... at most 10
    seconds; ``say`` is told of it. A file is played at its own speed, once, or for ever with
    ``loop``. Whoever reads slowly gets fewer frames, never older ones.

    Raises InputError at construction when the source cannot be opened the first time.
    """

    def __init__(
        self, source: str | Path, *, loop: bool = False, say: Callable[[str], object] = print
    ) -> None:
        self._source, self._loop, self._say = source, loop, say
        self._live = is_stream(source)
        self._changed = Condition()
        self._newest: Arrival | None = None
        self._dropped = 0
        self._stop = Event()
        self._ended = False
        first = VideoReader(source)
        self.info = first.info
        self._thread = Thread(target=self._run, args=(first,), name="newest-frames", daemon=True)
        self._thread.start()

    def take(self, timeout: float) -> Arrival | None:
        """The newest frame not taken before; waits for it up to ``timeout`` seconds, else None."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._ended, timeout)
            newest, self._newest = self._newest, None
            return newest

    @property
    def ended(self) -> bool:
        """Whether no more frames will come."""
        return self._ended and self._newest is None

    def close(self) -> None:
        """Stop reading. A source that does not answer is left to end by itself."""
        self._stop.set()
        self._thread.join(timeout=1.0)

    def _run(self, reader: VideoReader | None) -> None:
        connection, pause = 1, _FIRST_PAUSE
        while not self._stop.is_set():
            try:
                with reader or VideoReader(self._source) as opened:
                    reader = None
                    if self._pass_on(opened, connection):
                        pause = _FIRST_PAUSE
                trouble = "the source ended"
            except InputError as error:
                trouble = str(error)
            if not self._live and not self._loop:
                break
            gc.collect()  # a closed container lies in reference cycles with its large buffers
            connection += 1
            if self._live:
                self._say(f"{trouble}; opening it again in {pause:g} s")
                self._stop.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _pass_on(self, reader: VideoReader, connection: int) -> bool:
        """Hand over frames until the source ends; whether there was one."""
        start: tuple[float, float] | None = None
        for frame in reader:
            if self._stop.is_set():
                return True
            if frame.damaged:
                continue
            now = time.monotonic()
            start = start or (now, frame.time)
            if not self._live:  # a file is played, not raced through
                due = start[0] + frame.time - start[1]
                self._stop.wait(max(0.0, due - now))
            self._offer(frame, connection)
        return start is not None

    def _offer(self, frame: Frame, connection: int) -> None:
        with self._changed:
            self._dropped = self._dropped + 1 if self._newest is not None else 0
            self._newest = Arrival(frame, time.monotonic(), connection, self._dropped)
            self._changed.notify_all()
