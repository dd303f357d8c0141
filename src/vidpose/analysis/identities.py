"""Several ids of one person made one: by hand, or by a rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from vidpose.analysis.trajectories import Trajectory, person_trajectories
from vidpose.errors import VidposeError
from vidpose.results import FrameResult, Person


def merge_ids(frames: Sequence[FrameResult], merges: Mapping[int, int]) -> list[FrameResult]:
    """Give people other ids: ``merges`` maps an id to the id that it becomes; chains are followed.

    Raises VidposeError for an id that no frame has, a circle, or when two ids that become one
    are in the same frame.
    """
    known = {person.id for frame in frames for person in frame.people}
    final = {id: _follow(id, merges) for id in known}
    for old, new in merges.items():
        for id in (old, new):
            if id not in known:
                raise VidposeError(f"cannot merge ids {old}={new}: no frame has a person {id}")
    return [replace(frame, people=_renamed(frame, final)) for frame in frames]


def _follow(id: int, merges: Mapping[int, int]) -> int:
    seen = [id]
    while (next_id := merges.get(seen[-1], seen[-1])) != seen[-1]:
        if next_id in seen:
            raise VidposeError(f"cannot merge ids: {next_id} would become itself")
        seen.append(next_id)
    return seen[-1]


def _renamed(frame: FrameResult, final: Mapping[int, int]) -> tuple[Person, ...]:
    people: dict[int, Person] = {}
    for person in frame.people:
        new = final[person.id]
        if new in people:
            other = people[new].id
            raise VidposeError(
                f"cannot merge ids {other} and {person.id}: both are in frame {frame.index}"
            )
        people[new] = person
    renamed = (Person(id, each.score, each.box, each.keypoints) for id, each in people.items())
    return tuple(sorted(renamed, key=lambda person: person.id))


def find_merges(
    frames: Sequence[FrameResult],
    max_gap: float = 2.0,
    max_distance: float = 0.5,
    max_size_ratio: float = 1.4,
) -> dict[int, int]:
    """Ids that are likely one person, as ``merge_ids`` takes them.

    A later id goes on with an earlier one if it begins at most ``max_gap`` seconds after the
    earlier one ends, its first box lies within ``max_distance`` heights of where the earlier one's
    last box is, and their heights differ by at most a factor of ``max_size_ratio``. Each id has
    one successor at most; the shortest gap is joined first.
    """
    people = list(person_trajectories(frames).values())
    candidates = [
        (gap, before.id, after.id)
        for before in people
        for after in people
        if 0 < (gap := after.times[0] - before.times[-1]) <= max_gap
        and _alike(before, after, max_distance, max_size_ratio)
    ]
    merges: dict[int, int] = {}
    continued: set[int] = set()
    for _, before, after in sorted(candidates):
        if before not in continued and after not in merges:
            merges[after] = before
            continued.add(before)
    return merges


def _alike(before: Trajectory, after: Trajectory, distance: float, ratio: float) -> bool:
    a, b = before.boxes[-1], after.boxes[0]
    heights = sorted((a[3], b[3]))
    apart = np.hypot(*((a[:2] + a[2:] / 2) - (b[:2] + b[2:] / 2)))
    return bool(apart <= distance * heights[1] and heights[1] <= ratio * heights[0])


def without_short_visits(frames: Sequence[FrameResult], min_duration: float) -> list[FrameResult]:
    """Leave out who is seen for less than ``min_duration`` seconds, from first frame to last.

    Raises VidposeError when ``min_duration`` is negative.
    """
    if not min_duration >= 0:
        raise VidposeError(f"shortest visit must be at least 0 s, not {min_duration:g}")
    long = {
        id
        for id, each in person_trajectories(frames).items()
        if each.times[-1] - each.times[0] >= min_duration - 1e-6
    }
    return [
        replace(frame, people=tuple(person for person in frame.people if person.id in long))
        for frame in frames
    ]
