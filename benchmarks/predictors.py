"""A vidpose bundle on one person's clip: its initializer, its step, and its stream."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vidpose.evaluation.single_person import FRAME_SECONDS, SinglePersonStream
from vidpose.inference import pose
from vidpose.inference.boxes import Box
from vidpose.inference.crop import region_around
from vidpose.inference.pose_model import PoseModel
from vidpose.inference.timing import StageTimer


class Initializer:
    """The initializer (or memoryless network) of a bundle on every crop: (image, box) -> (K, 3)."""

    def __init__(self, model: PoseModel) -> None:
        self.model = model

    def __call__(self, image: NDArray[np.uint8], box: Box) -> NDArray[np.float32]:
        region = region_around(box, aspect=self.model.aspect, padding=self.model.padding)
        return pose.initialize(self.model, image, [region], StageTimer())[0].keypoints


class Stepper:
    """Initialises on the first frame of a clip and then steps with its own memory, never anew; as
    if at 30 frames/s."""

    def __init__(self, model: PoseModel) -> None:
        self.model = model
        self.last: pose.Pose | None = None
        self.look: pose.Kernels | None = None

    def __call__(self, image: NDArray[np.uint8], box: Box) -> NDArray[np.float32]:
        """Keypoints (K, 3) of the next frame."""
        region = region_around(box, aspect=self.model.aspect, padding=self.model.padding)
        if self.last is None or self.last.kernels is None:
            self.last = pose.initialize(self.model, image, [region], StageTimer())[0]
            self.look = self.last.kernels
        else:
            assert self.look is not None
            memory = [pose.with_look(self.last.kernels, self.look)]
            expected = [pose.Expected(self.last.keypoints, FRAME_SECONDS)]
            self.last = pose.step(self.model, image, [region], memory, StageTimer(), expected)[0]
        return self.last.keypoints


class Streamer:
    """A `PoseStream` that takes the box for its detector's; NaN while the person is lost."""

    def __init__(self, model: PoseModel) -> None:
        self._stream = SinglePersonStream(model)

    def __call__(self, image: NDArray[np.uint8], box: Box) -> NDArray[np.float32]:
        """Keypoints (K, 3) of the next frame."""
        return self._stream.advance(image, box)[0]
