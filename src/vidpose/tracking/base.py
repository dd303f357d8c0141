"""What passes between a stream and its tracker.

A stream gives the tracker a `View` of every frame, through which it looks at the picture as often
as its method needs, and gets back who is there. How people are told apart is the tracker's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vidpose.inference.crop import CropRegion
from vidpose.inference.detectors.bundle import Boxes, Detector, Scores
from vidpose.inference.pose import Kernels, Pose, initialize, step
from vidpose.inference.pose_model import PoseModel
from vidpose.inference.timing import Clock
from vidpose.tracking.one_euro import OneEuroFilter


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One frame as a tracker may look at it. Each look is noted in the clock's own stage.

    `image`: uint8 RGB (height, width, 3).
    """

    image: NDArray[np.uint8]
    model: PoseModel
    detector: Detector
    clock: Clock

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        height, width = self.image.shape[:2]
        return height, width

    def detect(self) -> tuple[Boxes, Scores]:
        """People's boxes (M, 4) and scores (M,), best first."""
        with self.clock.stage("detect"):
            boxes, scores = self.detector.detect(self.image)
            order = np.argsort(-scores, kind="stable")
            return boxes[order], scores[order]

    def look(self, regions: Sequence[CropRegion]) -> list[Pose]:
        """Poses in the regions, without memory."""
        return initialize(self.model, self.image, regions, self.clock)

    def follow(self, regions: Sequence[CropRegion], memory: Sequence[Kernels]) -> list[Pose]:
        """Poses in the regions, by the kernels of their previous frame."""
        return step(self.model, self.image, regions, memory, self.clock)


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """Somebody found in the present frame, and the filter of that person's keypoints."""

    id: int
    pose: Pose
    smoother: OneEuroFilter


class PeopleTracker(Protocol):
    """Who is who in one video. It holds all memory of it and shares none."""

    def advance(self, view: View, time: float) -> list[Sighting]:
        """The people of the next frame, each id at most once.

        `time`: s, not before the previous frame's. Another image size means other people.
        """
        ...  # pragma: no cover
