"""One live source from its newest frame to its records."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from vidpose.live.newest import Arrival, NewestFrames
from vidpose.live.records import LiveRecord
from vidpose.results import FrameResult
from vidpose.tracking import PoseStream
from vidpose.video import Frame

_RECENT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class LiveNumbers:
    """How it goes, over the last five seconds.

    ``rate``: frames analysed, a second. ``age_ms``, ``age_p95_ms``: median and 95th percentile
    of the records' age in milliseconds. ``dropped``: part of the arriving frames that was passed
    over, in [0, 1]. ``frames``, ``people``, ``connections``: analysed in all, in the newest
    frame, opened in all.
    """

    rate: float
    age_ms: float
    age_p95_ms: float
    dropped: float
    frames: int
    people: int
    connections: int


class LiveSession:
    """The people of a live source, frame by newest frame.

    session = LiveSession(NewestFrames("webcam:0"), PoseStream(model))
    for frame, record in session.records():
        print(record.result.time, record.age)
    """

    def __init__(self, frames: NewestFrames, stream: PoseStream) -> None:
        self._frames, self._stream = frames, stream
        self._recent: deque[tuple[float, LiveRecord]] = deque()
        self._clock = _Clock()
        self._analysed = 0
        self._connections = 1
        self._index = -1

    def records(
        self, should_stop: Callable[[], bool] = lambda: False
    ) -> Iterator[tuple[Frame, LiveRecord]]:
        """Frames and records until the source ends or ``should_stop``, asked twice a second."""
        while not (should_stop() or self._frames.ended):
            arrival = self._frames.take(timeout=0.5)
            if arrival is not None:
                yield arrival.frame, self._infer(arrival)

    def numbers(self) -> LiveNumbers:
        """How it goes; from any thread."""
        recent = [record for _, record in list(self._recent)]
        ages = [1000 * record.age for record in recent] or [0.0]
        passed_over = sum(record.dropped for record in recent)
        return LiveNumbers(
            rate=self._rate(),
            age_ms=float(np.median(ages)),
            age_p95_ms=float(np.percentile(ages, 95)),
            dropped=passed_over / max(1, passed_over + len(recent)),
            frames=self._analysed,
            people=len(recent[-1].result.people) if recent else 0,
            connections=self._connections,
        )

    def _infer(self, arrival: Arrival) -> LiveRecord:
        self._connections = arrival.connection
        self._index += 1 + arrival.dropped
        moment = self._clock.time_of(arrival)
        found = self._stream.step(arrival.frame.image, moment)
        result: FrameResult = replace(found, index=self._index, time=moment)
        now = time.monotonic()
        record = LiveRecord(result, now - arrival.arrived, arrival.dropped)
        self._analysed += 1
        self._recent.append((now, record))
        while self._recent[0][0] < now - _RECENT_SECONDS:
            self._recent.popleft()
        return record

    def _rate(self) -> float:
        recent = list(self._recent)
        if len(recent) < 2:
            return 0.0
        return (len(recent) - 1) / max(1e-6, recent[-1][0] - recent[0][0])


class _Clock:
    """Seconds since the first frame: the source's own time steps within a connection, the time
    that went by between two."""

    def __init__(self) -> None:
        self._connection = 0
        self._start = 0.0
        self._offset = 0.0
        self._last = -1.0

    def time_of(self, arrival: Arrival) -> float:
        if self._connection == 0:
            self._start = arrival.arrived
        if arrival.connection != self._connection:
            self._connection = arrival.connection
            self._offset = arrival.arrived - self._start - arrival.frame.time
        moment = max(arrival.frame.time + self._offset, self._last + 0.001)
        self._last = moment
        return moment
