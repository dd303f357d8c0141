"""A tracker driven by hand: poses instead of pictures and networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vidpose.bundle import Trust
from vidpose.inference.crop import region_around
from vidpose.inference.pose import Pose
from vidpose.skeleton import COCO_17
from vidpose.tracking import SmoothingSettings, TrackerSettings
from vidpose.tracking.base import TrackerSetup
from vidpose.tracking.memory_tracker import MemoryTracker
from vidpose.tracking.one_euro import OneEuroFilter
from vidpose.tracking.reinit_policy import ModelTraits
from vidpose.tracking.track import Track

SIZE = (480, 640)
# A standing person of 1 x 2 units, COCO's order; x to the right, y down.
STANDING = np.array(
    [
        (0.5, 0.15), (0.55, 0.1), (0.45, 0.1), (0.6, 0.12), (0.4, 0.12), (0.75, 0.4), (0.25, 0.4),
        (0.85, 0.75), (0.15, 0.75), (0.9, 1.05), (0.1, 1.05), (0.65, 1.1), (0.35, 1.1),
        (0.65, 1.5), (0.35, 1.5), (0.65, 1.9), (0.35, 1.9),
    ]
)  # fmt: skip


def pose(x: float, y: float = 100.0, height: float = 200.0, score: float = 0.9) -> Pose:
    """A standing person whose left edge is at x."""
    keypoints = np.ones((17, 3), np.float32)
    keypoints[:, :2] = STANDING * height / 2 + (x, y)
    keypoints[:, 2] = score
    return Pose.of(keypoints, np.zeros((17, 1, 1, 1), np.float32))


def turned(person: Pose) -> Pose:
    """The same person, left and right exchanged."""
    return replace(person, keypoints=person.keypoints[list(COCO_17.flip_index)])


class World:
    """Drives a tracker as the stream does; the initializer sees whom the test shows it."""

    def __init__(
        self,
        *,
        memory: bool = True,
        max_people: int | None = None,
        max_age: float = 1e9,
        max_drop: float = 1.0,
        **settings: float,
    ):
        trust = Trust(0.3, 0.4, patience=0.1, max_age=max_age, max_drop=max_drop)
        traits = ModelTraits(0.75, 1.25, COCO_17.sigmas, trust, memory, COCO_17.flip_index)
        self.settings = TrackerSettings(**settings)
        self.tracker = MemoryTracker(
            TrackerSetup(traits, self.settings, SmoothingSettings(), max_people)
        )
        self.inits = 0

    def frame(
        self,
        time: float,
        found: dict[int, Pose] | None = None,
        seen: Sequence[Pose] = (),
        detected: Sequence[Pose] | None = None,
    ) -> dict[int, Pose]:
        """One frame: poses found by stepping, by id, and the people there for the initializer.

        The detector sees the same people if `detected` does not say otherwise. Returns the
        reported poses by id.
        """
        tracker = self.tracker
        if tracker.predict(time, SIZE) and tracker.live:
            given = found or {}
            tracker.update([given.get(t.id, t.predicted) for t in tracker.live], time)
        boxes: NDArray[np.float64] | None = None
        if tracker.detection_is_due(time):
            boxes = np.array([p.box for p in (seen if detected is None else detected)])
            boxes = boxes.reshape(-1, 4)
        requests = tracker.plan_reinit(boxes, time)
        self.inits += len(requests)
        poses = [self._nearest(request.region.center, seen) for request in requests]
        tracker.apply_reinit(requests, poses, time)
        return {track.id: track.observed for track in tracker.live if track.observed is not None}

    @staticmethod
    def _nearest(middle: tuple[float, float], seen: Sequence[Pose]) -> Pose:
        if not seen:
            return pose(0, score=0.05)
        return min(seen, key=lambda p: abs(p.box[0] + p.box[2] / 2 - middle[0]))


def new_track(x: float, *, id: int = 1, time: float = 0.0) -> Track:
    """A track of a standing person, as the initializer leaves it at `time`."""
    found = pose(x)
    region = region_around(found.box, aspect=0.75, padding=1.25)
    track = Track(id, time, found, time, region, OneEuroFilter(SmoothingSettings()))
    track.observed = pose(x)  # arrays of its own, so that a test may change them
    return track
