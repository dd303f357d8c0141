"""Leeds Sports Pose Extended (Johnson and Everingham, CVPR 2011) in its official layout.

`images/imXXXXX.jpg` and `joints.mat`, an array `joints` of 14 x 3 x N: x, y (in pixels from the
image's corner) and a flag that tells labelled joints from unlabelled ones. Images whose joints
are all unlabelled or NaN are passed over. The labels are crowd-sourced: expect noise and swapped
sides.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from vidpose.data.samples import Sample, keypoint_box, require
from vidpose.errors import DataError
from vidpose.skeleton import COCO_17, LSP_14, map_keypoints

KEPT_OUT = 500
_HOME = "the folder of Leeds Sports Pose Extended, with images/ and joints.mat"


def load_lspet(root: Path | str) -> list[Sample]:
    """Every labelled image of `root`; the box is the extent of the labelled joints."""
    root = Path(root)
    require(root, _HOME)
    path = require(root / "joints.mat", _HOME)
    try:
        joints = loadmat(path)["joints"]
    except (MatReadError, ValueError, NotImplementedError, KeyError) as error:
        raise DataError(f"{path}: not the MATLAB file of Leeds Sports Pose ({error})") from error
    if joints.ndim != 3 or joints.shape[:2] != (14, 3):
        raise DataError(f"{path}: expected 14 x 3 x N joints, got {joints.shape}")
    samples = []
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
        name = f"im{number + 1:05d}.jpg"
        keypoints = np.nan_to_num(map_keypoints(column, LSP_14, COCO_17)).astype(np.float32)
        image = root / "images" / name
        samples.append(Sample(image, keypoint_box(column), keypoints, f"lspet/{name}/0"))
    return samples


def kept_out_names(root: Path | str) -> frozenset[str]:
    """File names of the 500 labelled images kept out of every training.

    They are those with the smallest SHA-256 of the file name, so that anyone who holds the same
    labelled set gets the same ones.
    """
    names = (sample.image.name for sample in load_lspet(root))
    ordered = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    return frozenset(ordered[:KEPT_OUT])
