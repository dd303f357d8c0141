"""A labelled clip, the unit that every data set yields for evaluation; a still is one of one frame.

Coordinates are vidpose's whatever the files count in: keypoints in pixels with the origin at the
centre of the top-left pixel, boxes (x, y, w, h) with the origin at its corner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidpose.errors import DataError
from vidpose.skeleton import COCO_17, Skeleton


class LabelsMissingError(DataError):
    """The label file of a clip that a split lists is not there."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledClip:
    """One person's labels in T frames.

    Attributes:
        name: the clip's name in its data set; a file of predictions for it has this name.
        frames: the T image files, in order. They need not exist.
        keypoints: float32 (T, K, 3): x, y, and 1 where the joint is visible, else 0. NaN where
            the joint has no position.
        boxes: float32 (T, 4): x, y, w, h of the person.
        skeleton: names the K joints.
        boxes_from: what the boxes are, in words for the report.
        official_boxes: False where something stands in for the boxes of the protocols.
        head_boxes: float32 (T, 4) of the head where the data set has them.

    Raises DataError where the parts do not fit together.
    """

    name: str
    frames: tuple[Path, ...]
    keypoints: NDArray[np.float32]
    boxes: NDArray[np.float32]
    skeleton: Skeleton
    boxes_from: str = "ground truth"
    official_boxes: bool = True
    head_boxes: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        count, joints = len(self.frames), self.skeleton.num_keypoints
        if count == 0:
            raise DataError(f"clip {self.name}: it has no frames")
        if self.keypoints.shape != (count, joints, 3):
            raise DataError(
                f"clip {self.name}: {count} frames of {joints} joints need keypoints "
                f"({count}, {joints}, 3), got {self.keypoints.shape}"
            )
        for boxes in (self.boxes, self.head_boxes):
            if boxes is not None and boxes.shape != (count, 4):
                raise DataError(
                    f"clip {self.name}: {count} frames need boxes ({count}, 4), got {boxes.shape}"
                )

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True, slots=True, eq=False)
class ClipSet:
    """The clips of ONE split of a data set. Two of them cannot be joined: splits never mix.

    Attributes:
        data_set: the data set's title.
        split: the split's name.
        skeleton: of all its clips.
        names: of the clips that the labels at hand describe, in order.
        read: the clip of a name; raises DataError where its labels are missing or damaged.
        official: number of clips of the complete split, None where it is not fixed.
        unit: what a clip is called, "clips" or "people".
        whole_folders: each clip is one folder of images, all of which are labelled.
        comparable: whether figures of the complete split may stand beside published ones.
        coco: COCO's own annotations behind the clips, where OKS is measured.
    """

    data_set: str
    split: str
    skeleton: Skeleton
    names: tuple[str, ...]
    read: Callable[[str], LabelledClip]
    official: int | None
    unit: str = "clips"
    whole_folders: bool = True
    comparable: bool = True
    coco: CocoTruth | None = None

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[LabelledClip]:
        return (self.read(name) for name in self.names)


@dataclass(frozen=True, slots=True)
class CocoTruth:
    """COCO's annotation file and the image id of each clip's name.

    `skeleton`: of the file's keypoints. `content`: what the file is for pycocotools, of some
    images or of all, where it is not to be read from the file.
    """

    annotations: Path
    image_ids: Mapping[str, int] = field(default_factory=dict)
    skeleton: Skeleton = COCO_17
    content: Callable[[set[int] | None], dict[str, Any]] | None = None


def is_at_hand(clip: LabelledClip) -> bool:
    """Whether anything of the clip's images is there (any one frame, or its folder)."""
    if len(clip) == 1:
        return clip.frames[0].exists()
    return clip.frames[0].parent.is_dir()


def frame_fault(clip: LabelledClip, *, whole_folder: bool = True) -> str | None:
    """What is wrong with the number of a clip's image files, in one line; None if nothing is."""
    missing = [path for path in clip.frames if not path.exists()]
    if missing:
        there = len(clip) - len(missing)
        return (
            f"clip {clip.name}: {len(clip)} frames are labelled, {there} of them are there; "
            f"the first that is missing is {missing[0]}"
        )
    if whole_folder and len(clip) > 1:
        folder, suffix = clip.frames[0].parent, clip.frames[0].suffix
        images = sum(1 for _ in folder.glob(f"*{suffix}"))
        if images != len(clip):
            return (
                f"clip {clip.name}: {len(clip)} frames are labelled, but {folder} holds "
                f"{images} images"
            )
    return None


def fill_boxes(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Boxes (T, 4) whose empty ones (a side up to 1 px, or NaN) repeat the one before; at the
    start the next one. Unchanged where all are empty."""
    good = np.flatnonzero((boxes[:, 2] > 1) & (boxes[:, 3] > 1))
    if len(good) == 0:
        return boxes
    nearest = np.searchsorted(good, np.arange(len(boxes)), side="right") - 1
    return boxes[good[np.maximum(nearest, 0)]]


def pixel_extent(keypoints: NDArray[np.float32]) -> NDArray[np.float32]:
    """Boxes (T, 4) that just hold the pixels of all keypoints (T, K, 2+) with a position."""
    points = keypoints[..., :2].astype(np.float64)
    known = np.asarray(np.isfinite(points).all(axis=-1))[..., None]
    low = np.where(known, points, np.inf).min(axis=1)
    high = np.where(known, points, -np.inf).max(axis=1)
    boxes = np.concatenate([low, high - low + 1], axis=1)
    return np.where(known.any(axis=1), boxes, 0).astype(np.float32)


def still_of_joints(
    name: str, image: Path, joints: NDArray[np.float32], skeleton: Skeleton
) -> LabelledClip:
    """A clip of one frame of a data set without boxes: the extent of the joints stands for one.

    `joints` (K, 3): those whose third value is 0 have no position.
    """
    keypoints = joints[None].astype(np.float32)
    keypoints[keypoints[..., 2] == 0, :2] = np.nan
    boxes = pixel_extent(keypoints)
    return LabelledClip(name, (image,), keypoints, boxes, skeleton, "extent of the joints")


def named_split(split: str, splits: Sequence[str], data_set: str) -> str:
    """`split` if it is one of `splits`. Raises DataError otherwise."""
    if split not in splits:
        raise DataError(f"{data_set} has no split '{split}': choose one of {', '.join(splits)}")
    return split


def label_fault(clip: LabelledClip) -> str | None:
    """What is wrong with a clip's labels, in one line that names the first place; else None."""
    visible = clip.keypoints[..., 2] > 0
    lost = np.argwhere(visible & ~np.isfinite(clip.keypoints[..., :2]).all(axis=-1))
    if len(lost):
        frame, joint = lost[0]
        name = clip.skeleton.keypoints[joint]
        return (
            f"clip {clip.name}: {len(lost)} joints are marked visible but have no position (NaN); "
            f"the first is {name} in frame {frame}"
        )
    empty = np.flatnonzero(~(clip.boxes[:, 2:] > 0).all(axis=1))
    if len(empty):
        return f"clip {clip.name}: {len(empty)} boxes are empty; the first is in frame {empty[0]}"
    return None
