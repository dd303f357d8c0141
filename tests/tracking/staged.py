"""Staged frames for trackers that run the networks on every frame: poses instead of networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from vidpose.bundle import Trust
from vidpose.inference.crop import CropRegion
from vidpose.inference.pose import Pose
from vidpose.inference.timing import StageTimer
from vidpose.skeleton import COCO_17
from vidpose.tracking.reinit_policy import ModelTraits

SIZE = (240, 400)
TRAITS = ModelTraits(
    0.75, 1.25, COCO_17.sigmas, Trust(min_score=0.3, start_score=0.4), has_memory=False
)
# A standing person of 1 x 2 units, COCO's order; x to the right, y down.
STANDING = np.array(
    [
        (0.5, 0.15), (0.55, 0.1), (0.45, 0.1), (0.6, 0.12), (0.4, 0.12), (0.75, 0.4), (0.25, 0.4),
        (0.85, 0.75), (0.15, 0.75), (0.9, 1.05), (0.1, 1.05), (0.65, 1.1), (0.35, 1.1),
        (0.65, 1.5), (0.35, 1.5), (0.65, 1.9), (0.35, 1.9),
    ]
)  # fmt: skip
TEXTURE = np.random.default_rng(0).integers(0, 256, (400, 200, 3)).astype(np.uint8)


def pose(x: float, y: float = 60.0, height: float = 120.0, score: float = 0.9) -> Pose:
    """A standing person whose left edge is at x."""
    keypoints = np.full((17, 3), score, np.float32)
    keypoints[:, :2] = STANDING * height / 2 + (x, y)
    return Pose.of(keypoints)


def picture(people: Sequence[Pose], size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """Everybody's box filled with a texture that moves along, so that flow can be seen."""
    image = np.full((*size, 3), 90, np.uint8)
    for number, person in enumerate(people):
        x, y, w, h = (round(value) for value in person.box)
        cloth = cv2.GaussianBlur(np.roll(TEXTURE, 31 * number, axis=0)[:h, :w], (0, 0), 2.0)
        left, top = max(x, 0), max(y, 0)
        right, bottom = min(x + w, size[1]), min(y + h, size[0])
        if right > left and bottom > top:
            image[top:bottom, left:right] = cloth[top - y : bottom - y, left - x : right - x]
    return image


@dataclass
class StagedFrame:
    """Stands in for a `FrameInference`: the detector finds `detected`, the network the one of
    `people` who is nearest to the region's middle, or a bad pose where no person is."""

    people: Sequence[Pose]
    detected: Sequence[Pose] | None = None
    size: tuple[int, int] = SIZE
    timer: StageTimer = field(default_factory=StageTimer)

    @property
    def image(self) -> NDArray[np.uint8]:
        return picture(self.people, self.size)

    def detect(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        seen = self.people if self.detected is None else self.detected
        boxes = np.array([person.box for person in seen], np.float64).reshape(-1, 4)
        return boxes, np.array([person.score for person in seen], np.float64)

    def initialize(self, regions: Sequence[CropRegion]) -> list[Pose]:
        return [self._nearest(region) for region in regions]

    def _nearest(self, region: CropRegion) -> Pose:
        def distance(person: Pose) -> float:
            x, y, w, h = person.box
            middle_x, middle_y = region.center
            return math.hypot(x + w / 2 - middle_x, y + h / 2 - middle_y)

        nearest = min(self.people, key=distance, default=None)
        if nearest is None or distance(nearest) > region.w / 2:
            return pose(region.x, score=0.05)
        return nearest
