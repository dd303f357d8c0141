"""Ids of people whom a tracker finds anew in every frame."""

from __future__ import annotations

from collections.abc import Sequence

from vidpose.inference.pose import Pose
from vidpose.tracking.base import Sighting
from vidpose.tracking.one_euro import OneEuroFilter
from vidpose.tracking.reinit_policy import Body, Judge
from vidpose.tracking.settings import SmoothingSettings, TrackerSettings


class Roster:
    """Gives out ids, counted up from 1, and says who is reported."""

    def __init__(
        self,
        body: Body,
        settings: TrackerSettings,
        smoothing: SmoothingSettings,
        max_people: int | None,
    ) -> None:
        self._judge = Judge(body, settings)
        self._smoothing = smoothing
        self._max_people = max_people
        self._smoothers: dict[int, OneEuroFilter] = {}
        self._here: frozenset[int] = frozenset()
        self._next_id = 1

    def admit(self, poses: Sequence[Pose], ids: Sequence[int | None]) -> list[int | None]:
        """Ids of a frame's poses, given those that are known (None: a stranger).

        A stranger gets an id where the pose is good enough for somebody new. Nobody is reported
        (None) beyond `max_people`; who was in the previous frame goes first, then who was before.
        """
        known = [index for index, id in enumerate(ids) if id is not None]
        known.sort(key=lambda index: (ids[index] not in self._here, ids[index]))
        strangers = [index for index, id in enumerate(ids) if id is None]
        strangers.sort(key=lambda index: -poses[index].score)
        given: list[int | None] = [None] * len(poses)
        followed: list[Pose] = []
        for index in known + strangers:
            full = self._max_people is not None and len(followed) >= self._max_people
            new = ids[index] is None
            if full or (new and not self._judge.is_somebody(poses[index], followed)):
                continue
            given[index] = self._new_id() if new else ids[index]
            followed.append(poses[index])
        self._here = frozenset(id for id in given if id is not None)
        return given

    def sightings(self, poses: Sequence[Pose], ids: Sequence[int | None]) -> list[Sighting]:
        """The reported ones of a frame's poses, with their filters."""
        return [
            Sighting(id, pose, self._smoothers[id])
            for pose, id in zip(poses, ids, strict=True)
            if id is not None
        ]

    def forget(self, alive: set[int]) -> None:
        """Drop the filters of everybody else than those who may come back."""
        kept = alive | self._here
        self._smoothers = {id: each for id, each in self._smoothers.items() if id in kept}

    def _new_id(self) -> int:
        id = self._next_id
        self._next_id += 1
        self._smoothers[id] = OneEuroFilter(self._smoothing)
        return id
