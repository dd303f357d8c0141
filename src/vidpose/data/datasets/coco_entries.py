"""One annotation of a COCO keypoint file: what it lacks is completed, what is wrong is named."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidpose.results import FARTHEST
from vidpose.skeleton import COCO_17, Skeleton

Box = tuple[float, float, float, float]


class EntryFault(Exception):
    """What is wrong with an entry, beginning with the key."""


@dataclass(slots=True)
class Completed:
    """How often each thing was completed, for one line a file."""

    counts: Counter[str] = field(default_factory=Counter)

    def note(self, what: str, times: int = 1) -> None:
        self.counts[what] += times

    def describe(self) -> str:
        return "; ".join(f"{what} ({count:,})" for what, count in self.counts.items())


def as_id(entry: Mapping[str, Any], key: str, completed: Completed) -> int:
    """A whole number, also one that is written as text. Raises EntryFault."""
    value = entry.get(key)
    if value is None:
        raise EntryFault(f"{key} is missing")
    try:
        number = int(value) if isinstance(value, str) else value
        if isinstance(number, bool) or int(number) != number:
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise EntryFault(f"{key} must be a whole number, not {_short(value)}") from None
    if isinstance(value, str):
        completed.note("ids written as text read as numbers")
    return int(number)


def normalise(
    entry: Any, images: Mapping[int, str], completed: Completed, skeleton: Skeleton = COCO_17
) -> dict[str, Any]:
    """The values of a CocoAnnotation; a missing id is 0. Raises EntryFault."""
    if not isinstance(entry, Mapping):
        raise EntryFault("not an object")
    image_id = as_id(entry, "image_id", completed)
    if image_id not in images:
        raise EntryFault(f"image_id {image_id} is not among the file's images")
    crowd = _crowd(entry, completed)
    keypoints = _keypoints(entry, skeleton)
    labelled = int((keypoints[:, 2] > 0).sum())
    if entry.get("num_keypoints") != labelled and (labelled or entry.get("num_keypoints")):
        completed.note("num_keypoints counted from the visibility")
    box = _box(entry, keypoints, crowd, completed)
    return {
        "id": 0 if entry.get("id") is None else as_id(entry, "id", completed),
        "image_id": image_id,
        "box": box,
        "area": _area(entry, box, completed),
        "crowd": crowd,
        "keypoints": keypoints,
    }


def _crowd(entry: Mapping[str, Any], completed: Completed) -> bool:
    value = entry.get("iscrowd")
    if value is None:
        completed.note("iscrowd taken as 0")
        return False
    if value not in (0, 1):
        raise EntryFault(f"iscrowd must be 0 or 1, not {_short(value)}")
    return bool(value)


def _keypoints(entry: Mapping[str, Any], skeleton: Skeleton) -> NDArray[np.float32]:
    value, joints = entry.get("keypoints"), skeleton.num_keypoints
    if value is None or value == []:
        if entry.get("num_keypoints"):
            raise EntryFault(f"keypoints is missing, but num_keypoints is {entry['num_keypoints']}")
        return np.zeros((joints, 3), np.float32)
    whose = "COCO's" if skeleton is COCO_17 else f"{skeleton.name}'s"
    what = f"keypoints (x, y, visibility of {whose} {joints} joints)"
    flat = _numbers(what, value, 3 * joints)
    points = flat.reshape(joints, 3)
    if not (points[:, 2] >= 0).all():
        joint = skeleton.keypoints[int((~(points[:, 2] >= 0)).argmax())]
        raise EntryFault(f"keypoints: the visibility of {joint} must be 0, 1 or 2")
    lost = (points[:, 2] > 0) & ~np.isfinite(points[:, :2]).all(axis=1)
    if lost.any():
        joint = skeleton.keypoints[int(lost.argmax())]
        raise EntryFault(f"keypoints: {joint} is marked visible but has no position (NaN)")
    points[points[:, 2] == 0, :2] = np.nan_to_num(points[points[:, 2] == 0, :2])
    return points.astype(np.float32)


def _box(
    entry: Mapping[str, Any], keypoints: NDArray[np.float32], crowd: bool, completed: Completed
) -> Box:
    """The box of the file; where that is missing or empty the extent of the keypoints."""
    value = entry.get("bbox")
    if value is not None and value != []:
        box = _numbers("bbox", value, 4)
        if not np.isfinite(box).all():
            raise EntryFault("bbox holds NaN or infinity")
        if (box[2:] > 0).all():
            return float(box[0]), float(box[1]), float(box[2]), float(box[3])
    known = keypoints[keypoints[:, 2] > 0, :2].astype(float)
    if not len(known) or crowd:
        completed.note("passed over, with neither box nor keypoints")
        return 0.0, 0.0, 0.0, 0.0
    low, high = known.min(axis=0), known.max(axis=0)
    if (low == high).all():
        completed.note("left out, as bbox is missing and the keypoints lie in one place")
        return 0.0, 0.0, 0.0, 0.0
    completed.note("bbox taken from the keypoints")
    width, height = high - low + 1
    return float(low[0]), float(low[1]), float(width), float(height)


def _area(entry: Mapping[str, Any], box: Box, completed: Completed) -> float:
    value = entry.get("area")
    if value is not None:
        (area,) = _numbers("area", [value], 1, FARTHEST**2)
        if math.isfinite(area) and area > 0:
            return float(area)
    if box[2] * box[3] > 0:
        completed.note("area taken from the box, which is about twice the person's")
    return box[2] * box[3]


def _numbers(key: str, value: Any, count: int, most: float = FARTHEST) -> NDArray[np.float64]:
    try:
        found = np.array(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise EntryFault(f"{key} must be {count} numbers, not {_short(value)}") from None
    if found.size != count:
        raise EntryFault(f"{key} must be {count} numbers, not {found.size}")
    far = found[np.isfinite(found) & (np.abs(found) > most)]
    if far.size:
        raise EntryFault(f"{key} holds {far[0]:.3g}; more than {most:.0e} is damage")
    return found.ravel()


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
