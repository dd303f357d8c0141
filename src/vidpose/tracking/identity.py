"""Ids for trackers that find people anew in every frame."""

from __future__ import annotations

from collections.abc import Sequence

from vidpose.inference.pose import Pose
from vidpose.tracking.base import TrackedPose, TrackerSetup
from vidpose.tracking.one_euro import OneEuroFilter
from vidpose.tracking.reinit_policy import ReinitPolicy


class IdentityAssigner:
    """Assigns ids, counted up from 1, and decides which poses are reported."""

    def __init__(self, setup: TrackerSetup) -> None:
        self._policy = ReinitPolicy(setup.traits, setup.settings)
        self._smoothing = setup.smoothing
        self._max_people = setup.max_people
        self._smoothers: dict[int, OneEuroFilter] = {}
        self._previous: frozenset[int] = frozenset()
        self._next_id = 1

    def assign(self, poses: Sequence[Pose], ids: Sequence[int | None]) -> list[int | None]:
        """Ids of a frame's poses, given those that are known (None: an unmatched pose).

        An unmatched pose gets an id where it is good enough to start a track. A pose beyond
        `max_people` is not reported (None); ids of the previous frame go first, then older ones.
        """
        known = [index for index, id in enumerate(ids) if id is not None]
        known.sort(key=lambda index: (ids[index] not in self._previous, ids[index]))
        unmatched = [index for index, id in enumerate(ids) if id is None]
        unmatched.sort(key=lambda index: -poses[index].score)
        assigned: list[int | None] = [None] * len(poses)
        tracked: list[Pose] = []
        for index in known + unmatched:
            full = self._max_people is not None and len(tracked) >= self._max_people
            new = ids[index] is None
            if full or (new and not self._policy.can_start_track(poses[index], tracked)):
                continue
            assigned[index] = self._new_id() if new else ids[index]
            tracked.append(poses[index])
        self._previous = frozenset(id for id in assigned if id is not None)
        return assigned

    def tracked_poses(self, poses: Sequence[Pose], ids: Sequence[int | None]) -> list[TrackedPose]:
        """The reported ones of a frame's poses, with their filters."""
        return [
            TrackedPose(id, pose, self._smoothers[id])
            for pose, id in zip(poses, ids, strict=True)
            if id is not None
        ]

    def retain(self, ids: set[int]) -> None:
        """Drop all filters but those of the previous frame and of `ids`, who may come back."""
        kept = ids | self._previous
        self._smoothers = {id: each for id, each in self._smoothers.items() if id in kept}

    def _new_id(self) -> int:
        id = self._next_id
        self._next_id += 1
        self._smoothers[id] = OneEuroFilter(self._smoothing)
        return id


class MemorylessTracker:
    """What trackers that find people anew in every frame have in common."""

    def __init__(self, setup: TrackerSetup) -> None:
        self._traits = setup.traits
        self._settings = setup.settings
        self._identities = IdentityAssigner(setup)
        self._size = (0, 0)
