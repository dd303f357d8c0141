"""Joint and segment angles in degrees, in the picture's plane.

Names and zero positions are those of Sports2D (Pagnon and Kim, JOSS 2024): a person who stands
upright with hanging arms has 0 in every joint. What matters is the person's own direction, not the
camera's: flexion is positive whichever way they face.

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

from vidpose.results import FrameResult
from vidpose.skeleton import Skeleton

_Ends = tuple[tuple[str, ...], tuple[str, ...]]
"""A segment: the keypoints whose mean is its start, and those whose mean is its end."""

_HIPS, _SHOULDERS = ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")


@dataclass(frozen=True, slots=True)
class _JointAngle:
    """The turn from ``first`` to ``second``, anticlockwise for a person who faces right."""

    name: str
    first: _Ends
    second: _Ends
    offset: float = 0.0
    sign: int = 1

    def degrees(self, points: dict[str, NDArray[np.float64]], facing: float) -> float:
        ux, uy = _vector(points, self.first)
        vx, vy = _vector(points, self.second)
        turn = math.atan2(-(ux * vy - uy * vx), ux * vx + uy * vy)  # y points downwards
        return _wrapped(self.sign * facing * math.degrees(turn) + self.offset)


@dataclass(frozen=True, slots=True)
class _SegmentAngle:
    name: str
    segment: _Ends

    def degrees(self, points: dict[str, NDArray[np.float64]]) -> float:
        x, y = _vector(points, self.segment)
        return _wrapped(math.degrees(math.atan2(-y, x)))


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
    keypoints: NDArray[np.floating], skeleton: Skeleton, facing: float, min_confidence: float = 0.3
) -> NDArray[np.float64]:
    """The angles of ``angle_names`` in degrees, for one person in one frame.

    ``keypoints`` (K, 3) x, y, confidence. ``facing``: 1 where the person faces right in the
    picture, -1 left (`facing_sign`). NaN where a keypoint is missing or less confident than
    ``min_confidence``, or two that span a segment are one point.
    """
    points = {
        name: point[:2].astype(np.float64)
        for name, point in zip(skeleton.keypoints, keypoints, strict=True)
        if point[2] >= min_confidence and np.isfinite(point[0])
    }
    found = []
    for angle in _angles(skeleton):
        try:
            if isinstance(angle, _JointAngle):
                found.append(angle.degrees(points, facing))
            else:
                found.append(angle.degrees(points))
        except KeyError:
            found.append(math.nan)
    return np.array(found)


class AngleColumns:
    """Angles as further columns of a result table, frame by frame.

    Which way a person faces is their feet's matter (toes to the left of the heels: left), else
    their nose's against their ears, else their knees', which bend forwards; it is averaged over
    about half a second, so that it does not change with every frame in a view from the front.
    """

    def __init__(self, skeleton: Skeleton) -> None:
        self.names = angle_names(skeleton)
        self._skeleton = skeleton
        self._facing: dict[int, tuple[float, float]] = {}  # id -> time, averaged direction

    def rows(self, result: FrameResult) -> list[list[float]]:
        """The values of ``names`` for every person of the frame, in their order."""
        return [
            person_angles(
                person.keypoints,
                self._skeleton,
                self._direction(person.id, person.keypoints, result.time),
            ).tolist()
            for person in result.people
        ]

    def _direction(self, id: int, keypoints: NDArray[np.floating], time: float) -> float:
        seen = facing_direction(keypoints, self._skeleton)
        before, average = self._facing.get(id, (time, 0.0 if math.isnan(seen) else seen))
        if not math.isnan(seen):
            weight = 1 - math.exp(-max(time - before, 0.0) / 0.5)
            average += weight * (seen - average)
        self._facing[id] = (time, average)
        return -1.0 if average < 0 else 1.0


def facing_direction(keypoints: NDArray[np.floating], skeleton: Skeleton) -> float:
    """How far a person faces right (positive) or left (negative), in trunk lengths; NaN if unknown.

    ``keypoints`` (K, 3) x, y, confidence.
    """
    points = {
        name: point[:2].astype(np.float64)
        for name, point in zip(skeleton.keypoints, keypoints, strict=True)
        if point[2] > 0 and np.isfinite(point[0])
    }
    try:
        length = math.hypot(*_vector(points, (_HIPS, _SHOULDERS)))
    except KeyError:
        return math.nan
    for behind, ahead in _FORWARDS:
        ways = [
            (points[end] - np.mean([points[name] for name in start], axis=0))[0]
            for start, end in zip(behind, ahead, strict=True)
            if end in points and all(name in points for name in start)
        ]
        if ways:
            return float(np.mean(ways)) / length
    return math.nan


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


def _vector(points: dict[str, NDArray[np.float64]], ends: _Ends) -> tuple[float, float]:
    """x, y from the start to the end of a segment. Raises KeyError where there is none."""
    start, end = (np.mean([points[name] for name in names], axis=0) for names in ends)
    x, y = (end - start).tolist()
    if x == 0 and y == 0:
        raise KeyError(ends)
    return x, y


def _wrapped(degrees: float) -> float:
    """The same angle in (-180, 180]."""
    return 180 - (180 - degrees) % 360
