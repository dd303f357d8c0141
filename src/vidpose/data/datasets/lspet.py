"""Leeds Sports Pose Extended (Johnson and Everingham, CVPR 2011) in its official layout.

`images/imXXXXX.jpg` and `joints.mat`, an array `joints` of 14 x 3 x N: x, y (in pixels from the
image's corner) and a flag that tells labelled joints from unlabelled ones. Images whose joints
are all unlabelled or NaN are passed over. The labels are crowd-sourced: expect noise and swapped
sides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from vidpose.data.clips import ClipSet, LabelledClip, named_split, still_of_joints
from vidpose.data.samples import Sample, keypoint_box, require
from vidpose.errors import DataError
from vidpose.skeleton import COCO_17, LSP_14, Skeleton, map_keypoints

KEPT_OUT = 500
URL = "https://sam.johnson.io/research/lspet.html"
SPLITS = {"kept_out": KEPT_OUT, "train": 10_000}
_HOME = (
    f"the folder of Leeds Sports Pose Extended, with images/ and joints.mat (the data set: {URL})"
)


def load_lspet(root: Path | str, skeleton: Skeleton = COCO_17) -> list[Sample]:
    """Every labelled image of `root`; the box is the extent of the labelled joints."""
    root = Path(root)
    samples = []
    for name, column in _labelled(root):
        keypoints = np.nan_to_num(map_keypoints(column, LSP_14, skeleton)).astype(np.float32)
        image = root / "images" / name
        samples.append(Sample(image, keypoint_box(column), keypoints, f"lspet/{name}/0"))
    return samples


def open_people(root: Path, split: str) -> ClipSet:
    """The labelled people with all 14 joints: of every image ("train": the set has no test
    part), or of those that are kept out of this project's trainings ("kept_out")."""
    named_split(split, tuple(SPLITS), "Leeds Sports Pose Extended")
    kept = kept_out_names(root) if split == "kept_out" else None
    people = {
        Path(name).stem: (name, column)
        for name, column in _labelled(root)
        if kept is None or name in kept
    }

    def read(person: str) -> LabelledClip:
        name, column = people[person]
        return still_of_joints(person, root / "images" / name, column, LSP_14)

    return ClipSet(
        "Leeds Sports Pose Extended",
        split,
        LSP_14,
        tuple(people),
        read,
        SPLITS[split],
        unit="people",
        comparable=False,
    )


def _labelled(root: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Image name and joints (14, 3) in vidpose's pixels of each labelled image."""
    require(root, _HOME)
    path = require(root / "joints.mat", _HOME)
    try:
        joints = loadmat(path)["joints"]
    except (MatReadError, ValueError, NotImplementedError, KeyError) as error:
        raise DataError(f"{path}: not the MATLAB file of Leeds Sports Pose ({error})") from error
    if joints.ndim != 3 or joints.shape[:2] != (14, 3):
        raise DataError(f"{path}: expected 14 x 3 x N joints, got {joints.shape}")
    for number in range(joints.shape[2]):
        column = joints[:, :, number].astype(np.float32)
        known = np.isfinite(column).all(axis=1) & (column[:, 2] > 0)
        if known.sum() < 2:
            continue
        # The origin is the corner of the first pixel: found by comparing with a teacher on images
        # and their mirror images, which separates the teacher's bias from the labels'.
        column[:, :2] -= 0.5
        column[~known] = 0
        column[known, 2] = 1
        yield f"im{number + 1:05d}.jpg", column


def kept_out_names(root: Path | str) -> frozenset[str]:
    """File names of the 500 labelled images kept out of every training.

    They are those with the smallest SHA-256 of the file name, so that anyone who holds the same
    labelled set gets the same ones.
    """
    names = (name for name, _ in _labelled(Path(root)))
    ordered = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    return frozenset(ordered[:KEPT_OUT])
