"""COCO person keypoints in the official layout: `annotations/`, `train2017/`, `val2017/`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vidpose.data.clips import ClipSet, CocoTruth, LabelledClip, named_split
from vidpose.data.datasets.coco_file import CocoAnnotation, LabelFaultsError, read_coco_file
from vidpose.data.samples import Sample, require
from vidpose.skeleton import COCO_17

URL = "https://cocodataset.org/#download"
SPLITS = {"train2017": 149_813, "val2017": 6_352}
"""People with labelled keypoints, crowds apart."""


def load_coco(root: Path | str, split: str) -> list[Sample]:
    """Every person of `split` ("train2017" or "val2017") that has labelled keypoints.

    COCO labels pixels from 0 at the corner of the grid in whole pixels; its keypoints are taken
    as pixel centres. Crowds are passed over. Raises DataError where the annotations are missing,
    damaged or faulty (see `vidpose.data.datasets.coco_file`).
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
    people = {str(person.id): (person, sample) for person, sample in _people(root, split)}

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
            {name: person.image_id for name, (person, _) in people.items()},
        ),
    )


def _annotation_file(root: Path, split: str) -> Path:
    return root / "annotations" / f"person_keypoints_{split}.json"


def _people(root: Path, split: str) -> list[tuple[CocoAnnotation, Sample]]:
    """The annotation and the sample of each person with labelled keypoints."""
    home = f"COCO's root folder with annotations/ and {split}/ (the data set: {URL})"
    file = read_coco_file(require(_annotation_file(root, split), home))
    people = []
    for person in file.people:
        if not person.is_posed:
            continue
        keypoints = person.keypoints.copy()
        keypoints[:, 2] = keypoints[:, 2] > 0
        name = file.images[person.image_id]
        key = f"{split}/{name}/{person.id}"
        people.append((person, Sample(_image(root, split, name), person.box, keypoints, key)))
    if not people:
        found = f"none of {len(file.people):,} people has labelled keypoints"
        raise LabelFaultsError(file.path, [f"annotations: {found}"])
    return people


def _image(root: Path, split: str, name: str) -> Path:
    """The file of an image; other tools write the folder into its name, or backslashes."""
    official = root / split / name
    for other in (root / name, root / split / name.replace("\\", "/")):
        if not official.exists() and other.exists():
            return other
    return official
