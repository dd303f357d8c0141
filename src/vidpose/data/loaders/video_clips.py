"""Clips of labelled video for training: windows of an official set, cropped and augmented.

A window is T labelled frames running. Each frame is cropped around its own labelled box; scale,
rotation and mirroring are drawn once for the window, as published for LSTM Pose Machines and DKD.
Occluded joints have targets, joints outside the image or the crop have none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from torch.utils.data import Dataset

from vidpose.data.clips import (
    ClipSet,
    LabelledClip,
    LabelsMissingError,
    frame_fault,
    is_at_hand,
    label_fault,
)
from vidpose.data.datasets import jhmdb, penn_action, posetrack18
from vidpose.data.loaders.augment import crop_matrix, warp_affine, weight_outside
from vidpose.data.samples import read_image
from vidpose.errors import DataError
from vidpose.inference.crop import region_around
from vidpose.skeleton import Skeleton, joint_sources, map_keypoints

SPLITS = {
    "penn_action": ("train",),
    "jhmdb": jhmdb.SPLITS,
    "sub_jhmdb": jhmdb.SPLITS,
    "posetrack18": ("train",),
}
"""What each set may be trained on: its training part, or that of one split."""


class VideoConfig(BaseModel):
    """Recipe section of an official video set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    set: Literal["penn_action", "jhmdb", "sub_jhmdb", "posetrack18"]
    path: Path
    """The set's folder, in the official layout."""
    split: Annotated[str, BeforeValidator(str)] = Field(default="train", validate_default=True)
    """`train`; of jhmdb and sub_jhmdb `1`, `2` or `3`, whose training part is learnt from and whose
    test part is for evaluation."""
    incomplete: bool = False
    """Learn from what is there of the training clips; without it every clip must be there."""

    @model_validator(mode="after")
    def _known_split(self) -> VideoConfig:
        if self.split not in SPLITS[self.set]:
            allowed = " or ".join(SPLITS[self.set])
            raise ValueError(f"split of {self.set}: {allowed}, not {self.split}")
        return self


def open_part(config: VideoConfig, part: Literal["train", "test"]) -> ClipSet:
    """The training or the test clips that a recipe means.

    Raises DataError where label or split files are missing.
    """
    if config.set == "jhmdb" or config.set == "sub_jhmdb":
        return jhmdb.open_split(config.path, config.split, part, config.set)
    if config.set == "penn_action":
        return penn_action.open_clips(config.path, part)
    return posetrack18.open_clips(config.path, "train" if part == "train" else "val")


def training_clips(config: VideoConfig, frames: int) -> list[LabelledClip]:
    """The clips to learn from, all of at least `frames` frames.

    Raises DataError where anything of the training part is faulty; where anything is missing,
    unless the section says `incomplete`; and where nothing is left.
    """
    part = open_part(config, "train")
    clips = _sound(part)
    where = f"{config.path}: {part.data_set}, split {part.split}"
    listing = f"`vidpose data check {config.set} {config.path}` lists everything"
    lack = _lack(part, clips)
    if lack is not None and not config.incomplete:
        raise DataError(
            f"{where}: {lack}; complete the copy ({listing}), or learn from what is there with "
            "task.video.incomplete=true"
        )
    there = [clip for clip in clips if is_at_hand(clip)]
    found = [clip for clip in there if len(clip) >= frames]
    if not found:
        raise DataError(
            f"{where}: nothing to learn from: of {len(part):,} clips {len(there):,} are there with "
            f"labels and images, none of them has {frames} frames ({listing})"
        )
    return found


def kept_out_videos(config: VideoConfig, frames: int, most: int) -> list[LabelledClip]:
    """At most `most` clips of the test part, evenly chosen of those that are there.

    Clips shorter than `frames` are passed over. None where the set has no labels of a test part.
    Raises DataError where labels or images are faulty.
    """
    try:
        part = open_part(config, "test")
    except DataError:
        if config.set == "posetrack18":  # its validation labels are a folder of their own
            return []
        raise
    there = [clip for clip in _sound(part) if is_at_hand(clip) and len(clip) >= frames]
    return there[:: max(len(there) // most, 1)][:most]


class VideoClips(Dataset[dict[str, Any]]):
    """Endless windows of labelled clips; item i is a function of (seed, i) alone.

    Items: `images` uint8 (T, 3, h, w), `keypoints` float32 (T, K, 3) in their pixels, whose third
    column is 1 where the joint has a position within the image and the crop, and `box_size`
    float32 (T,), the longer side of each frame's box in the same pixels.

    Args:
        clips: of at least T frames each, of one skeleton.
        frames: T.
        size: (h, w) of the crops.
        skeleton: of the keypoints that come out.
        seed: with i, what everything random comes from.
        rotation_deg: a window is turned by up to this angle, evenly drawn.
        scale: factor on the side of the crops, smallest and largest; its inverse, the factor on
            the person, is evenly drawn.
        in_order: item i is the middle of clip i as it is; otherwise everything is drawn.
    """

    def __init__(
        self,
        clips: Sequence[LabelledClip],
        frames: int,
        size: tuple[int, int],
        skeleton: Skeleton,
        seed: int,
        rotation_deg: float = 0.0,
        scale: tuple[float, float] = (1.0, 1.0),
        in_order: bool = False,
    ) -> None:
        self._clips = clips
        self._frames = frames
        self._size = size
        self._skeleton = skeleton
        self._seed = seed
        self._rotation = rotation_deg
        self._scale = scale
        self._in_order = in_order

    def __getitem__(self, index: int) -> dict[str, Any]:
        if self._in_order:
            clip = self._clips[index]
            first, turn, factor, mirrored = (len(clip) - self._frames) // 2, 0.0, 1.0, False
        else:
            rng = np.random.default_rng([self._seed, index])
            clip = self._clips[int(rng.integers(len(self._clips)))]
            first = int(rng.integers(len(clip) - self._frames + 1))
            turn = rng.uniform(-self._rotation, self._rotation)
            factor = 1 / rng.uniform(1 / self._scale[1], 1 / self._scale[0])
            mirrored = bool(rng.random() < 0.5) and clip.skeleton.can_be_mirrored
        images, keypoints, sizes = [], [], []
        for frame in range(first, first + self._frames):
            crop, points, size = self._crop(clip, frame, turn, factor, mirrored)
            images.append(crop.transpose(2, 0, 1))
            keypoints.append(points)
            sizes.append(size)
        return {
            "images": torch.from_numpy(np.stack(images)),
            "keypoints": torch.from_numpy(np.stack(keypoints)),
            "box_size": torch.tensor(sizes, dtype=torch.float32),
        }

    def _crop(
        self, clip: LabelledClip, frame: int, turn: float, factor: float, mirrored: bool
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], float]:
        """Crop, keypoints (K, 3) and size of the box of one frame."""
        image = read_image(clip.frames[frame])
        height, width = self._size
        x, y, w, h = (float(side) for side in clip.boxes[frame])
        region = region_around((x, y, w, h), aspect=width / height)
        center = np.array(region.center) - 0.5
        matrix = crop_matrix(center, height / (region.h * factor), turn, self._size)
        points = labelled(clip.keypoints[frame], image.shape[:2])
        if mirrored:
            matrix[0] = [-matrix[0, 0], -matrix[0, 1], width - 1 - matrix[0, 2]]
            points = points[list(clip.skeleton.flip_index)]
        points[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        points = map_keypoints(weight_outside(points, self._size), clip.skeleton, self._skeleton)
        points[points[:, 2] <= 0] = 0
        longer = max(w, h) * height / (region.h * factor)
        return warp_affine(image, matrix, self._size), points.astype(np.float32), longer


def labelled(keypoints: NDArray[np.float32], image: tuple[int, ...]) -> NDArray[np.float32]:
    """Keypoints (K, 3) whose third column is 1 where they have a position within an image of
    (h, w) pixels, occluded or not; all else is 0."""
    known = np.asarray(np.isfinite(keypoints[:, :2]).all(axis=1))
    points = np.column_stack([np.nan_to_num(keypoints[:, :2]), known]).astype(np.float32)
    points = weight_outside(points, (image[0], image[1]))
    points[points[:, 2] == 0] = 0
    return points


def require_joints(source: Skeleton, target: Skeleton) -> None:
    """Raise DataError when a set of the skeleton `source` cannot teach all joints of `target`."""
    lacking = [joint for joint, parts in joint_sources(source, target).items() if not parts]
    if lacking:
        raise DataError(
            f"skeleton {target.name}: clips labelled with {source.name} have no "
            f"{', '.join(lacking)}; take skeleton: {source.name}"
        )


def _sound(part: ClipSet) -> list[LabelledClip]:
    """The clips of a part that have labels.

    Raises DataError for the first with faulty labels, or with another number of images.
    """
    clips = []
    for name in part.names:
        try:
            clip = part.read(name)
        except LabelsMissingError:
            continue
        fault = label_fault(clip)
        if fault is None and is_at_hand(clip):
            fault = frame_fault(clip, whole_folder=part.whole_folders)
        if fault is not None:
            raise DataError(f"{part.data_set}, {fault}")
        clips.append(clip)
    return clips


def _lack(part: ClipSet, clips: Sequence[LabelledClip]) -> str | None:
    """What the complete part has and this copy has not, in words; None if it is complete."""
    absent = [clip for clip in clips if not is_at_hand(clip)]
    of = len(part) if part.official is None else part.official
    if len(clips) < of:
        return f"labels of {of - len(clips):,} of {of:,} {part.unit} are missing"
    if absent:
        images = f"images of {len(absent):,} of {len(clips):,} {part.unit} are missing"
        return f"{images}, the first {absent[0].frames[0]}"
    if part.official is None:
        return f"the {of:,} {part.unit} that its label files list are not the whole set"
    stand_ins = sum(not clip.official_boxes for clip in clips)
    if stand_ins:
        return f"the boxes of {stand_ins:,} {part.unit} are missing (puppet_mask/)"
    return None
