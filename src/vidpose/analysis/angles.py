"""Joint and segment angles in degrees, in the picture's plane.

Names and zero positions are those of Sports2D (Pagnon and Kim, JOSS 2024): a person who stands
upright with hanging arms has 0 in every joint. What matters is the person's own direction, not the
camera's: flexion is positive whichever way they face. Who faces neither left nor right keeps the
side last seen clearly (`FacingSide`).

| angle | between | zero, and sign |
|---|---|---|
| ankle_dorsiflexion | shank, foot | 0 at a right angle, above with raised toes, -90 in line |
| knee_flexion | thigh, shank | 0 when straight, positive when the shank is bent backwards |
| hip_flexion | trunk, thigh | 0 in one line, positive when the thigh is raised forwards |
| shoulder_flexion | trunk, arm | 0 when the arm hangs, positive forwards, 180 when it is overhead |
| elbow_flexion | arm, forearm | 0 when straight, positive when bent forwards |

Segment angles are measured anticlockwise, as the picture shows it, from the horizontal to the
segment: 90 for an upright trunk, thigh or shank (from its lower end), 0 for a foot that points to
the right, 0 for a level pelvis or level shoulders seen from behind (from the person's left side to
the right). All are in (-180, 180]. They are true angles only where the movement lies in the
picture's plane.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidpose.analysis.trajectories import Floats
from vidpose.results import FrameResult
from vidpose.skeleton import Skeleton

_Ends = tuple[tuple[str, ...], tuple[str, ...]]
"""A segment: the keypoints whose mean is its start, and those whose mean is its end."""

_Points = dict[str, Floats]
"""(..., 2) places of the keypoints of a skeleton by name; NaN where they are missing."""

_HIPS, _SHOULDERS = ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")


@dataclass(frozen=True, slots=True)
class _JointAngle:
    """The turn from ``first`` to ``second``, anticlockwise for a person who faces right."""

    name: str
    first: _Ends
    second: _Ends
    offset: float = 0.0
    sign: int = 1

    def degrees(self, points: _Points, facing: Floats) -> Floats:
        ux, uy = _vector(points, self.first)
        vx, vy = _vector(points, self.second)
        turn = np.arctan2(-(ux * vy - uy * vx), ux * vx + uy * vy)  # y points downwards
        return _wrapped(self.sign * facing * np.degrees(turn) + self.offset)


@dataclass(frozen=True, slots=True)
class _SegmentAngle:
    name: str
    segment: _Ends

    def degrees(self, points: _Points, facing: Floats) -> Floats:
        x, y = _vector(points, self.segment)
        return _wrapped(np.degrees(np.arctan2(-y, x)))


def _joint_angles(side: str) -> tuple[_JointAngle, ...]:
    def at(start: str, end: str) -> _Ends:
        return (f"{side}_{start}",), (f"{side}_{end}",)

    return (
        _JointAngle(f"{side}_ankle_dorsiflexion", at("knee", "ankle"), at("heel", "big_toe"), -90),
        _JointAngle(f"{side}_knee_flexion", at("hip", "knee"), at("knee", "ankle"), sign=-1),
        _JointAngle(f"{side}_hip_flexion", at("shoulder", "hip"), at("hip", "knee")),
        _JointAngle(f"{side}_shoulder_flexion", at("shoulder", "hip"), at("shoulder", "elbow")),
        _JointAngle(f"{side}_elbow_flexion", at("shoulder", "elbow"), at("elbow", "wrist")),
    )


def _segment_angles(side: str) -> tuple[_SegmentAngle, ...]:
    ends = {
        "foot": ("heel", "big_toe"),
        "shank": ("ankle", "knee"),
        "thigh": ("knee", "hip"),
        "arm": ("elbow", "shoulder"),
        "forearm": ("wrist", "elbow"),
    }
    return tuple(
        _SegmentAngle(f"{side}_{name}_angle", ((f"{side}_{start}",), (f"{side}_{end}",)))
        for name, (start, end) in ends.items()
    )


_JOINTS = (*_joint_angles("left"), *_joint_angles("right"))
_SEGMENTS = (
    *_segment_angles("left"),
    *_segment_angles("right"),
    _SegmentAngle("pelvis_angle", (_HIPS[:1], _HIPS[1:])),
    _SegmentAngle("shoulders_angle", (_SHOULDERS[:1], _SHOULDERS[1:])),
    _SegmentAngle("trunk_angle", (_HIPS, _SHOULDERS)),
    _SegmentAngle("head_angle", (("neck",), ("head_top",))),
)


def angle_names(skeleton: Skeleton) -> tuple[str, ...]:
    """Names of the angles that the keypoints of ``skeleton`` allow, joints first."""
    return tuple(each.name for each in _angles(skeleton))


def person_angles(
    keypoints: NDArray[np.floating],
    skeleton: Skeleton,
    facing: float | Floats,
    min_confidence: float = 0.3,
) -> Floats:
    """The A angles of ``angle_names`` in degrees: (..., A), for one frame or for many.

    ``keypoints`` (..., K, 3) x, y, confidence. ``facing`` (...): 1 where the person faces right in
    the picture, -1 left (`facing_signs`). NaN where a keypoint is missing or less confident than
    ``min_confidence``, or two that span a segment are one point. Raises InputError for keypoints of
    another skeleton.
    """
    points = _places(keypoints, skeleton, min_confidence)
    signs = np.broadcast_to(np.asarray(facing, dtype=np.float64), keypoints.shape[:-2])
    found = [angle.degrees(points, signs) for angle in _angles(skeleton)]
    return np.stack(found, axis=-1) if found else np.zeros((*keypoints.shape[:-2], 0))


def facing_signs(times: Floats, keypoints: NDArray[np.floating], skeleton: Skeleton) -> Floats:
    """(T,) 1 where a person faces right in the picture, -1 left, over one trajectory.

    ``times`` (T,) in seconds, ``keypoints`` (T, K, 3). See `FacingSide` for the rule.
    """
    side = FacingSide()
    directions = facing_direction(keypoints, skeleton)
    return np.array([side.add(*each) for each in zip(times, directions, strict=True)])


class FacingSide:
    """Which way one person faces, averaged over about half a second.

    The side changes only when the average is clearly on the other one: seen from the front or from
    behind a person has no side, and with every change angles would jump from one sign to the
    other. It looks at no later frame, so a running camera gives the same as a file.
    """

    def __init__(self) -> None:
        self._time: float | None = None
        self._average = 0.0
        self._side = 0.0

    def add(self, time: float, direction: float) -> float:
        """Take a frame's ``facing_direction`` (NaN: not known); returns 1 (right) or -1."""
        if not math.isnan(direction):
            weight = 1.0
            if self._time is not None:
                weight = 1 - math.exp(-max(time - self._time, 0.0) / _FACING_SECONDS)
            self._average += weight * (direction - self._average)
            self._time = time
            if not self._side or self._average * self._side < -_CLEAR:
                self._side = -1.0 if self._average < 0 else 1.0
        return self._side or 1.0


class AngleColumns:
    """Angles as further columns of a result table, frame by frame."""

    def __init__(self, skeleton: Skeleton) -> None:
        self.names = angle_names(skeleton)
        self._skeleton = skeleton
        self._sides: dict[int, FacingSide] = {}

    def rows(self, result: FrameResult) -> list[list[float]]:
        """The values of ``names`` for every person of the frame, in their order."""
        if not result.people:
            return []
        keypoints = np.stack([person.keypoints for person in result.people])
        directions = facing_direction(keypoints, self._skeleton)
        signs = [
            self._sides.setdefault(person.id, FacingSide()).add(result.time, direction)
            for person, direction in zip(result.people, directions.tolist(), strict=True)
        ]
        rows: list[list[float]] = person_angles(keypoints, self._skeleton, np.array(signs)).tolist()
        return rows


def facing_direction(keypoints: NDArray[np.floating], skeleton: Skeleton) -> Floats:
    """How far people face right (positive) or left (negative), in trunk lengths; NaN if unknown.

    ``keypoints`` (..., K, 3) x, y, confidence -> (...). Toes against heels say it, else the nose
    against the ears, else the knees, which bend forwards.
    """
    points = _places(keypoints, skeleton, 0.01)
    direction = np.full(keypoints.shape[:-2], np.nan)
    if not set(points).issuperset((*_HIPS, *_SHOULDERS)):
        return direction
    length = np.hypot(*_vector(points, (_HIPS, _SHOULDERS)))
    for behind, ahead in _FORWARDS:
        ways = [
            points[end][..., 0] - np.mean([points[name][..., 0] for name in start], axis=0)
            for start, end in zip(behind, ahead, strict=True)
            if set(points).issuperset((end, *start))
        ]
        if ways:
            known = np.isfinite(ways)
            mean = np.where(known, ways, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
            mean = np.where(known.any(axis=0), mean / length, np.nan)
            direction = np.where(np.isnan(direction), mean, direction)
    return direction


_FACING_SECONDS = 0.5
_CLEAR = 0.08  # trunk lengths of `facing_direction`; about .2 is a profile

_FORWARDS: tuple[tuple[Sequence[tuple[str, ...]], Sequence[str]], ...] = (
    ((("left_heel",), ("right_heel",)), ("left_big_toe", "right_big_toe")),
    ((("left_ear", "right_ear"),), ("nose",)),
    (
        (("left_hip", "left_ankle"), ("right_hip", "right_ankle")),
        ("left_knee", "right_knee"),
    ),
)


def _angles(skeleton: Skeleton) -> list[_JointAngle | _SegmentAngle]:
    known = set(skeleton.keypoints)
    joints = [
        angle for angle in _JOINTS if known.issuperset(sum((*angle.first, *angle.second), ()))
    ]
    segments = [angle for angle in _SEGMENTS if known.issuperset(sum(angle.segment, ()))]
    return [*joints, *segments]


def _places(keypoints: NDArray[np.floating], skeleton: Skeleton, min_confidence: float) -> _Points:
    skeleton.check_keypoints(keypoints)
    places = keypoints[..., :2].astype(np.float64)
    places[~(keypoints[..., 2] >= min_confidence)] = np.nan
    return {name: places[..., index, :] for index, name in enumerate(skeleton.keypoints)}


def _vector(points: _Points, ends: _Ends) -> tuple[Floats, Floats]:
    """x, y (...) from the start to the end of a segment; NaN where it has no length."""
    start, end = (np.mean([points[name] for name in names], axis=0) for names in ends)
    way = end - start
    way[(way == 0).all(axis=-1)] = np.nan
    return way[..., 0], way[..., 1]


def _wrapped(degrees: Floats) -> Floats:
    """The same angles in (-180, 180]."""
    return np.asarray(180 - (180 - degrees) % 360)
