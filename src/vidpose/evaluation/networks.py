"""A model on a labelled clip: which network runs on which frame, and in which box.

| network | runs |
|---|---|
| `initializer` | on every frame without memory: the per-frame baseline beside a video figure |
| `step` | on all frames but the first, with the memory and places of the one before; no new look |
| `stream` | a `PoseStream`: steps, and initialises where its trust, age or drift asks for it |

Frame 1 counts for all of them. A model without memory has the initializer only.

Boxes are the labels' own: of every frame (`every`), or of frame 1 only (`first`), where the crop
then follows the pose. The stream takes them for its detector's, and asks for them as rarely as it
asks a detector; after frame 1 of `first` it has the shipped detector. Nothing is smoothed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vidpose.data.clips import LabelledClip
from vidpose.data.samples import read_image
from vidpose.evaluation.single_person import FRAME_SECONDS, SinglePersonStream
from vidpose.inference.crop import CropRegion, region_around
from vidpose.inference.detectors.bundle import Detector
from vidpose.inference.pose import Expected, Kernels, Pose, initialize, step, with_look
from vidpose.inference.pose_model import PoseModel
from vidpose.inference.timing import StageTimer
from vidpose.tracking.motion import (
    SIDES_TIME_CONSTANT,
    Vector,
    follow_box,
    side_offsets,
    update_velocity,
)

Network = Literal["initializer", "step", "stream"]
BoxSource = Literal["every", "first"]


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
    detector: Detector | None = None,
) -> dict[Network, ClipPoses]:
    """Each network's poses of a clip, in pixels of the original frames; NaN while a stream has
    lost the person.

    `seen` is called after every frame. `detector`: the stream's where no box is given; None: then
    it finds no one anew. Raises DataError for a frame that cannot be read.
    """
    runs = {name: _new_run(model, name, detector) for name in networks}
    found: dict[Network, list[tuple[NDArray[np.float32], float]]] = {name: [] for name in networks}
    for number, (path, box) in enumerate(zip(clip.frames, clip.boxes, strict=True)):
        image = read_image(path)
        given = box if boxes == "every" or number == 0 else None
        for name, run in runs.items():
            found[name].append(run.advance(image, given))
        seen()
    return {
        name: ClipPoses(
            np.stack([keypoints for keypoints, _ in found[name]]),
            np.array([score for _, score in found[name]], np.float32),
            run.initialised,
        )
        for name, run in runs.items()
    }


def _new_run(
    model: PoseModel, network: Network, detector: Detector | None
) -> _CropRun | SinglePersonStream:
    if network == "stream":
        return SinglePersonStream(model, detector)
    return _CropRun(model, steps=network == "step")


class _CropRun:
    """One network's way through one clip, crop by crop."""

    def __init__(self, model: PoseModel, *, steps: bool) -> None:
        self.initialised = 0
        self._model = model
        self._steps = steps
        self._region: CropRegion | None = None
        self._last: Pose | None = None
        self._look: Kernels | None = None
        self._spreading: Vector = np.zeros(4)

    def advance(
        self, image: NDArray[np.uint8], box: NDArray[np.float32] | None
    ) -> tuple[NDArray[np.float32], float]:
        """Keypoints (K, 3) and score in the next frame: in `box`, or where the pose was before."""
        self._region = region = self._next_region(box)
        kernels = self._last.kernels if self._last is not None and self._steps else None
        if kernels is None:
            self.initialised += 1
            (pose,) = initialize(self._model, image, [region], StageTimer())
            self._look = pose.kernels
        else:
            assert self._last is not None
            assert self._look is not None
            memory = [with_look(kernels, self._look)]
            expected = [Expected(self._last.keypoints, FRAME_SECONDS)]
            (pose,) = step(self._model, image, [region], memory, StageTimer(), expected)
        if self._last is not None:
            moved = side_offsets(self._last.box, pose.box)
            self._spreading = update_velocity(
                self._spreading, moved, FRAME_SECONDS, SIDES_TIME_CONSTANT
            )
        self._last = pose
        return pose.keypoints, pose.score

    def _next_region(self, box: NDArray[np.float32] | None) -> CropRegion:
        aspect, padding = self._model.aspect, self._model.padding
        if box is None:
            assert self._region is not None
            assert self._last is not None
            return follow_box(
                self._region,
                self._last.box,
                FRAME_SECONDS,
                aspect=aspect,
                padding=padding,
                spreading=self._spreading,
            )
        x, y, w, h = (float(value) for value in box)
        return region_around((x, y, w, h), aspect=aspect, padding=padding)
