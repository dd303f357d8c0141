"""Labelled people for an imported network: crops to compare on, and calibrated confidences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidpose.bundle import Curve, Size
from vidpose.data.clips import ClipSet, LabelledClip
from vidpose.data.samples import read_image
from vidpose.errors import DataError
from vidpose.inference import PoseModel
from vidpose.inference.boxes import Box, iou
from vidpose.inference.crop import crop_image, region_around
from vidpose.inference.pose import initialize
from vidpose.inference.timing import StageTimer
from vidpose.metrics.calibration import apply_calibration, fit_calibration, reliability
from vidpose.metrics.pck import hits, torso_size
from vidpose.skeleton import map_keypoints

MOST = 500  # people that are used
RIGHT_WITHIN = 0.2  # of the torso's longer diagonal, as everywhere in the project


@dataclass(frozen=True, slots=True)
class Calibration:
    """A curve from raw confidence to probability, and what was measured on the way: people and
    empty regions beside them, percent of the people's joints that are right, and the expected
    error of the calibrated confidences of every second person, who had no part in the curve."""

    curve: Curve
    people: int
    empty: int
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

    Beside people it takes regions without a labelled person, and counts whatever it finds there
    as wrong: on people alone even the least confidence is often right, and a stream that relied on
    that would follow furniture. Raises DataError where no label can say whether a joint is right.
    """
    raw, right, even, hit = [], [], [], []
    taken: dict[Path, list[Box]] = {}
    for clip in people:
        taken.setdefault(clip.frames[0], []).append(_box(clip))
    empty = 0
    for number, clip in enumerate(people):
        image = read_image(clip.frames[0])
        boxes = [_box(clip), *_beside(_box(clip), taken[clip.frames[0]], image.shape[:2])]
        regions = [region_around(b, aspect=model.aspect, padding=model.padding) for b in boxes]
        pose, *others = initialize(model, image, regions, StageTimer())
        found = map_keypoints(pose.keypoints, model.skeleton, clip.skeleton)[None]
        truth = clip.keypoints[:1]
        labelled = (truth[..., 2] > 0) & np.isfinite(found[..., 0])
        torso = torso_size(truth, truth[..., 2] > 0, clip.skeleton)
        labelled &= np.isfinite(torso)[:, None]
        confidences = [found[..., 2][labelled], *(other.keypoints[:, 2] for other in others)]
        hit.append(hits(found, truth, torso, threshold=RIGHT_WITHIN)[labelled])
        raw += confidences
        right += [hit[-1], *(np.zeros(len(each), bool) for each in confidences[1:])]
        even += [np.full(len(each), number % 2 == 0) for each in confidences]
        empty += len(others)
    values, correct, fitted = (np.concatenate(part) for part in (raw, right, even))
    if not fitted.any() or fitted.all():
        raise DataError("the labelled people have no joints by which confidences can be calibrated")
    points = fit_calibration(values[fitted], correct[fitted])
    checked = reliability(apply_calibration(points, values[~fitted]), correct[~fitted])
    curve = tuple((float(a), float(b)) for a, b in points)
    pck = 100 * float(np.concatenate(hit).mean())
    return Calibration(curve, len(people), empty, pck, checked.ece)


def _beside(box: Box, taken: Sequence[Box], size: tuple[int, int]) -> list[Box]:
    """A box of the same size to the right or left that lies in an image of `size` (height, width)
    and touches no person; none where there is no room."""
    x, y, w, h = box
    for there in (x + 1.5 * w, x - 1.5 * w):
        other = (there, y, w, h)
        free = not iou(np.array([other]), np.array(taken)).any()
        if free and there >= 0 and there + w <= size[1]:
            return [other]
    return []


def _box(clip: LabelledClip) -> Box:
    x, y, w, h = (float(value) for value in clip.boxes[0])
    return x, y, w, h
