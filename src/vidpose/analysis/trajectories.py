"""One person over time as arrays, and back to frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vidpose.errors import VidposeError
from vidpose.results import FrameResult, Person

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Trajectory:
    """One person in all frames from the first to the last in which they were seen (T frames).

    ``times`` (T,) in seconds; ``positions`` (T,) where these frames stand in the list they came
    from; ``keypoints`` (T, K, 3) x, y in pixels and confidence; ``boxes`` (T, 4) x, y, width,
    height; ``scores`` (T,). Where the person or a keypoint is missing: NaN.
    """

    id: int
    times: Floats
    positions: NDArray[np.int64]
    keypoints: Floats
    boxes: Floats
    scores: Floats

    @property
    def present(self) -> NDArray[np.bool_]:
        """(T,) the frames in which the person was found."""
        return np.isfinite(self.scores)


def person_trajectories(frames: Sequence[FrameResult]) -> dict[int, Trajectory]:
    """Every person's trajectory by id, ids in ascending order.

    Raises VidposeError when times do not rise, an id comes twice in a frame, or a person's number
    of keypoints changes.
    """
    times = np.array([frame.time for frame in frames], dtype=np.float64)
    falls = np.flatnonzero(np.diff(times) <= 0)
    if falls.size:
        at = int(falls[0]) + 1
        raise VidposeError(f"frame {frames[at].index} at {times[at]} s: times must rise")
    seen: dict[int, dict[int, Person]] = {}
    for position, frame in enumerate(frames):
        for person in frame.people:
            if position in seen.setdefault(person.id, {}):
                raise VidposeError(f"frame {frame.index}: id {person.id} comes twice")
            seen[person.id][position] = person
    return {id: _trajectory(id, seen[id], times) for id in sorted(seen)}


def _trajectory(id: int, people: Mapping[int, Person], times: Floats) -> Trajectory:
    first, last = min(people), max(people)
    counts = {len(person.keypoints) for person in people.values()}
    if len(counts) > 1:
        raise VidposeError(f"person {id}: {' and '.join(map(str, sorted(counts)))} keypoints")
    length = last - first + 1
    keypoints = np.full((length, counts.pop(), 3), np.nan)
    boxes, scores = np.full((length, 4), np.nan), np.full(length, np.nan)
    for position, person in people.items():
        row = position - first
        keypoints[row], boxes[row], scores[row] = person.keypoints, person.box, person.score
    positions = np.arange(first, last + 1)
    return Trajectory(id, times[first : last + 1], positions, keypoints, boxes, scores)


def with_trajectories(
    frames: Sequence[FrameResult], trajectories: Iterable[Trajectory]
) -> list[FrameResult]:
    """``frames`` with the people of ``trajectories`` instead, in the order of their ids."""
    people: list[list[Person]] = [[] for _ in frames]
    for trajectory in sorted(trajectories, key=lambda each: each.id):
        for row in np.flatnonzero(trajectory.present):
            people[int(trajectory.positions[row])].append(_person(trajectory, int(row)))
    return [
        replace(frame, people=tuple(found)) for frame, found in zip(frames, people, strict=True)
    ]


def _person(trajectory: Trajectory, row: int) -> Person:
    points = trajectory.keypoints[row].copy()
    points[np.isnan(points[:, 0])] = (np.nan, np.nan, 0)
    return Person(trajectory.id, trajectory.scores[row], trajectory.boxes[row], points)


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """[start, end) of every stretch of true values in ``mask`` (T,)."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]
