"""A second opinion on new people: drawings, posters and shadows score low for longer than people.

Whoever is new stays unconfirmed until a second of theirs has a high median score. Frames wait for
about that long before they are passed on, so that a person who is confirmed is there from their
first frame. What keeps scoring low is left out, and uses up no id.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from vidpose.results import FrameResult, Person
from vidpose.video import Frame
from vidpose.words import counted

WINDOW = 1.0
"""Seconds whose median score decides."""

LONGEST_WAIT = 1.5
"""Seconds that a frame waits at most."""

CONFIRM_SCORE = 0.6
"""The default median score asked of newcomers where confidences are calibrated."""

_SHORTEST = 0.4  # seconds; less of a person says nothing while they are still in view
_MOST_BYTES = 256_000_000  # of waiting pictures


@dataclass(slots=True)
class _Newcomer:
    """What is known of an id so far: the scores of the last second."""

    first: float
    scores: deque[tuple[float, float]] = field(default_factory=deque)

    def median(self) -> float:
        return float(np.median([score for _, score in self.scores]))


class Confirmation:
    """Holds frames back until it is known who in them is confirmed.

    Args:
        min_score: median score that a newcomer must reach over a second; 0 takes everybody.
        min_duration: seconds from the first to the last frame that a person must have, at most
            1.5; whoever is seen for less is left out.

    Ids are counted from 1, in the order in which people appear in the frames passed on.

    With both at 0 every frame passes at once.
    """

    def __init__(self, min_score: float, min_duration: float = 0.0) -> None:
        self._min_score, self._min_duration = min_score, min_duration
        self._waiting: deque[tuple[Frame, FrameResult]] = deque()
        self._bytes = 0
        self._newcomers: dict[int, _Newcomer] = {}
        self._confirmed: set[int] = set()
        self._last: dict[int, float] = {}
        self._left_out: dict[int, bool] = {}  # by id, whether they had lasted
        self._ids: dict[int, int] = {}

    def push(self, frame: Frame, result: FrameResult) -> Iterator[tuple[Frame, FrameResult]]:
        """Take the next frame; gives those, in order, that need not wait any longer."""
        if not self._min_score and not self._min_duration:
            yield frame, self._numbered(result, result.people)
            return
        self._waiting.append((frame, result))
        self._bytes += frame.image.nbytes
        self._update(result)
        while self._waiting and self._has_waited(result.time):
            yield self._release()

    def finish(self) -> Iterator[tuple[Frame, FrameResult]]:
        """The frames that still wait, at the end of the video."""
        for id in list(self._newcomers):
            self._decide(id, ended=True)
        for id in list(self._newcomers):
            self._leave_out(id)
        while self._waiting:
            yield self._release()

    def _update(self, result: FrameResult) -> None:
        present = {person.id: person.score for person in result.people}
        for id, score in present.items():
            if id in self._confirmed:
                continue
            newcomer = self._newcomers.setdefault(id, _Newcomer(result.time))
            newcomer.scores.append((result.time, score))
            while newcomer.scores[0][0] < result.time - WINDOW:
                newcomer.scores.popleft()
            self._last[id] = result.time
            self._decide(id, ended=False)
        for id in self._newcomers.keys() - present.keys():
            self._decide(id, ended=True)
            if id in self._last and self._last[id] < result.time - LONGEST_WAIT:
                self._leave_out(id)

    def _decide(self, id: int, *, ended: bool) -> None:
        newcomer = self._newcomers[id]
        seen = self._last[id] - newcomer.scores[0][0]
        if (
            self._has_lasted(id)
            and (ended or seen >= _SHORTEST)
            and newcomer.median() >= self._min_score
        ):
            self._confirmed.add(id)
            self._forget(id)

    def _has_lasted(self, id: int) -> bool:
        return self._last[id] - self._newcomers[id].first >= self._min_duration - 1e-6

    def _leave_out(self, id: int) -> None:
        self._left_out[id] = self._has_lasted(id)
        self._forget(id)

    @property
    def warnings(self) -> list[str]:
        """Who was left out, a line for each reason; complete after `finish`."""
        lasted = [value for id, value in self._left_out.items() if id not in self._confirmed]
        unsure, brief = sum(lasted), len(lasted) - sum(lasted)
        found = []
        if unsure:
            found.append(
                f"left out: {counted(unsure, 'person', 'people')} seen but never surely enough "
                f"(a median score of {self._min_score:g} over a second; --confirm-score 0 keeps "
                "everybody)"
            )
        if brief:
            found.append(
                f"left out: {counted(brief, 'person', 'people')} seen for less than "
                f"{self._min_duration:g} s (--min-duration)"
            )
        return found

    def _forget(self, id: int) -> None:
        del self._newcomers[id]
        del self._last[id]

    def _has_waited(self, now: float) -> bool:
        return self._waiting[0][1].time <= now - LONGEST_WAIT or self._bytes > _MOST_BYTES

    def _release(self) -> tuple[Frame, FrameResult]:
        frame, result = self._waiting.popleft()
        self._bytes -= frame.image.nbytes
        return frame, self._numbered(result, [p for p in result.people if p.id in self._confirmed])

    def _numbered(self, result: FrameResult, people: Sequence[Person]) -> FrameResult:
        for person in people:
            self._ids.setdefault(person.id, len(self._ids) + 1)
        if all(self._ids[person.id] == person.id for person in people):
            return replace(result, people=tuple(people))
        renamed = [replace(person, id=self._ids[person.id]) for person in people]
        return replace(result, people=tuple(sorted(renamed, key=lambda person: person.id)))
