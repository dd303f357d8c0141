"""A real `PoseStream` on a clip in which one person is labelled.

The labelled box stands in the detector's place wherever it is given; all else is as in use: trust
with its patience, the age of the memory, drift, losing and finding again. Keypoints are not
smoothed, since the labels' protocols compare single frames.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vidpose.inference.boxes import Boxes, Scores
from vidpose.inference.detectors.bundle import Detector
from vidpose.inference.pose_model import PoseModel
from vidpose.tracking import PoseStream

FRAME_SECONDS = 1 / 30
"""The labels carry no times; a clip is streamed as if at 30 frames a second."""


class LabelDetector:
    """Finds the labelled box, with full confidence, or what `detector` finds where `box` is None.

    `box`: (4,) x, y, w, h of the person in the next image.
    """

    def __init__(self, detector: Detector | None) -> None:
        self.box: ArrayLike | None = None
        self._detector = detector

    def detect(self, image: NDArray[np.uint8]) -> tuple[Boxes, Scores]:
        """See `Detector.detect`."""
        if self.box is not None:
            return np.asarray(self.box, np.float64).reshape(1, 4), np.ones(1)
        if self._detector is not None:
            return self._detector.detect(image)
        return np.zeros((0, 4)), np.zeros(0)


class SinglePersonStream:
    """The stream of one clip. `initialised`: frames in which the initializer ran."""

    def __init__(self, model: PoseModel, detector: Detector | None = None) -> None:
        """`detector` finds the person in frames without a labelled box; None: only labels do."""
        self.initialised = 0
        self._labels = LabelDetector(detector)
        self._stream = PoseStream(model, self._labels, smooth=False, max_people=1)
        self._missing = np.full((model.skeleton.num_keypoints, 3), np.nan, np.float32)
        self._frames = 0

    def advance(
        self, image: NDArray[np.uint8], box: ArrayLike | None
    ) -> tuple[NDArray[np.float32], float]:
        """Keypoints (K, 3) and score of the person in the next frame, NaN and 0 while lost.

        `image`: uint8 RGB (height, width, 3). `box`: (4,) x, y, w, h, or None where not given.
        """
        self._labels.box = box
        result = self._stream.step(image, self._frames * FRAME_SECONDS)
        self._frames += 1
        self.initialised += result.timings["initialize"] > 0.0
        if not result.people:
            return self._missing, 0.0
        (person,) = result.people
        return person.keypoints, person.score
