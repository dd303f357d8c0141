"""MPII Human Pose (Andriluka et al., CVPR 2014): 16 joints, many people an image.

The official labels are one file, `mpii_human_pose_v1_u12_1.mat`, with joints for the training
images only. The split into training and validation people that papers use comes with later code,
as JSON: `annot/train.json`, `annot/valid.json` and `annot/gt_valid.mat` (head boxes), or the same
under `annotations/` as `mpii_train.json`, `mpii_val.json` and `mpii_gt_val.mat`. Images are in
`images/`.

| split | labels | people |
|---|---|---|
| `val` | JSON, with truth and head boxes of the .mat beside it | 2,958 |
| `train` | JSON | 22,246 |
| `release` | the official .mat: every labelled person, training and validation | |

All files count pixels from 1. There are no boxes of the whole body: `scale` x 200 px square around
the `center` moved down by 15 x `scale`, as the field does, stands for one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidpose.data.clips import ClipSet, LabelledClip, named_split
from vidpose.data.datasets.matlab import load_mat
from vidpose.data.samples import Sample
from vidpose.errors import DataError
from vidpose.skeleton import MPII_16, Skeleton

URL = "http://human-pose.mpi-inf.mpg.de/"
SPLITS: dict[str, int | None] = {"val": 2958, "train": 22_246, "release": None}

_JSON = {
    "val": ("annot/valid.json", "annotations/mpii_val.json"),
    "train": ("annot/train.json", "annotations/mpii_train.json"),
}
_TRUTH = ("annot/gt_valid.mat", "annotations/mpii_gt_val.mat")
_RELEASE = tuple(
    f"{folder}mpii_human_pose_v1_u12_1.mat"
    for folder in ("", "mpii_human_pose_v1_u12_2/", "annot/")
)
_BOXES_FROM = "square of the labels' centre and scale"


def open_people(root: Path, split: str) -> ClipSet:
    """The people of a split. Raises DataError where labels are missing or damaged."""
    named_split(split, tuple(SPLITS), "MPII")
    readers = _of_release(root) if split == "release" else _of_json(root, split)
    return ClipSet(
        "MPII",
        split,
        MPII_16,
        tuple(readers),
        lambda name: readers[name](),
        SPLITS[split],
        unit="people",
        comparable=split != "release",
    )


def has_labels(root: Path, split: str) -> bool:
    """Whether the JSON labels of "train" or "val" are there."""
    return any((root / place).is_file() for place in _JSON[split])


def load_mpii(root: Path, split: str, skeleton: Skeleton = MPII_16) -> list[Sample]:
    """The people of "train" or "val" who have a labelled joint, as samples.

    Raises DataError where labels are missing or damaged.
    """
    samples = []
    for clip in open_people(root, split):
        points = clip.keypoints[0]
        if not (points[:, 2] > 0).any():
            continue
        x, y, w, h = (float(side) for side in clip.boxes[0])
        key = f"mpii/{clip.frames[0].name}/{clip.name}"
        sample = Sample(clip.frames[0], (x, y, w, h), points, key)
        samples.append(sample.in_skeleton(MPII_16, skeleton))
    return samples


Readers = dict[str, Callable[[], LabelledClip]]


def _of_json(root: Path, split: str) -> Readers:
    path = _find(root, _JSON[split])
    try:
        entries = json.loads(path.read_text())
        names = [f"{Path(entry['image']).stem}_{n}" for n, entry in enumerate(entries)]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not MPII's JSON labels ({error})") from error
    joints, heads = _truth(_find(root, _TRUTH), len(entries)) if split == "val" else (None, None)

    def reader(number: int) -> Callable[[], LabelledClip]:
        def read() -> LabelledClip:
            entry = entries[number]
            try:
                own = np.column_stack([entry["joints"], entry["joints_vis"]]).astype(np.float32)
                image, center = root / "images" / entry["image"], entry["center"]
                points = own if joints is None else joints[number]
                head = None if heads is None else heads[number]
                return _person(names[number], image, points, center, float(entry["scale"]), head)
            except (KeyError, TypeError, ValueError) as error:
                raise DataError(f"{path}, entry {number + 1}: damaged ({error})") from error

        return read

    return {name: reader(number) for number, name in enumerate(names)}


def _truth(path: Path, count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Joints (N, 16, 3) and head boxes (N, 4), both counted from 1, of the validation people."""
    content = load_mat(path)
    try:
        places = np.asarray(content["pos_gt_src"], np.float32).transpose(2, 0, 1)
        known = 1 - np.asarray(content["jnt_missing"], np.float32).T
        corners = np.asarray(content["headboxes_src"], np.float32).transpose(2, 0, 1)
        joints = np.concatenate([places, known[..., None]], axis=-1)
    except (KeyError, ValueError) as error:
        raise DataError(f"{path}: not the truth of MPII's validation set ({error})") from error
    if joints.shape != (count, 16, 3) or corners.shape != (count, 2, 2):
        raise DataError(f"{path}: {len(joints)} people, but the JSON beside it has {count}")
    return joints, np.concatenate([corners[:, 0], corners[:, 1] - corners[:, 0]], axis=1)


def _of_release(root: Path) -> Readers:
    path = _find(root, _RELEASE)
    content = load_mat(path, squeeze_me=True, struct_as_record=False)
    try:
        images = np.atleast_1d(content["RELEASE"].annolist)
        training = np.atleast_1d(content["RELEASE"].img_train)
    except (KeyError, AttributeError) as error:
        raise DataError(f"{path}: not MPII's release ({error})") from error
    readers: Readers = {}
    for image, used in zip(images, training, strict=True):
        if not used:
            continue
        for number, person in enumerate(np.atleast_1d(image.annorect)):
            if hasattr(getattr(person, "annopoints", None), "point"):
                name = f"{Path(image.image.name).stem}_{number}"
                readers[name] = _release_reader(path, name, root, image.image.name, person)
    return readers


def _release_reader(
    path: Path, name: str, root: Path, image: str, person: Any
) -> Callable[[], LabelledClip]:
    def read() -> LabelledClip:
        joints = np.zeros((16, 3), np.float32)
        try:
            for point in np.atleast_1d(person.annopoints.point):
                joints[int(point.id)] = (point.x, point.y, 1)
            center = (float(person.objpos.x), float(person.objpos.y))
            low, high = (person.x1, person.y1), (person.x2, person.y2)
            head = np.array([*low, *np.subtract(high, low)], np.float32)
            scale = float(person.scale)
        except (AttributeError, TypeError, ValueError, IndexError) as error:
            raise DataError(f"{path}, person {name}: damaged ({error})") from error
        return _person(name, root / "images" / image, joints, center, scale, head)

    return read


def _person(
    name: str,
    image: Path,
    joints: NDArray[np.float32],
    center: Any,
    scale: float,
    head: NDArray[np.float32] | None,
) -> LabelledClip:
    """A person from labels that count from 1."""
    keypoints = joints[None].copy()
    keypoints[..., 2] = keypoints[..., 2] > 0
    keypoints[..., :2] -= 1
    keypoints[keypoints[..., 2] == 0, :2] = np.nan
    side = 200 * scale
    x, y = float(center[0]) - 0.5, float(center[1]) + 15 * scale - 0.5  # of the box's corner
    boxes = np.array([[x - side / 2, y - side / 2, side, side]], np.float32)
    heads = None if head is None else head[None] - np.array([1, 1, 0, 0], np.float32)
    return LabelledClip(name, (image,), keypoints, boxes, MPII_16, _BOXES_FROM, head_boxes=heads)


def _find(root: Path, places: tuple[str, ...]) -> Path:
    for place in places:
        if (root / place).is_file():
            return root / place
    raise DataError(
        f"{root / places[0]} is missing (or {' or '.join(places[1:])}): give the folder of MPII "
        f"with images/ and its labels (the data set: {URL}; the JSON comes with the code of "
        "MMPose or HRNet)"
    )
