"""JHMDB (Jhuang et al., ICCV 2013) and its part sub-JHMDB: 15 joints in every frame.

Official layout: ``joint_positions/CLASS/CLIP/joint_positions.mat``, ``Rename_Images/CLASS/CLIP/``,
``puppet_mask/CLASS/CLIP/puppet_mask.mat`` and ``splits/CLASS_test_split_N.txt``, for sub-JHMDB
``sub_splits/``. A line of a split file is ``CLIP.avi 1`` (train) or ``CLIP.avi 2`` (test).

There are three splits, and a test clip of one is a training clip of another. So every function
here takes one split and one part of it, and none gives more: what is trained on the training part
of split N may only be evaluated on the test part of split N.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vidpose.data.clips import (
    ClipSet,
    LabelledClip,
    LabelsMissingError,
    fill_boxes,
    named_split,
    pixel_extent,
)
from vidpose.data.datasets.matlab import load_array
from vidpose.errors import DataError
from vidpose.skeleton import JHMDB_15

URL = "http://jhmdb.is.tue.mpg.de/"
SPLITS = ("1", "2", "3")
UNSPLIT = "none"
"""All clips at hand, to inspect them; no figure of it may stand beside a published one."""

IMAGE = np.array([320.0, 240.0])
"""Width and height of all frames."""

Part = Literal["train", "test"]
Subset = Literal["jhmdb", "sub_jhmdb"]

_TITLES = {"jhmdb": "JHMDB", "sub_jhmdb": "sub-JHMDB"}
_SPLIT_FOLDERS = {"jhmdb": "splits", "sub_jhmdb": "sub_splits"}
# Clips of all three splits together; the parts of a single split differ by a few clips.
_OFFICIAL = {"jhmdb": 928, "sub_jhmdb": 316}
_FILE_NAME = re.compile(r"(?P<label>.+)_test_split_?(?P<split>[123])\.txt")
_PARTS: dict[str, Part] = {"1": "train", "2": "test"}
_HOME = f"the folder of JHMDB with joint_positions/ and Rename_Images/ (the data set: {URL})"


def open_split(root: Path, split: str, part: Part, subset: Subset) -> ClipSet:
    """The training or the test clips of one split ("1", "2" or "3").

    Raises DataError where the split's files are missing or damaged, or put a clip into both parts.
    """
    named_split(split, SPLITS, _TITLES[subset])
    listed = read_split(root, split, subset)
    classes = {name: label for name, (label, its_part) in listed.items() if its_part == part}
    # A complete split lists every clip of the subset, so the list itself is the official count.
    official = len(classes) if len(listed) == _OFFICIAL[subset] else None
    return _clip_set(root, subset, f"{split} {part}", classes, official)


def open_unsplit(root: Path, subset: Subset) -> ClipSet:
    """Every clip with labels, whatever the splits say of it: not for comparisons."""
    folder = root / "joint_positions"
    paths = sorted(folder.glob("*/*/joint_positions.mat"))
    if not paths:
        raise DataError(f"{folder} is missing or empty: give {_HOME}")
    classes = {path.parent.name: path.parent.parent.name for path in paths}
    return _clip_set(root, subset, UNSPLIT, classes, _OFFICIAL[subset])


def read_split(root: Path, split: str, subset: Subset) -> dict[str, tuple[str, Part]]:
    """For each clip of a split its class and its part.

    Raises DataError as `open_split`.
    """
    folder = root / _SPLIT_FOLDERS[subset]
    if not folder.is_dir():
        raise DataError(
            f"{folder} is missing: {_TITLES[subset]} is evaluated by its official splits, "
            f"unpack them there (the data set: {URL}); "
            f"'{UNSPLIT}' as the split takes all clips without one"
        )
    listed: dict[str, tuple[str, Part]] = {}
    for path in sorted(folder.glob("*.txt")):
        name = _FILE_NAME.fullmatch(path.name)
        if name is None or name["split"] != split:
            continue
        for clip, part in _read_lines(path):
            if listed.setdefault(clip, (name["label"], part))[1] != part:
                raise DataError(f"{path}: clip {clip} is in the training AND in the test part")
    if not listed:
        raise DataError(f"{folder}: no files CLASS_test_split_{split}.txt there")
    return listed


def _read_lines(path: Path) -> list[tuple[str, Part]]:
    rows = []
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        if len(words) != 2 or words[1] not in _PARTS:
            raise DataError(f"{path}, line {number}: expected 'CLIP.avi 1' or 'CLIP.avi 2'")
        rows.append((words[0].removesuffix(".avi"), _PARTS[words[1]]))
    return rows


def _clip_set(
    root: Path, subset: Subset, split: str, classes: dict[str, str], official: int | None
) -> ClipSet:
    def read(name: str) -> LabelledClip:
        return read_clip(root, classes[name], name)

    return ClipSet(
        _TITLES[subset],
        split,
        JHMDB_15,
        tuple(sorted(classes)),
        read,
        official,
        comparable=split != UNSPLIT,
    )


def read_clip(root: Path, label: str, name: str) -> LabelledClip:
    """One clip of the class `label`.

    The files count pixels from 1. A joint is visible where it lies inside the image, as the
    frames are 320 x 240; the data set itself marks nothing. Boxes are the extent of the puppet's
    mask, empty ones repeat their neighbours'; without a mask, the extent of the joints.

    Raises DataError where labels are missing, damaged, or of another length than the mask.
    """
    path = root / "joint_positions" / label / name / "joint_positions.mat"
    if not path.is_file():
        raise LabelsMissingError(f"{path} is missing: give {_HOME}")
    positions = load_array(path, "pos_img")
    if positions.ndim != 3 or positions.shape[:2] != (2, JHMDB_15.num_keypoints):
        raise DataError(f"{path}: pos_img must be 2 x 15 x frames, got {positions.shape}")
    points = positions.transpose(2, 1, 0) - 1
    inside = np.asarray(((points > -0.5) & (points < IMAGE - 0.5)).all(axis=-1))
    keypoints = np.concatenate([points, inside[..., None]], axis=-1).astype(np.float32)
    folder = root / "Rename_Images" / label / name
    frames = tuple(folder / f"{index + 1:05d}.png" for index in range(len(points)))
    mask = root / "puppet_mask" / label / name / "puppet_mask.mat"
    if mask.is_file():
        return LabelledClip(
            name, frames, keypoints, mask_boxes(mask, len(points)), JHMDB_15, "puppet mask"
        )
    boxes = fill_boxes(pixel_extent(keypoints))
    stand_in = "extent of the joints (no puppet mask)"
    return LabelledClip(name, frames, keypoints, boxes, JHMDB_15, stand_in, official_boxes=False)


def unlabelled(root: Path) -> list[Path]:
    """Folders of images whose labels are missing."""
    folders = sorted((root / "Rename_Images").glob("*/*/"))
    labels = root / "joint_positions"
    return [
        folder
        for folder in folders
        if not (labels / folder.parent.name / folder.name / "joint_positions.mat").is_file()
    ]


def mask_boxes(path: Path, frames: int) -> NDArray[np.float32]:
    """Boxes (T, 4) around the mask's pixels."""
    mask = load_array(path, "part_mask")
    if mask.ndim == 2:
        mask = mask[..., None]  # MATLAB drops a last axis of one
    if mask.ndim != 3 or mask.shape[2] != frames:
        raise DataError(f"{path}: part_mask must be h x w x {frames} frames, got {mask.shape}")
    boxes = np.zeros((frames, 4), np.float32)
    for frame in range(frames):
        rows, columns = np.nonzero(mask[:, :, frame])
        if len(rows):
            low = np.array([columns.min(), rows.min()])
            high = np.array([columns.max(), rows.max()])
            boxes[frame] = [*low, *(high - low + 1)]
    return fill_boxes(boxes)
