"""One person's pose in one frame, and how a model finds it in a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vidpose.inference.boxes import Box, iou
from vidpose.inference.crop import (
    CropRegion,
    crop_image,
    region_around,
    to_crop,
    to_image,
    widened,
)
from vidpose.inference.decode import PlacePrior
from vidpose.inference.graphs import OneStageGraph, PoseGraph
from vidpose.inference.one_stage import Everybody
from vidpose.inference.pose_model import PoseModel
from vidpose.inference.timing import StageTimer

SEEN = 0.25  # calibrated confidence from which a keypoint counts as seen
MARGIN = 0.06  # from the outermost keypoints to the body's outline, in the pose's longer side

PLACE_SPEED = 2.3  # crop heights a second by which the prior around a last place spreads
LOOK_SHARE = 0.25  # of the last look's kernels in the memory, beside those of the frame before

SAME_PLACE = 0.2  # IoU of regions from which a one-stage network's person is the one asked for

Kernels = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """A pose in image pixels.

    `keypoints`: (K, 3) float32 x, y, calibrated confidence. `score`: in [0, 1], see `pose_score`.
    `box`: (x, y, w, h) of the body. `kernels`: memory for the next frame, or None; an array of any
    shape, and (K, C, S, S) where every keypoint has a kernel of its own. `scored`: indices of the
    keypoints that make the score (`PoseModel.scored`), None for all.
    """

    keypoints: NDArray[np.float32]
    score: float
    box: Box
    kernels: Kernels | None = None
    scored: NDArray[np.intp] | None = None

    @classmethod
    def of(
        cls,
        keypoints: NDArray[np.float32],
        kernels: Kernels | None = None,
        scored: NDArray[np.intp] | None = None,
    ) -> Pose:
        """A pose with its score and box from keypoints (K, 3)."""
        score = pose_score(keypoints if scored is None else keypoints[scored])
        return cls(keypoints, score, pose_box(keypoints), kernels, scored)

    def shifted(self, offset: NDArray[np.float64]) -> Pose:
        """The same pose, `offset` (x, y) pixels away."""
        keypoints = self.keypoints.copy()
        keypoints[:, :2] += offset
        x, y, w, h = self.box
        box = (x + float(offset[0]), y + float(offset[1]), w, h)
        return Pose(keypoints, self.score, box, self.kernels, self.scored)

    def without(self, keypoints: NDArray[np.bool_], former: Kernels | None) -> Pose:
        """The same pose without some keypoints (K,), which keep their `former` kernels."""
        kept = self.keypoints.copy()
        kept[keypoints, 2] = 0.0
        kernels = self.kernels
        if kernels is not None and former is not None:
            kernels = keep_kernels(kernels, former, keypoints)
        score = pose_score(kept if self.scored is None else kept[self.scored])
        return Pose(kept, score, self.box, kernels, self.scored)


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """Where a person is expected: `keypoints` (K, 2 or more), x and y in image pixels, as they
    were found `seconds` ago."""

    keypoints: NDArray[np.float32]
    seconds: float


def with_look(kernels: Kernels, look: Kernels) -> Kernels:
    """The memory for the next frame: `kernels` of the frame before with `LOOK_SHARE` of those of
    the `look`, when the initializer last ran on this person.

    Kernels alone drift with their own errors. Maps are linear in kernels (K, C, S, S), so the mean
    of two is an ensemble at the price of one; any other memory stays as it is.
    """
    if kernels.ndim != 4 or kernels.shape != look.shape:
        return kernels
    return kernels + np.float32(LOOK_SHARE) * (look - kernels)


def keep_kernels(kernels: Kernels, former: Kernels, keypoints: NDArray[np.bool_]) -> Kernels:
    """A memory in which some keypoints (K,) have their `former` kernels.

    Only kernels (K, C, S, S) can be told apart by keypoint. Any other memory, such as factorised
    kernels or a recurrent state, belongs to the whole pose and stays as it is.
    """
    if kernels.ndim != 4 or len(kernels) != len(keypoints) or not keypoints.any():
        return kernels
    mixed = kernels.copy()
    mixed[keypoints] = former[keypoints]
    return mixed


def pose_score(keypoints: NDArray[np.float32]) -> float:
    """Mean confidence of the better half of the keypoints (K, 3).

    The half, so that a person of whom the picture shows only the upper body is not marked down.
    """
    confidence = keypoints[:, 2]
    half = len(confidence) // 2
    return float(np.partition(confidence, half)[half:].mean())


def pose_box(keypoints: NDArray[np.float32]) -> Box:
    """Box (x, y, w, h) around the keypoints (K, 3) that are seen, with a margin for the body.

    Where fewer than three are seen, around the better half of them.
    """
    confidence = keypoints[:, 2]
    seen = confidence >= SEEN
    if np.count_nonzero(seen) < 3:
        seen = confidence >= np.median(confidence)
    points = keypoints[seen, :2].astype(np.float64) + 0.5
    low, high = points.min(axis=0), points.max(axis=0)
    margin = max(MARGIN * float((high - low).max()), 1.0)
    x, y = low - margin
    w, h = high - low + 2 * margin
    return float(x), float(y), float(w), float(h)


def initialize(
    model: PoseModel,
    image: NDArray[np.uint8],
    regions: Sequence[CropRegion],
    timer: StageTimer,
    expected: Sequence[Expected] | None = None,
) -> list[Pose]:
    """Poses of the people in the regions, without kernels of a frame before; one batched call.

    `expected`: as of `step`, for a network that looks at every frame; None: by the maps alone.
    """
    if not regions:
        return []
    graph = model.initializer
    if isinstance(graph, OneStageGraph):
        with timer.stage("initialize"):
            found = graph.everybody(image)
        return poses_of(found, regions, model)
    height, width = graph.size
    whole = [widened(region, width / height) for region in regions]
    crops = _crop_all(image, whole, graph, timer)
    with timer.stage("initialize"):
        output, kernels = model.initialize(crops)
    near = None if expected is None else _place_prior(expected, whole, graph.size)
    return _decode_all(output, kernels, whole, graph, model, timer, near)


def poses_of(found: Everybody, regions: Sequence[CropRegion], model: PoseModel) -> list[Pose]:
    """For each region the pose of the person whose own region it is most like.

    Where there is no such person, a pose in the region's middle of which no keypoint is seen.
    """
    own = [
        region_around((x, y, w, h), aspect=model.aspect, padding=model.padding)
        for x, y, w, h in found.boxes.tolist()
    ]
    overlaps = iou(_rows(regions), _rows(own))
    poses = []
    for n, region in enumerate(regions):
        best = int(overlaps[n].argmax()) if own else -1
        if best >= 0 and overlaps[n, best] >= SAME_PLACE:
            keypoints = found.keypoints[best]
        else:
            keypoints = np.zeros((model.skeleton.num_keypoints, 3), np.float32)
            keypoints[:, :2] = region.center
        poses.append(Pose.of(keypoints, None, model.scored))
    return poses


def _rows(regions: Sequence[CropRegion]) -> NDArray[np.float64]:
    return np.array([[r.x, r.y, r.w, r.h] for r in regions], np.float64).reshape(-1, 4)


def step(
    model: PoseModel,
    image: NDArray[np.uint8],
    regions: Sequence[CropRegion],
    memory: Sequence[Kernels],
    timer: StageTimer,
    expected: Sequence[Expected] | None = None,
) -> list[Pose]:
    """Poses of the people in the regions, by the kernels of their previous frame; batched.

    Of the places that a map shows, the likelier one near the person's `expected` keypoints is
    taken; None: by the maps alone. Keypoints of little confidence keep the kernels of the frame
    before, see `keep_kernels`.
    """
    if not regions:
        return []
    graph = model.stepper or model.initializer
    crops = _crop_all(image, regions, graph, timer)
    with timer.stage("step"):
        former = np.stack(memory)
        maps, kernels = model.step(crops, former)
    near = None if expected is None else _place_prior(expected, regions, graph.size)
    poses = _decode_all(maps, kernels, regions, graph, model, timer, near)
    return [
        replace(pose, kernels=keep_kernels(pose.kernels, old, _uncertain(model, pose)))
        if pose.kernels is not None
        else pose
        for pose, old in zip(poses, memory, strict=True)
    ]


def _place_prior(
    expected: Sequence[Expected], regions: Sequence[CropRegion], size: tuple[int, int]
) -> PlacePrior:
    """Where the keypoints of each region's person are expected, in pixels of crops of `size`."""
    points = [
        to_crop(each.keypoints[:, :2], region, size)
        for each, region in zip(expected, regions, strict=True)
    ]
    seconds = np.array([each.seconds for each in expected], np.float32)
    return PlacePrior(np.stack(points), PLACE_SPEED * size[0] * seconds)


def _uncertain(model: PoseModel, pose: Pose) -> NDArray[np.bool_]:
    return np.asarray(pose.keypoints[:, 2] < model.trust.min_confidence)


def _crop_all(
    image: NDArray[np.uint8], regions: Sequence[CropRegion], graph: PoseGraph, timer: StageTimer
) -> NDArray[np.uint8]:
    with timer.stage("crop"):
        return np.stack([crop_image(image, region, graph.size) for region in regions])


def _decode_all(
    output: NDArray[np.float32],
    kernels: NDArray[np.float32] | None,
    regions: Sequence[CropRegion],
    graph: PoseGraph,
    model: PoseModel,
    timer: StageTimer,
    near: PlacePrior | None = None,
) -> list[Pose]:
    with timer.stage("decode"):
        points, raw = graph.decode(output, near)
        confidence = graph.calibrate(raw)[..., None]
        poses = []
        for n, region in enumerate(regions):
            located = to_image(points[n], region, graph.size)
            keypoints = np.concatenate([located, confidence[n]], axis=1)
            # A copy, so that one person's memory does not keep the whole batch alive.
            memory = None if kernels is None else kernels[n].copy()
            poses.append(Pose.of(keypoints, memory, model.scored))
        return poses
