"""How far two annotators' labels of the same people lie apart: the sigmas of OKS.

COCO's sigma of a keypoint is its standard deviation beside the person's size s, the root of the
area: sigma^2 = E[d^2 / s^2], d being how far an annotator is from the true place
(cocodataset.org/#keypoints-eval; OKS then falls off with k = 2 sigma). Two annotators who err alone
are sqrt(2) times as far from each other, so sigma^2 = E[d^2 / s^2] / 2 of their distance d.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from vidpose.data.datasets.coco_file import CocoAnnotation, CocoFile
from vidpose.errors import DataError
from vidpose.skeleton import Skeleton

_SAME_PERSON = 0.5
"""Intersection over union of two boxes of one person."""
_FAR = 0.5
"""Of s: beyond this two labels are rather of two joints, such as left and right, than of one."""


@dataclass(frozen=True, slots=True, eq=False)
class Sigmas:
    """What two annotators' labels say.

    Attributes:
        sigmas: of each keypoint (K,), NaN where nobody labelled it twice.
        pairs: how many pairs of labels each rests on (K,).
        people, images: labelled by both.
        far: people and keypoint, for people, whose two labels lie further apart than half of s;
            they count.
    """

    sigmas: NDArray[np.float64]
    pairs: NDArray[np.intp]
    people: int
    images: int
    far: tuple[str, ...]


def sigmas_of_annotators(first: CocoFile, second: CocoFile, skeleton: Skeleton) -> Sigmas:
    """The sigmas by two files of the same images, which are known by their names.

    People of an image are the same where their boxes overlap by half at least. Raises DataError
    where nobody is labelled twice.
    """
    squares: list[NDArray[np.float64]] = []
    images: set[str] = set()
    far: list[str] = []
    for image, one, other in _same_people(first, second):
        both = (one.keypoints[:, 2] > 0) & (other.keypoints[:, 2] > 0)
        apart = (one.keypoints - other.keypoints)[:, :2].astype(float)
        square = np.where(both, (apart**2).sum(axis=1) / ((one.area + other.area) / 2), np.nan)
        squares.append(square)
        images.add(image)
        far += [f"{image}: {skeleton.keypoints[i]}" for i in np.flatnonzero(square > _FAR**2)]
    if not squares:
        raise DataError(f"{first.path}, {second.path}: nobody is labelled in both")
    table = np.stack(squares)
    pairs = np.isfinite(table).sum(axis=0)
    means = np.nansum(table, axis=0) / np.where(pairs, pairs, np.nan)
    return Sigmas(np.sqrt(means / 2), pairs, len(table), len(images), tuple(far))


def _same_people(
    first: CocoFile, second: CocoFile
) -> Iterator[tuple[str, CocoAnnotation, CocoAnnotation]]:
    """Image and both labels of everyone whom both have labelled."""
    others = _by_image(second)
    for image, people in _by_image(first).items():
        candidates = others.get(image, [])
        overlaps = np.array([[_overlap(a.box, b.box) for b in candidates] for a in people])
        if not overlaps.size:
            continue
        for row, column in zip(*linear_sum_assignment(-overlaps), strict=True):
            if overlaps[row, column] >= _SAME_PERSON:
                yield image, people[row], candidates[column]


def _by_image(file: CocoFile) -> Mapping[str, list[CocoAnnotation]]:
    found: dict[str, list[CocoAnnotation]] = {}
    for person in file.people:
        if person.is_posed and person.area > 0:
            name = PurePosixPath(file.images[person.image_id].replace("\\", "/")).name
            found.setdefault(name, []).append(person)
    return found


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union of boxes x, y, w, h."""
    sides = [max(min(a[i] + a[i + 2], b[i] + b[i + 2]) - max(a[i], b[i]), 0.0) for i in (0, 1)]
    shared = sides[0] * sides[1]
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)
