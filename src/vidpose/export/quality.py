"""What a bundle is worth on kept-out images: accuracy, and the calibration of its confidences.

Calibration is fitted on every other kept-out image, and its error is measured on the rest.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from vidpose.bundle import Bundle, Curve, write_bundle
from vidpose.data.loaders.still_clips import StillClips
from vidpose.data.samples import Sample
from vidpose.data.synthesis.crop_jitter import CropJitter
from vidpose.data.synthesis.limb_motion import MotionBank
from vidpose.data.synthesis.stills_to_clips import ClipConfig
from vidpose.export.kept_out import (
    everyday_people,
    kept_out_people,
    labelled_crops,
    require_stills,
    tracks,
)
from vidpose.inference.pose_model import PoseModel
from vidpose.methods.clips.task import ClipsConfig
from vidpose.methods.dkd.task import DKDConfig
from vidpose.metrics.calibration import apply_calibration, fit_calibration, reliability
from vidpose.metrics.pck import hits, person_size
from vidpose.skeleton import COCO_17, Skeleton
from vidpose.training.validation import keypoint_pck

_CLIPS = 100  # of each set
_HEAVY_STILLS, _HEAVY_CLIPS = 200, 50  # the papers' networks take a second for a frame
_CLIP_FRAMES = 10
_RIGHT_WITHIN = 0.2  # of the torso's longer diagonal


Answers: TypeAlias = tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Quality:
    """Measured figures, and the calibration points of each graph.

    `answers`: raw confidence and hit of every labelled joint by graph, and whether its still's
    number is even, for a calibration of several sets together.
    """

    metrics: Mapping[str, float]
    calibration: Mapping[str, Curve]
    answers: Mapping[str, Answers] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Predictions:
    """Keypoints (N, K, 2), raw confidences (N, K) and truth (N, K, 3), in crop pixels.

    `stills` (N,) numbers the images that they come from.
    """

    points: NDArray[np.float32]
    raw: NDArray[np.float32]
    truth: NDArray[np.float32]
    stills: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the step network: its crop (1, h, w, 3), its kernels, the maps that it gave,
    and the frame's keypoints (K, 3) in pixels of the initializer's crop."""

    crop: NDArray[np.uint8]
    kernels: NDArray[np.float32]
    maps: NDArray[np.float32]
    keypoints: NDArray[np.float32]


def recipe_quality(model: PoseModel, config: DKDConfig | ClipsConfig) -> Quality:
    """A model with a memory on the kept-out people of its recipe."""
    data = require_stills(config)
    heavy = isinstance(config, ClipsConfig)
    stills = kept_out_people(data, model.skeleton)[: _HEAVY_STILLS if heavy else None]
    moved = stills if data.own is not None else kept_out_people(data)
    moved = moved[: _HEAVY_CLIPS if heavy else None]
    motion = tracks(config, "test")
    labels = model.skeleton if data.own is not None else COCO_17
    first = memory_quality(model, stills, moved, motion, labels)
    everyday = [] if heavy else everyday_people(data)
    if not everyday:
        return first
    return together({"": first, "coco": memory_quality(model, everyday, everyday, motion)})


def together(parts: Mapping[str, Quality]) -> Quality:
    """The quality on several sets, by name: figures named `SET_...` (the set "" as they are),
    calibrated on all of them together."""
    metrics = {
        f"{name}_{key}" if name else key: value
        for name, part in parts.items()
        for key, value in part.metrics.items()
        if not key.endswith("calibration_error")
    }
    curves: dict[str, Curve] = {}
    answers: dict[str, Answers] = {}
    for graph in next(iter(parts.values())).answers:
        raw, right, even = (
            np.concatenate(each)
            for each in zip(*(part.answers[graph] for part in parts.values()), strict=True)
        )
        answers[graph] = raw, right, even
        curves[graph], metrics[f"{graph}_calibration_error"] = _calibrated(raw, right, even)
    return Quality(metrics, curves, answers)


def memory_quality(
    model: PoseModel,
    stills: Sequence[Sample],
    moved: Sequence[Sample],
    motion: MotionBank | None,
    labels: Skeleton = COCO_17,
) -> Quality:
    """The initializer on stills, labelled in the model's skeleton, and the step network on clips
    made of the first of `moved`, whose skeleton is `labels`."""
    first, later = on_stills(model, stills), on_clips(model, moved[:_CLIPS], motion, labels)
    return _quality({"initializer": first, "step": later}, model.skeleton)


def frame_quality(model: PoseModel, samples: Sequence[Sample]) -> Quality:
    """A per-frame network on stills, labelled in its skeleton."""
    return _quality({"frame": on_stills(model, samples)}, model.skeleton)


def loaded(bundle: Bundle) -> PoseModel:
    """The model as its users will run it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{bundle.name}.vidpose"
        write_bundle(path, bundle)
        return PoseModel.load(path)


def steps(
    model: PoseModel,
    samples: Sequence[Sample],
    frames: int,
    motion: MotionBank | None,
    labels: Skeleton = COCO_17,
    padding: float | None = None,
) -> Iterator[Step]:
    """The step network on its own memory, on a clip of each sample (whose skeleton is `labels`);
    a clip's first frame is the initializer's. `padding`: the model's own unless given."""
    assert model.stepper is not None
    whole, size = model.initializer.size, model.stepper.size
    clips = StillClips(
        list(samples),
        frames,
        whole,
        model.skeleton,
        0,
        motion,
        ClipConfig(tracker=CropJitter(padding=padding or model.padding)),
        in_order=True,
        labels=labels,
    )
    for index in range(len(samples)):
        clip = clips[index]
        images = clip["images"].numpy().transpose(0, 2, 3, 1)
        _, kernels = model.initialize(np.ascontiguousarray(images[:1]))
        assert kernels is not None
        for image, keypoints in zip(images[1:], clip["keypoints"].numpy()[1:], strict=True):
            crop = np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA))[None]
            maps, following = model.step(crop, kernels)
            yield Step(crop, kernels, maps, keypoints)
            kernels = following


def on_stills(model: PoseModel, samples: Sequence[Sample]) -> Predictions:
    """What the initializer, or a model without memory, finds in crops around people's boxes."""
    found, truth = [], []
    for crop, keypoints in labelled_crops(samples, model.initializer.size, model.padding):
        maps, _ = model.initialize(crop[None])
        found.append(model.initializer.decode(maps))
        truth.append(keypoints[None])
    return _joined(found, truth, len(samples))


def on_clips(
    model: PoseModel,
    samples: Sequence[Sample],
    motion: MotionBank | None,
    labels: Skeleton = COCO_17,
) -> Predictions:
    """What the step network finds in clips made of people, in pixels of the initializer's crop."""
    assert model.stepper is not None
    larger = model.initializer.size[0] / model.stepper.size[0]
    found, truth = [], []
    for step in steps(model, samples, _CLIP_FRAMES, motion, labels):
        points, mass = model.stepper.decode(step.maps)
        found.append(((points + 0.5) * larger - 0.5, mass))
        truth.append(step.keypoints[None])
    return _joined(found, truth, len(samples))


def _joined(
    found: list[tuple[NDArray[np.float32], NDArray[np.float32]]],
    truth: list[NDArray[np.float32]],
    stills: int,
) -> Predictions:
    points, raw = zip(*found, strict=True)
    per_still = len(truth) // stills
    return Predictions(
        np.concatenate(points),
        np.concatenate(raw),
        np.concatenate(truth),
        np.arange(len(truth)) // per_still,
    )


def _quality(predictions: Mapping[str, Predictions], skeleton: Skeleton) -> Quality:
    metrics: dict[str, float] = {}
    curves: dict[str, Curve] = {}
    answers: dict[str, Answers] = {}
    for name, part in predictions.items():
        scores = keypoint_pck(part.points, part.truth, skeleton)
        metrics |= {f"{name}_{key}": round(value, 2) for key, value in scores.items()}
        answers[name] = _correctness(part, skeleton)
        curves[name], metrics[f"{name}_calibration_error"] = _calibrated(*answers[name])
    return Quality(metrics, curves, answers)


def _calibrated(
    raw: NDArray[np.float32], right: NDArray[np.bool_], even: NDArray[np.bool_]
) -> tuple[Curve, float]:
    """The curve fitted on the even stills, and its error on the others."""
    points = fit_calibration(raw[even], right[even])
    error = reliability(apply_calibration(points, raw[~even]), right[~even]).ece
    return tuple((float(a), float(b)) for a, b in points), round(error, 4)


def _correctness(part: Predictions, skeleton: Skeleton) -> Answers:
    """Raw confidence and hit of every labelled joint, and whether its still's number is even."""
    labelled = part.truth[..., 2] > 0
    torso = person_size(part.truth, labelled, skeleton)
    right = hits(part.points, part.truth, torso, threshold=_RIGHT_WITHIN)
    labelled &= np.isfinite(torso)[:, None]
    even = np.broadcast_to((part.stills % 2 == 0)[:, None], labelled.shape)
    return part.raw[labelled], right[labelled], even[labelled]
