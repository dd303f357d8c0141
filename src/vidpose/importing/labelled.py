"""Labelled people for an imported network: crops to compare on, and calibrated confidences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidpose.bundle import Curve, Size
from vidpose.data.clips import ClipSet, LabelledClip
from vidpose.data.samples import read_image
from vidpose.errors import DataError
from vidpose.inference import PoseModel
from vidpose.inference.crop import crop_image, region_around
from vidpose.inference.pose import initialize
from vidpose.inference.timing import StageTimer
from vidpose.metrics.calibration import apply_calibration, fit_calibration, reliability
from vidpose.metrics.pck import hits, torso_size
from vidpose.skeleton import map_keypoints

MOST = 500  # people that are looked at
RIGHT_WITHIN = 0.2  # of the torso's longer diagonal, as everywhere in the project


@dataclass(frozen=True, slots=True)
class Calibration:
    """A curve from raw confidence to probability, and what was measured on the way: people,
    percent of joints that are right, and the expected error of the calibrated confidences of
    every second person, who had no part in the curve."""

    curve: Curve
    people: int
    pck: float
    error: float


def people_of(clips: ClipSet) -> list[LabelledClip]:
    """The first frames of at most `MOST` clips, spread evenly over the set."""
    step = max(1, len(clips) // MOST)
    return [clips.read(name) for name in clips.names[::step][:MOST]]


def crops_of(
    people: Sequence[LabelledClip], size: Size, padding: float, count: int
) -> list[NDArray[np.uint8]]:
    """Crops uint8 RGB of `size` = (height, width) of the first people."""
    crops = []
    for clip in people[:count]:
        region = region_around(_box(clip), aspect=size[1] / size[0], padding=padding)
        crops.append(crop_image(read_image(clip.frames[0]), region, size))
    return crops


def calibrate(model: PoseModel, people: Sequence[LabelledClip]) -> Calibration:
    """Fit a model's confidences, which must be raw yet.

    Raises DataError where no label can say whether a joint is right.
    """
    raw, right, even = [], [], []
    for number, clip in enumerate(people):
        box = _box(clip)
        region = region_around(box, aspect=model.aspect, padding=model.padding)
        (pose,) = initialize(model, read_image(clip.frames[0]), [region], StageTimer())
        found = map_keypoints(pose.keypoints, model.skeleton, clip.skeleton)[None]
        truth = clip.keypoints[:1]
        labelled = (truth[..., 2] > 0) & np.isfinite(found[..., 0])
        torso = torso_size(truth, truth[..., 2] > 0, clip.skeleton)
        labelled &= np.isfinite(torso)[:, None]
        raw.append(found[..., 2][labelled])
        right.append(hits(found, truth, torso, threshold=RIGHT_WITHIN)[labelled])
        even.append(np.full(int(labelled.sum()), number % 2 == 0))
    values, correct, fitted = (np.concatenate(part) for part in (raw, right, even))
    if not fitted.any() or fitted.all():
        raise DataError("the labelled people have no joints by which confidences can be calibrated")
    points = fit_calibration(values[fitted], correct[fitted])
    checked = reliability(apply_calibration(points, values[~fitted]), correct[~fitted])
    curve = tuple((float(a), float(b)) for a, b in points)
    return Calibration(curve, len(people), 100 * float(correct.mean()), checked.ece)


def _box(clip: LabelledClip) -> tuple[float, float, float, float]:
    x, y, w, h = (float(value) for value in clip.boxes[0])
    return x, y, w, h
