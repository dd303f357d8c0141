"""What a bundle is worth on kept-out images: accuracy, and the calibration of its confidences.

Calibration is fitted on every other kept-out image, and its error is measured on the rest.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidpose.bundle import Bundle, Curve, write_bundle
from vidpose.data.motion import MotionBank
from vidpose.data.penn_action import Split
from vidpose.data.samples import Sample, read_image
from vidpose.data.stills import StillsConfig
from vidpose.errors import DataError
from vidpose.metrics.calibration import apply_calibration, fit_calibration, reliability
from vidpose.metrics.pck import hits, torso_size
from vidpose.runtime.crop import crop_image, region_around, to_crop
from vidpose.runtime.decode import decode_maps, map_to_crop
from vidpose.runtime.model import PoseModel
from vidpose.skeleton import COCO_17
from vidpose.tasks.dkd import DKDConfig, kept_out_clips
from vidpose.tasks.validation import kept_out_samples, keypoint_pck

_PARITY_CROPS = 32
_CLIPS = 200
_CLIP_FRAMES = 10
_RIGHT_WITHIN = 0.2  # of the torso's longer diagonal


@dataclass(frozen=True, slots=True)
class Quality:
    """Measured figures, and the calibration points of each graph."""

    metrics: Mapping[str, float]
    calibration: Mapping[str, Curve]


@dataclass(frozen=True, slots=True)
class _Predictions:
    """Keypoints (N, 17, 2), raw confidences (N, 17) and truth (N, 17, 3), in crop pixels.

    `stills` (N,) numbers the images that they come from.
    """

    points: NDArray[np.float32]
    raw: NDArray[np.float32]
    truth: NDArray[np.float32]
    stills: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Step:
    """One call of the step network: its crop (1, h, w, 3), its kernels, the maps that it gave,
    and the frame's keypoints (17, 3) in pixels of the initializer's crop."""

    crop: NDArray[np.uint8]
    kernels: NDArray[np.float32]
    maps: NDArray[np.float32]
    keypoints: NDArray[np.float32]


def kept_out_crops(data: StillsConfig, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Crops uint8 (32, h, w, 3) of kept-out people."""
    return np.stack([crop for crop, _ in labelled_crops(measured_on(data)[:_PARITY_CROPS], size)])


def dkd_quality(model: PoseModel, samples: Sequence[Sample], motion: MotionBank | None) -> Quality:
    """The initializer on stills and the step network on clips made of them."""
    first = _on_stills(model, samples)
    later = _on_clips(model, samples[:_CLIPS], motion)
    return _quality({"initializer": first, "step": later})


def frame_quality(model: PoseModel, samples: Sequence[Sample]) -> Quality:
    """A per-frame network on stills."""
    return _quality({"frame": _on_stills(model, samples)})


def measured_on(data: StillsConfig) -> list[Sample]:
    """The kept-out people of a recipe's data. Raises DataError where it names none."""
    if data.lspet is None:
        raise DataError("the recipe names no lspet: its kept-out images measure the export")
    return kept_out_samples(data.lspet)


def tracks(config: DKDConfig, split: Split) -> MotionBank | None:
    """The real motion that the recipe names, if any."""
    if config.penn_action is None:
        return None
    return MotionBank.load(config.penn_action, split=split, cache_dir=config.cache)


def loaded(bundle: Bundle) -> PoseModel:
    """The model as its users will run it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{bundle.name}.vidpose"
        write_bundle(path, bundle)
        return PoseModel.load(path)


def labelled_crops(
    samples: Sequence[Sample], size: tuple[int, int]
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """Crops uint8 (h, w, 3) and their keypoints (17, 3)."""
    for sample in samples:
        region = region_around(sample.box, aspect=size[1] / size[0])
        crop = crop_image(read_image(sample.image), region, size)
        yield crop, to_crop(sample.keypoints, region, size)


def steps(
    model: PoseModel, samples: Sequence[Sample], frames: int, motion: MotionBank | None
) -> Iterator[_Step]:
    """The step network on its own memory, on a clip of each sample; a clip's first frame is the
    initializer's."""
    assert model.stepper is not None
    clips = kept_out_clips(list(samples), frames, motion)
    size = model.stepper.size
    ratio = model.initializer.size[0] // size[0]
    for index in range(len(samples)):
        clip = clips[index]
        images = clip["images"].numpy().transpose(0, 2, 3, 1)
        _, kernels = model.initialize(np.ascontiguousarray(images[:1]))
        assert kernels is not None
        for image, keypoints in zip(images[1:], clip["keypoints"].numpy()[1:], strict=True):
            blocks = image.reshape(size[0], ratio, size[1], ratio, 3)
            crop = blocks.mean(axis=(1, 3)).round().astype(np.uint8)[None]
            maps, following = model.step(crop, kernels)
            yield _Step(crop, kernels, maps, keypoints)
            kernels = following


def _on_stills(model: PoseModel, samples: Sequence[Sample]) -> _Predictions:
    graph = model.initializer
    found, truth = [], []
    for crop, keypoints in labelled_crops(samples, graph.size):
        maps, _ = model.initialize(crop[None])
        found.append(_keypoints(maps, graph.stride))
        truth.append(keypoints[None])
    return _joined(found, truth, len(samples))


def _on_clips(
    model: PoseModel, samples: Sequence[Sample], motion: MotionBank | None
) -> _Predictions:
    assert model.stepper is not None
    pixels = model.stepper.stride * (model.initializer.size[0] // model.stepper.size[0])
    found, truth = [], []
    for step in steps(model, samples, _CLIP_FRAMES, motion):
        found.append(_keypoints(step.maps, pixels))
        truth.append(step.keypoints[None])
    return _joined(found, truth, len(samples))


def _keypoints(
    maps: NDArray[np.float32], stride: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    points, mass = decode_maps(maps)
    return map_to_crop(points, stride), mass


def _joined(
    found: list[tuple[NDArray[np.float32], NDArray[np.float32]]],
    truth: list[NDArray[np.float32]],
    stills: int,
) -> _Predictions:
    points, raw = zip(*found, strict=True)
    per_still = len(truth) // stills
    return _Predictions(
        np.concatenate(points),
        np.concatenate(raw),
        np.concatenate(truth),
        np.arange(len(truth)) // per_still,
    )


def _quality(predictions: Mapping[str, _Predictions]) -> Quality:
    metrics: dict[str, float] = {}
    curves: dict[str, Curve] = {}
    for name, part in predictions.items():
        scores = keypoint_pck(part.points, part.truth)
        metrics |= {f"{name}_{key}": round(value, 2) for key, value in scores.items()}
        raw, right, even = _correctness(part)
        points = fit_calibration(raw[even], right[even])
        curves[name] = tuple((float(a), float(b)) for a, b in points)
        error = reliability(apply_calibration(points, raw[~even]), right[~even]).ece
        metrics[f"{name}_calibration_error"] = round(error, 4)
    return Quality(metrics, curves)


def _correctness(
    part: _Predictions,
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    """Raw confidence and hit of every labelled joint, and whether its still's number is even."""
    labelled = part.truth[..., 2] > 0
    torso = torso_size(part.truth, labelled, COCO_17)
    right = hits(part.points, part.truth, torso, threshold=_RIGHT_WITHIN)
    labelled &= np.isfinite(torso)[:, None]
    even = np.broadcast_to((part.stills % 2 == 0)[:, None], labelled.shape)
    return part.raw[labelled], right[labelled], even[labelled]
