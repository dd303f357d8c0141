"""COCO person keypoints in the official layout: `annotations/`, `train2017/`, `val2017/`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from vidpose.data.clips import ClipSet, CocoTruth, LabelledClip, named_split
from vidpose.data.samples import Sample, require
from vidpose.errors import DataError
from vidpose.skeleton import COCO_17

URL = "https://cocodataset.org/#download"
SPLITS = {"train2017": 149_813, "val2017": 6_352}
"""People with labelled keypoints, crowds apart."""


def load_coco(root: Path | str, split: str) -> list[Sample]:
    """Every person of `split` ("train2017" or "val2017") that has labelled keypoints.

    COCO labels pixels from 0 at the corner of the grid in whole pixels; its keypoints are taken
    as pixel centres. Crowds are passed over.
    """
    return [sample for _, sample in _people(Path(root), split)]


def has_labels(root: Path, split: str) -> bool:
    """Whether the annotations of a split are there."""
    return _annotation_file(root, split).is_file()


def open_people(root: Path, split: str) -> ClipSet:
    """The same people as clips of one frame, named by COCO's annotation ids.

    Raises DataError where the annotations are missing or damaged.
    """
    named_split(split, tuple(SPLITS), "COCO")
    people = {str(entry["id"]): (entry, sample) for entry, sample in _people(root, split)}

    def read(name: str) -> LabelledClip:
        _, sample = people[name]
        boxes = np.array([sample.box], np.float32)
        keypoints = sample.keypoints[None].copy()
        keypoints[keypoints[..., 2] == 0, :2] = np.nan
        return LabelledClip(name, (sample.image,), keypoints, boxes, COCO_17)

    return ClipSet(
        "COCO",
        split,
        COCO_17,
        tuple(people),
        read,
        SPLITS[split],
        unit="people",
        coco=CocoTruth(
            _annotation_file(root, split),
            {name: int(entry["image_id"]) for name, (entry, _) in people.items()},
        ),
    )


def _annotation_file(root: Path, split: str) -> Path:
    return root / "annotations" / f"person_keypoints_{split}.json"


def _people(root: Path, split: str) -> list[tuple[dict[str, Any], Sample]]:
    """COCO's entry and the sample of each person."""
    home = f"COCO's root folder with annotations/ and {split}/ (the data set: {URL})"
    path = require(_annotation_file(root, split), home)
    try:
        content: dict[str, Any] = json.loads(path.read_text())
        files = {image["id"]: image["file_name"] for image in content["images"]}
        entries = content["annotations"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a COCO keypoint file ({error})") from error
    people = []
    for entry in entries:
        if entry.get("iscrowd") or not entry.get("num_keypoints"):
            continue
        keypoints = np.array(entry["keypoints"], dtype=np.float32).reshape(17, 3)
        keypoints[:, 2] = keypoints[:, 2] > 0
        name = files[entry["image_id"]]
        x, y, w, h = (float(v) for v in entry["bbox"])
        key = f"{split}/{name}/{entry['id']}"
        people.append((entry, Sample(root / split / name, (x, y, w, h), keypoints, key)))
    return people
