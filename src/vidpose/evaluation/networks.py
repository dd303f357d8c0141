"""A model on a labelled clip: which network runs on which frame, and in which box.

| network | runs |
|---|---|
| `initializer` | on every frame without memory: the per-frame baseline that belongs beside a video figure |
| `step` | on frame 1 with the initializer, on all others with the step network, never anew |
| `stream` | as `step`, but the initializer runs again where the pose falls below the bundle's trust, as a `PoseStream` does |

Frame 1 counts for all of them. A model without memory has the initializer only.

Boxes are the labels' own: of every frame (`every`), or of frame 1 only (`first`), where the crop then
follows the pose as in a `PoseStream`. No detector and no smoothing take part.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vidpose.data.clips import LabelledClip
from vidpose.data.samples import read_image
from vidpose.inference.crop import CropRegion, region_around
from vidpose.inference.pose import Pose, initialize, step
from vidpose.inference.pose_model import PoseModel
from vidpose.inference.timing import StageTimer
from vidpose.tracking.motion import follow_box

Network = Literal["initializer", "step", "stream"]
BoxSource = Literal["every", "first"]

FRAME_SECONDS = 1 / 30
"""The labels carry no times; the crop follows the pose as if at 30 frames a second."""


@dataclass(frozen=True, slots=True, eq=False)
class ClipPoses:
    """What was found in a clip: keypoints (T, K, 3), scores (T,) in [0, 1], and in how many of the
    frames the initializer ran (None where it is not known)."""

    keypoints: NDArray[np.float32]
    scores: NDArray[np.float32]
    initialised: int | None


def networks_of(model: PoseModel, *, clips: bool) -> tuple[Network, ...]:
    """The networks worth a row: all for a model with memory on clips, else the initializer."""
    if clips and model.stepper is not None:
        return ("step", "stream", "initializer")
    return ("initializer",)


def predict_clip(
    model: PoseModel,
    clip: LabelledClip,
    networks: Sequence[Network],
    boxes: BoxSource,
    seen: Callable[[], None] = lambda: None,
) -> dict[Network, ClipPoses]:
    """Each network's poses of a clip, in pixels of the original frames.

    `seen` is called after every frame. Raises DataError for a frame that cannot be read.
    """
    runs = {network: _Run(model, network) for network in networks}
    for path, box in zip(clip.frames, clip.boxes, strict=True):
        image = read_image(path)
        for run in runs.values():
            run.advance(image, box if boxes == "every" or run.region is None else None)
        seen()
    return {network: run.poses() for network, run in runs.items()}


class _Run:
    """One network's way through one clip."""

    def __init__(self, model: PoseModel, network: Network) -> None:
        self.region: CropRegion | None = None
        self._model = model
        self._network = network
        self._found: list[Pose] = []
        self._initialised = 0

    def advance(self, image: NDArray[np.uint8], box: NDArray[np.float32] | None) -> None:
        """Find the next frame's pose: in `box`, or where the one before was."""
        self.region = region = self._region(box)
        last = self._found[-1] if self._found else None
        if last is None or last.kernels is None or self._network == "initializer":
            pose = self._initialize(image, region)
        else:
            pose = step(self._model, image, [region], [last.kernels], StageTimer())[0]
            if self._network == "stream" and pose.score < self._model.trust.min_score:
                pose = self._initialize(image, region)
        self._found.append(pose)

    def poses(self) -> ClipPoses:
        return ClipPoses(
            np.stack([pose.keypoints for pose in self._found]),
            np.array([pose.score for pose in self._found], np.float32),
            self._initialised,
        )

    def _region(self, box: NDArray[np.float32] | None) -> CropRegion:
        aspect, padding = self._model.aspect, self._model.padding
        if box is None:
            assert self.region is not None
            target = self._found[-1].box
            return follow_box(self.region, target, FRAME_SECONDS, aspect=aspect, padding=padding)
        x, y, w, h = (float(value) for value in box)
        return region_around((x, y, w, h), aspect=aspect, padding=padding)

    def _initialize(self, image: NDArray[np.uint8], region: CropRegion) -> Pose:
        self._initialised += 1
        return initialize(self._model, image, [region], StageTimer())[0]
