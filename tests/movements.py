"""Hand-made people for the tests of analysis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from vidpose.results import FrameResult, Person
from vidpose.skeleton import COCO_17, Skeleton

UPRIGHT: Mapping[str, tuple[float, float]] = {
    "nose": (104, 20), "ear": (100, 20), "eye": (103, 18), "shoulder": (100, 50),
    "elbow": (100, 80), "wrist": (100, 105), "hip": (100, 110), "knee": (100, 160),
    "ankle": (100, 210), "heel": (98, 216), "big_toe": (120, 216), "neck": (100, 45),
    "head_top": (100, 5),
}  # fmt: skip
"""Standing, seen from their right side, facing right."""


def pose(
    skeleton: Skeleton = COCO_17, moved: Mapping[str, tuple[float, float]] | None = None
) -> NDArray[np.float64]:
    """(K, 3) of the upright person with some joints, named with their side, elsewhere."""
    places = {name: UPRIGHT[name.removeprefix("left_").removeprefix("right_")] for name in
              skeleton.keypoints} | dict(moved or {})  # fmt: skip
    return np.array([(*places[name], 0.9) for name in skeleton.keypoints])


def turned(around: tuple[float, float], length: float, degrees: float) -> tuple[float, float]:
    """The point ``length`` away from ``around``, ``degrees`` anticlockwise from straight down."""
    angle = math.radians(degrees)
    return around[0] + length * math.sin(angle), around[1] + length * math.cos(angle)


def shifted(points: NDArray[np.float64], x: float, y: float = 0) -> NDArray[np.float64]:
    """The same pose elsewhere."""
    return points + np.array((x, y, 0))


def person(id: int, keypoints: NDArray[np.float64], box: Sequence[float] | None = None) -> Person:
    """A person whose box is the extent of the keypoints unless given."""
    low, high = np.nanmin(keypoints[:, :2], axis=0), np.nanmax(keypoints[:, :2], axis=0)
    return Person(id, 0.9, box if box is not None else [*low, *(high - low)], keypoints)


def frames(
    times: Sequence[float], people: Mapping[int, Sequence[NDArray[np.float64] | None]]
) -> list[FrameResult]:
    """A frame per time; ``people`` gives every id its keypoints in each frame, or None."""
    return [
        FrameResult(
            index,
            time,
            tuple(
                person(id, points[index])
                for id, points in people.items()
                if points[index] is not None
            ),
        )
        for index, time in enumerate(times)
    ]
