"""Faces made unrecognisable, found by the keypoints alone."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from vidpose.results import FrameResult, Person
from vidpose.skeleton import Skeleton

_FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
_CELLS = 6  # across a face, which leaves nothing to recognise


def blur_faces(image: NDArray[np.uint8], result: FrameResult, skeleton: Skeleton) -> None:
    """Blur everybody's head in ``image`` (H, W, 3), in place.

    The head is a circle around the keypoints of the face, however unsure, at least as large as
    suits the body; where no face is seen it is placed above the shoulders. A face whose
    person is not found stays visible.
    """
    for person in result.people:
        circle = head_circle(person, skeleton)
        if circle is not None:
            _blur_circle(image, *circle)


def head_circle(person: Person, skeleton: Skeleton) -> tuple[float, float, float] | None:
    """x, y and radius in pixels of a person's head; None where neither head nor trunk is known."""
    points = _known(person, skeleton)
    trunk = _trunk(points)
    least = 0.3 * math.dist(*trunk) if trunk else 0.08 * max(person.box[2:])
    face = [points[name] for name in (*_FACE, *_others(skeleton)) if name in points]
    if face:
        low, high = np.min(face, axis=0), np.max(face, axis=0)
        x, y = (low + high) / 2
        return float(x), float(y), max(least, 0.8 * float(np.hypot(*(high - low))))
    if trunk is None:
        return None
    shoulders, hips = trunk
    up = np.subtract(shoulders, hips)
    x, y = np.add(shoulders, 0.4 * up)
    return float(x), float(y), 1.2 * least


def _others(skeleton: Skeleton) -> list[str]:
    return [skeleton.keypoints[index] for index in skeleton.group("face")]


def _known(person: Person, skeleton: Skeleton) -> dict[str, tuple[float, float]]:
    return {
        name: (float(x), float(y))
        for name, (x, y, confidence) in zip(skeleton.keypoints, person.keypoints, strict=True)
        if confidence > 0 and np.isfinite(x)
    }


def _trunk(
    points: dict[str, tuple[float, float]],
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """The middles of shoulders and hips."""
    middles = []
    for joint in ("shoulder", "hip"):
        ends = [points[name] for side in ("left", "right") if (name := f"{side}_{joint}") in points]
        if not ends:
            return None
        x, y = np.mean(ends, axis=0)
        middles.append((float(x), float(y)))
    return middles[0], middles[1]


def _blur_circle(image: NDArray[np.uint8], x: float, y: float, radius: float) -> None:
    height, width = image.shape[:2]
    left, right = max(0, math.floor(x - radius)), min(width, math.ceil(x + radius) + 1)
    top, bottom = max(0, math.floor(y - radius)), min(height, math.ceil(y + radius) + 1)
    if right <= left or bottom <= top:
        return
    patch = image[top:bottom, left:right]
    cell = max(1.0, 2 * radius / _CELLS)
    few = (max(1, round(patch.shape[1] / cell)), max(1, round(patch.shape[0] / cell)))
    size = (patch.shape[1], patch.shape[0])
    coarse = cv2.resize(patch, few, interpolation=cv2.INTER_AREA)
    smooth = cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR)
    rows, columns = np.ogrid[top:bottom, left:right]
    inside = (columns - x) ** 2 + (rows - y) ** 2 <= radius**2
    patch[inside] = smooth[inside]
