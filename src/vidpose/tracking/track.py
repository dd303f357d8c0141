"""One tracked person: the memory that a stream has of a person."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from vidpose.inference.crop import CropRegion
from vidpose.inference.pose import SEEN, Kernels, Pose, pose_box, with_look
from vidpose.tracking.motion import (
    OVERLAP_TIME_CONSTANT,
    SIDES_TIME_CONSTANT,
    TIME_CONSTANT,
    Vector,
    displacement,
    extrapolate,
    follow_box,
    side_offsets,
    update_velocity,
)
from vidpose.tracking.one_euro import OneEuroFilter

CARRY = 1.0  # s, time constant with which a keypoint out of sight is forgotten
SIZE_CONSTANT = 3.0  # s, time constant with which a size greater than the present is forgotten


@dataclass(slots=True, eq=False)
class Track:
    """A person who is tracked, or who was lost a short time ago. Times in s of the video.

    `start_time`: when it was first found.
    `pose`, `pose_time`: last confident pose and its time, keypoints out of sight where the body
    carried them.
    `observed`: the pose of the present frame, confident or not; None while there is none.
    `predicted`: where `pose` should be in the present frame.
    `detected_time`: when the detector last saw it. `lost_time`: when it was lost, if it is.
    `init_time`: when the initializer last ran on it. `init_score`: the pose's right after that.
    `look`: the kernels that it gave, if its pose was taken.
    `size`: in px, the longer side of its box, or of an earlier one: who bends, jumps or goes behind
    something may have it again.
    `velocity`, `spreading`: in px/s, of the body (x, y) and of its box's sides.
    `low_score_since`, `duplicate_since`: since when the pose is below trust, or the same as
    another track's; None when it is not.
    `overlapping`: another track is so close that the pose may jump. `crop_shared`: another person
    is in the crop. `memory_mixed`: the memory may hold parts of another person.
    """

    id: int
    start_time: float
    pose: Pose
    pose_time: float
    region: CropRegion
    smoother: OneEuroFilter
    predicted: Pose = field(init=False)
    observed: Pose | None = field(init=False)
    detected_time: float = field(init=False)
    lost_time: float = field(init=False)
    init_time: float = field(init=False)
    init_score: float = field(init=False)
    look: Kernels | None = field(init=False)
    size: float = field(init=False)
    velocity: Vector = field(default_factory=lambda: np.zeros(2))
    spreading: Vector = field(default_factory=lambda: np.zeros(4))
    low_score_since: float | None = None
    duplicate_since: float | None = None
    overlapping: bool = False
    crop_shared: bool = False
    memory_mixed: bool = False

    def __post_init__(self) -> None:
        self.predicted = self.observed = self.pose
        self.detected_time = self.lost_time = self.init_time = self.pose_time
        self.init_score = self.pose.score
        self.look = self.pose.kernels
        self.size = max(self.pose.box[2:])

    @property
    def current(self) -> Pose:
        """The pose of the present frame, or where it should be."""
        return self.observed or self.predicted

    @property
    def memory(self) -> Kernels | None:
        """The kernels with which the next frame is searched."""
        kernels = self.pose.kernels
        return kernels if kernels is None or self.look is None else with_look(kernels, self.look)

    def predict(self, time: float) -> None:
        """Predict the pose at `time`; nothing is observed in the present frame yet."""
        self.predicted = self.pose.shifted(extrapolate(self.velocity, time - self.pose_time))
        self.observed = None

    def move_crop(self, seconds: float, aspect: float, padding: float) -> None:
        """Let the crop follow the predicted pose, `seconds` after the previous frame."""
        self.region = follow_box(
            self.region,
            self.predicted.box,
            seconds,
            aspect=aspect,
            padding=padding,
            spreading=self.spreading,
        )

    def update(self, pose: Pose, time: float) -> None:
        """Take over a confident pose and its motion."""
        seconds = time - self.pose_time
        offset = displacement(self.pose.keypoints, pose.keypoints)
        if seconds > 0 and offset is not None:
            constant = OVERLAP_TIME_CONSTANT if self.overlapping else TIME_CONSTANT
            self.velocity = update_velocity(self.velocity, offset, seconds, constant)
        before, self.pose = self.pose.box, self._completed(pose, offset, seconds)
        self.pose_time = time
        self.size = max(*self.pose.box[2:], self.size * math.exp(-seconds / SIZE_CONSTANT))
        if seconds > 0:
            moved = side_offsets(before, self.pose.box)
            self.spreading = update_velocity(self.spreading, moved, seconds, SIDES_TIME_CONSTANT)

    def _completed(self, pose: Pose, offset: Vector | None, seconds: float) -> Pose:
        """The pose with its unseen keypoints where the body would carry them, so that a person
        who is hidden in part keeps the size and the place."""
        unseen = pose.keypoints[:, 2] < SEEN
        if not unseen.any():
            return pose
        moved = extrapolate(self.velocity, seconds) if offset is None else offset
        carried = self.pose.shifted(moved).keypoints[unseen]
        carried[:, 2] *= math.exp(-seconds / CARRY)
        keypoints = pose.keypoints.copy()
        keypoints[unseen] = np.where(carried[:, 2:] >= SEEN, carried, keypoints[unseen])
        return Pose(keypoints, pose.score, pose_box(keypoints), pose.kernels, pose.scored)
