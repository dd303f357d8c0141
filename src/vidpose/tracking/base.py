"""What passes between a stream and its tracker.

A stream gives the tracker a `FrameInference` of every frame, through which it calls the networks
as often as its method needs, and gets back the tracked people. How people are told apart is the
tracker's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vidpose.inference.boxes import Boxes, Scores
from vidpose.inference.crop import CropRegion
from vidpose.inference.detectors.bundle import Detector
from vidpose.inference.graphs import OneStageGraph
from vidpose.inference.one_stage import Everybody, OneStageDetector
from vidpose.inference.pose import Expected, Kernels, Pose, initialize, poses_of, step
from vidpose.inference.pose_model import PoseModel
from vidpose.inference.timing import StageTimer
from vidpose.tracking.one_euro import OneEuroFilter
from vidpose.tracking.reinit_policy import ModelTraits
from vidpose.tracking.settings import SmoothingSettings, TrackerSettings


@dataclass(frozen=True, slots=True, eq=False)
class FrameInference:
    """The networks, applied to one frame. Each call is timed as a stage of its own.

    `image`: uint8 RGB (height, width, 3).
    """

    image: NDArray[np.uint8]
    model: PoseModel
    detector: Detector
    timer: StageTimer
    _found: list[Everybody] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        height, width = self.image.shape[:2]
        return height, width

    def detect(self) -> tuple[Boxes, Scores]:
        """People's boxes (M, 4) and scores (M,), best first."""
        with self.timer.stage("detect"):
            if isinstance(self.detector, OneStageDetector):
                found = self._everybody()
                return found.boxes, found.scores
            boxes, scores = self.detector.detect(self.image)
            order = np.argsort(-scores, kind="stable")
            return boxes[order], scores[order]

    def initialize(
        self, regions: Sequence[CropRegion], expected: Sequence[Expected] | None = None
    ) -> list[Pose]:
        """Poses in the regions, without kernels; `expected`: as of `step`, None for new looks."""
        if isinstance(self.model.initializer, OneStageGraph):
            if not regions:
                return []
            with self.timer.stage("initialize"):
                found = self._everybody()
            return poses_of(found, regions, self.model)
        return initialize(self.model, self.image, regions, self.timer, expected)

    def _everybody(self) -> Everybody:
        """What a one-stage network finds, which is the same whoever asks."""
        graph = self.model.initializer
        assert isinstance(graph, OneStageGraph)
        if not self._found:
            self._found.append(graph.everybody(self.image))
        return self._found[0]

    def step(
        self,
        regions: Sequence[CropRegion],
        memory: Sequence[Kernels],
        expected: Sequence[Expected],
    ) -> list[Pose]:
        """Poses in the regions, by the kernels of their previous frame and where they are
        expected."""
        return step(self.model, self.image, regions, memory, self.timer, expected)


@dataclass(frozen=True, slots=True, eq=False)
class TrackedPose:
    """A person in the present frame: id, pose, and the filter of that person's keypoints."""

    id: int
    pose: Pose
    smoother: OneEuroFilter


@dataclass(frozen=True, slots=True)
class TrackerSetup:
    """What a tracker is made with. `max_people`: at most so many at a time; None: everybody."""

    traits: ModelTraits
    settings: TrackerSettings
    smoothing: SmoothingSettings
    max_people: int | None = None


class PeopleTracker(Protocol):
    """Tells the people of one video apart. It holds all memory of it and shares none."""

    def advance(self, frame: FrameInference, time: float) -> list[TrackedPose]:
        """The people of the next frame, each id at most once.

        `time`: s, not before the previous frame's. Another image size means other people.
        """
        ...  # pragma: no cover
