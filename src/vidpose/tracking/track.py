"""One tracked person: the memory that a stream has of somebody."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from vidpose.inference.crop import CropRegion
from vidpose.inference.pose import SEEN, Pose, pose_box
from vidpose.tracking.motion import (
    CONTEST_MEMORY,
    MEMORY,
    Vector,
    displacement,
    follow,
    travel,
    update_velocity,
)
from vidpose.tracking.one_euro import OneEuroFilter

CARRY = 1.0  # s, time constant with which a keypoint out of sight is forgotten
ANCHOR_AGE = 1.5  # s, after which two who stay close are a group, and nobody's path is disturbed


@dataclass(slots=True, eq=False)
class Track:
    """A person who is followed, or who was lost a short time ago. Times in s of the video.

    `pose`, `seen`: last believed pose and its time, keypoints out of sight where the body carried
    them.
    `anchor`, `anchor_time`: the same, of the last time that nobody else was close; where a
    person's motion is predicted from if the pose slid onto somebody else meanwhile.
    `found`: the pose of the present frame, believed or not; None while there is none.
    `expected`: where `pose` should be in the present frame.
    `supported`: when the detector saw it. `lost`: when it was lost, if it is.
    `initialised`: when the initializer made the memory, or looked in vain. `initial_score`: the
    pose's right after that. `doubted`, `doubled`: since when
    the pose is below trust, or the same as somebody else's; None when it is not.
    `contested`: somebody else is so close that the pose may jump. `crowded`: somebody else is in
    the crop. `renew`: the memory may hold parts of another person, so it has to be made anew.
    """

    id: int
    born: float
    pose: Pose
    seen: float
    region: CropRegion
    smoother: OneEuroFilter
    anchor: Pose = field(init=False)
    anchor_time: float = field(init=False)
    expected: Pose = field(init=False)
    found: Pose | None = field(init=False)
    supported: float = field(init=False)
    lost: float = field(init=False)
    initialised: float = field(init=False)
    initial_score: float = field(init=False)
    velocity: Vector = field(default_factory=lambda: np.zeros(2))
    doubted: float | None = None
    doubled: float | None = None
    contested: bool = False
    crowded: bool = False
    renew: bool = False

    def __post_init__(self) -> None:
        self.anchor, self.anchor_time = self.pose, self.seen
        self.expected = self.found = self.pose
        self.supported = self.lost = self.initialised = self.seen
        self.initial_score = self.pose.score

    @property
    def present(self) -> Pose:
        """The pose of the present frame, or where it should be."""
        return self.found or self.expected

    def expect(self, time: float) -> None:
        """Predict the pose at `time`; what the present frame shows is not known yet."""
        self.expected = self.pose.shifted(travel(self.velocity, time - self.seen))
        self.found = None

    def follow(self, seconds: float, aspect: float, padding: float) -> None:
        """Let the crop follow the expected pose, `seconds` after the previous frame."""
        self.region = follow(
            self.region, self.expected.box, seconds, aspect=aspect, padding=padding
        )

    def believe(self, pose: Pose, time: float) -> None:
        """Take over a pose as the person's true one."""
        seconds = time - self.seen
        way = displacement(self.pose.keypoints, pose.keypoints)
        if seconds > 0 and way is not None:
            memory = CONTEST_MEMORY if self.contested else MEMORY
            self.velocity = update_velocity(self.velocity, way, seconds, memory)
        self.pose, self.seen = self._completed(pose, way, seconds), time
        if not self.contested or time - self.anchor_time > ANCHOR_AGE:
            self.anchor, self.anchor_time = self.pose, time

    def _completed(self, pose: Pose, way: Vector | None, seconds: float) -> Pose:
        """The pose with its unseen keypoints where the body would carry them, so that a person
        who is hidden in part keeps the size and the place."""
        unseen = pose.keypoints[:, 2] < SEEN
        if not unseen.any():
            return pose
        offset = travel(self.velocity, seconds) if way is None else way
        carried = self.pose.shifted(offset).keypoints[unseen]
        carried[:, 2] *= math.exp(-seconds / CARRY)
        keypoints = pose.keypoints.copy()
        keypoints[unseen] = np.where(carried[:, 2:] >= SEEN, carried, keypoints[unseen])
        return Pose(keypoints, pose.score, pose_box(keypoints), pose.kernels)

    def return_to_anchor(self) -> None:
        """Forget what was believed since somebody else came close."""
        self.pose, self.seen = self.anchor, self.anchor_time
        self.contested = False
