"""Metres from pixels, by the known height of one person, and the floor they stand on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import theilslopes

from vidpose.analysis.speeds import keypoint_speeds
from vidpose.analysis.trajectories import Floats, Trajectory, person_trajectories
from vidpose.errors import VidposeError
from vidpose.results import FrameResult
from vidpose.skeleton import Skeleton

_BODY = 0.246 + 0.245 + 0.288
"""Shank, thigh, and trunk from hip to shoulder, as parts of the height (Drillis and Contini 1966,
in Winter, Biomechanics and Motor Control of Human Movement, figure 4.1)."""

_ANKLE_HEIGHT = 0.039
_FEET = ("left_heel", "right_heel", "left_big_toe", "right_big_toe")
_ANKLES = ("left_ankle", "right_ankle")


def metres_per_pixel(
    frames: Sequence[FrameResult], skeleton: Skeleton, height: float, person: int | None = None
) -> float:
    """Metres that one pixel is wide at the person's distance from the camera.

    ``height`` in metres is that of ``person`` (an id; by default whoever is seen longest). Their
    length in pixels is that of shank, thigh and trunk together, which make up .779 of the height
    of an average adult; a limb that points at the camera looks short, so the upper quartile over
    all frames counts. It holds in one plane: for people nearer or farther away it does not.

    Raises VidposeError when the person, or these keypoints of theirs, are in no frame, ``height``
    is not positive, or the keypoints are another skeleton's.
    """
    if not 0 < height < 3:
        raise VidposeError(f"a person's height must be between 0 and 3 metres, not {height:g}")
    lengths = _body_lengths(chosen_person(frames, person), skeleton)
    if not lengths.size:
        raise VidposeError(
            "no scale: in no frame are a shoulder, hip, knee and ankle of one side in view"
        )
    return height * _BODY / float(np.quantile(lengths, 0.75))


def chosen_person(frames: Sequence[FrameResult], person: int | None) -> Trajectory:
    """The trajectory of ``person``, or of whoever is in most frames.

    Raises VidposeError when there is no person, or not this id.
    """
    people = person_trajectories(frames)
    if not people:
        raise VidposeError("the result has no people")
    if person is None:
        return max(people.values(), key=lambda each: int(each.present.sum()))
    if person not in people:
        known = ", ".join(map(str, people))
        raise VidposeError(f"there is no person {person} (there are {known})")
    return people[person]


def _body_lengths(trajectory: Trajectory, skeleton: Skeleton) -> Floats:
    """Shank + thigh + trunk in pixels of every side in every frame that shows all of them."""
    skeleton.check_keypoints(trajectory.keypoints)
    lengths = [np.zeros(0)]
    for side in ("left", "right"):
        names = [f"{side}_{joint}" for joint in ("ankle", "knee", "hip", "shoulder")]
        if all(name in skeleton.keypoints for name in names):
            columns = [skeleton.keypoints.index(name) for name in names]
            segments = np.diff(trajectory.keypoints[:, columns, :2], axis=1)
            lengths.append(np.hypot(segments[..., 0], segments[..., 1]).sum(axis=1))
    found = np.concatenate(lengths)
    return found[np.isfinite(found)]


@dataclass(frozen=True, slots=True)
class Floor:
    """The line that feet stand on: ``y`` in pixels at x = 0, ``slope`` in pixels per pixel."""

    y: float
    slope: float

    def to_metres(self, points: Floats, scale: float) -> Floats:
        """(..., 2) x, y in pixels -> x along the floor, y above it, in metres (y upwards)."""
        angle = math.atan(self.slope)
        x, y = points[..., 0], points[..., 1] - self.y
        along = x * math.cos(angle) + y * math.sin(angle)
        above = x * math.sin(angle) - y * math.cos(angle)
        return np.stack([along, above], axis=-1) * scale


def find_floor(trajectory: Trajectory, skeleton: Skeleton, scale: float) -> Floor:
    """The floor under one person, from where their feet rest.

    Feet rest where they move slower than .3 m/s; the line through these points is Theil and Sen's,
    which a third of wrong points does not move. Without keypoints of the feet the ankles serve,
    lowered by .039 of an average height of 1.7 m. A person who stays within half a metre says
    nothing of the slope: the floor is then level, and so it is for one who never rests.

    ``scale`` in metres per pixel. Raises VidposeError when no foot or ankle was found, or the
    keypoints are another skeleton's.
    """
    skeleton.check_keypoints(trajectory.keypoints)
    feet = [name for name in _FEET if name in skeleton.keypoints]
    names = feet or [name for name in _ANKLES if name in skeleton.keypoints]
    columns = [skeleton.keypoints.index(name) for name in names]
    points = trajectory.keypoints[:, columns, :2].reshape(-1, 2)
    slow = keypoint_speeds(trajectory)[:, columns].reshape(-1) * scale < 0.3
    known = np.isfinite(points[:, 0])
    if not known.any():
        raise VidposeError("no floor: no foot and no ankle is in view")
    drop = 0.0 if feet else _ANKLE_HEIGHT * 1.7 / scale
    resting = points[known & slow]
    if len(resting) < 2 or np.ptp(resting[:, 0]) * scale < 0.5:
        lowest = resting if len(resting) else points[known]
        return Floor(float(np.median(lowest[:, 1])) + drop, 0.0)
    slope, intercept, *_ = theilslopes(resting[:, 1], resting[:, 0])
    return Floor(float(intercept) + drop, float(slope))


class MetreColumns:
    """Keypoints in metres, and the speed of the hips' middle, as further columns of a table.

    x runs along the floor, y upwards from it. See `metres_per_pixel` and `find_floor`.
    """

    def __init__(
        self,
        frames: Sequence[FrameResult],
        skeleton: Skeleton,
        height: float,
        person: int | None = None,
    ) -> None:
        self.scale = metres_per_pixel(frames, skeleton, height, person)
        self.floor = find_floor(chosen_person(frames, person), skeleton, self.scale)
        self.names = (
            *(f"{name}_{axis}_m" for name in skeleton.keypoints for axis in "xy"),
            "hips_speed_m_s",
        )
        self._speeds = _hip_speeds(frames, skeleton, self.scale)

    def rows(self, result: FrameResult) -> list[list[float]]:
        """The values of ``names`` for every person of the frame, in their order."""
        rows = []
        for person in result.people:
            points = person.keypoints[:, :2].astype(np.float64)
            metres = self.floor.to_metres(points, self.scale).ravel().tolist()
            rows.append([*metres, self._speeds.get((result.index, person.id), math.nan)])
        return rows


def _hip_speeds(
    frames: Sequence[FrameResult], skeleton: Skeleton, scale: float
) -> dict[tuple[int, int], float]:
    """Speed of the middle between the hips in m/s, by frame index and id."""
    names = skeleton.keypoints
    hips = [names.index(name) for name in ("left_hip", "right_hip") if name in names]
    found: dict[tuple[int, int], float] = {}
    for id, trajectory in person_trajectories(frames).items() if hips else ():
        middle = trajectory.keypoints[:, hips].mean(axis=1, keepdims=True)
        speeds = keypoint_speeds(replace(trajectory, keypoints=middle))[:, 0] * scale
        for position, speed in zip(trajectory.positions, speeds, strict=True):
            found[frames[int(position)].index, id] = float(speed)
    return found
