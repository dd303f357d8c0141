"""Leeds Sports Pose (Johnson and Everingham, BMVC 2010) in its official layout.

`images/im0001.jpg` to `im2000.jpg` and `joints.mat`, an array `joints` of 3 x 14 x 2000: x, y and a
flag. The first 1,000 images are for training, the others for testing. Every joint has a position,
hidden ones too, so all count; the flag, which tells the hidden ones, is not used. MATLAB's
counting from 1 is taken off, an interpretation.
"""

from __future__ import annotations

from pathlib import Path

from vidpose.data.clips import ClipSet, LabelledClip, named_split, still_of_joints
from vidpose.data.datasets.matlab import load_array
from vidpose.data.samples import require
from vidpose.errors import DataError
from vidpose.skeleton import LSP_14

URL = "https://sam.johnson.io/research/lsp.html"
SPLITS = {"train": range(1000), "test": range(1000, 2000)}


def open_people(root: Path, split: str) -> ClipSet:
    """The people of "train" or "test". Raises DataError where joints.mat is missing or damaged."""
    named_split(split, tuple(SPLITS), "Leeds Sports Pose")
    home = f"the folder of Leeds Sports Pose with images/ and joints.mat (the data set: {URL})"
    path = require(root / "joints.mat", home)
    joints = load_array(path, "joints")
    if joints.ndim != 3 or joints.shape[:2] != (3, LSP_14.num_keypoints):
        raise DataError(f"{path}: expected 3 x 14 x N joints, got {joints.shape}")
    numbers = {f"im{n + 1:04d}": n for n in SPLITS[split] if n < joints.shape[2]}

    def read(name: str) -> LabelledClip:
        column = joints[:, :, numbers[name]].T.copy()
        column[:, :2] -= 1
        column[:, 2] = 1  # so a NaN among them is a fault of the file
        return still_of_joints(name, root / "images" / f"{name}.jpg", column, LSP_14)

    official = len(SPLITS[split])
    return ClipSet(
        "Leeds Sports Pose", split, LSP_14, tuple(numbers), read, official, unit="people"
    )
