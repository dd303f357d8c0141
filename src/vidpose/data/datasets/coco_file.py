"""The one reader of COCO keypoint files, also of those that other tools wrote.

What follows from the rest of the file is completed, and said in one line a file; everything else
that is wrong is a fault, named by annotation id and key. Coordinates are the file's: pixels.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidpose.data.datasets.coco_entries import Completed, EntryFault, as_id, normalise
from vidpose.errors import DataError
from vidpose.files import cannot_read
from vidpose.skeleton import COCO_17, Skeleton

_LOG = logging.getLogger(__name__)
_said: set[str] = set()


class LabelFaultsError(DataError):
    """Labels that cannot be used; `faults` has a line for each."""

    def __init__(self, path: Path, faults: Sequence[str]) -> None:
        more = f", and {len(faults) - 1:,} faults more" if len(faults) > 1 else ""
        super().__init__(f"{path}, {faults[0]}{more} (`vidpose data check` lists all)")
        self.faults = tuple(f"{path}, {fault}" for fault in faults)


@dataclass(frozen=True, slots=True, eq=False)
class CocoAnnotation:
    """One annotation of a person, complete.

    Attributes:
        id, image_id: whole numbers; the id is the annotation's alone.
        box: x, y, w, h.
        area: of the person in square pixels.
        crowd: whether the box holds a crowd.
        keypoints: float32 (K, 3): x, y and COCO's visibility, 0 = not labelled.
        entry: all that the file says of it.
    """

    id: int
    image_id: int
    box: tuple[float, float, float, float]
    area: float
    crowd: bool
    keypoints: NDArray[np.float32]
    entry: Mapping[str, Any]

    @property
    def is_posed(self) -> bool:
        """Whether this is a single person with a box and a labelled keypoint."""
        return not self.crowd and self.box[2] > 0 and bool((self.keypoints[:, 2] > 0).any())


@dataclass(frozen=True, slots=True, eq=False)
class CocoFile:
    """A keypoint file: the file name of each image by its id, and the people."""

    path: Path
    images: Mapping[int, str]
    people: tuple[CocoAnnotation, ...]

    def for_pycocotools(self, images: set[int] | None = None) -> dict[str, Any]:
        """The file as pycocotools takes it, people of category 1; of some images alone."""
        chosen = set(self.images) if images is None else images
        return {
            "info": {},
            "images": [{"id": i, "file_name": n} for i, n in self.images.items() if i in chosen],
            "annotations": [_entry(each) for each in self.people if each.image_id in chosen],
            "categories": [{"id": 1, "name": "person"}],
        }


def read_coco_file(path: Path, skeleton: Skeleton = COCO_17) -> CocoFile:
    """Read a keypoint file with a skeleton's keypoints; what was completed is logged once.

    Raises DataError when it is no such file, LabelFaultsError when entries of it cannot be used.
    """
    content = _parsed(path)
    faults: list[str] = []
    completed = Completed()
    images = _images(content["images"], completed, faults)
    entries = _of_people(content, completed)
    if fault := _other_skeleton(content, entries, skeleton):
        raise LabelFaultsError(path, [fault])
    people = _people(entries, images, completed, faults, skeleton)
    if not faults and _normalised(people, skeleton.num_keypoints):
        faults.append("annotations: all keypoints lie between 0 and 1, pixels are needed")
    if faults:
        raise LabelFaultsError(path, faults)
    line = f"{path}: {completed.describe()}"
    if completed.counts and line not in _said:
        _said.add(line)
        _LOG.warning("%s", line)
    return CocoFile(path, images, tuple(people))


def _parsed(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise cannot_read(path, error, DataError) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a COCO keypoint file ({error})") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: not a COCO keypoint file (a JSON object is needed)")
    for key in ("images", "annotations"):
        if not isinstance(content.get(key), list):
            raise DataError(f"{path}: not a COCO keypoint file (it has no list '{key}')")
    return content


def _images(entries: Sequence[Any], completed: Completed, faults: list[str]) -> dict[int, str]:
    images: dict[int, str] = {}
    for number, entry in enumerate(entries):
        try:
            if not isinstance(entry, Mapping):
                raise EntryFault("not an object")
            key, name = as_id(entry, "id", completed), entry.get("file_name")
            if not isinstance(name, str) or not name:
                raise EntryFault("file_name is missing")
            if images.setdefault(key, name) != name:
                raise EntryFault(f"id {key} is also that of {images[key]}")
        except EntryFault as fault:
            faults.append(f"images[{number}]: {fault}")
    return images


def _of_people(content: Mapping[str, Any], completed: Completed) -> list[tuple[int, Any]]:
    """Number and entry of the annotations of people: those of the category that says so."""
    entries = list(enumerate(content["annotations"]))
    categories = content.get("categories")
    named = (
        [c for c in categories if isinstance(c, Mapping)] if isinstance(categories, list) else []
    )
    if not named:
        return entries
    persons = [c.get("id") for c in named if str(c.get("name")).casefold() in ("person", "people")]
    persons = persons or ([named[0].get("id")] if len(named) == 1 else [])
    if not persons:
        return entries
    wanted = {str(each) for each in persons}
    chosen = [
        (number, entry)
        for number, entry in entries
        if not isinstance(entry, Mapping) or str(entry.get("category_id", persons[0])) in wanted
    ]
    if len(chosen) < len(entries):
        completed.note("annotations of other categories left out", len(entries) - len(chosen))
    return chosen


def _people(
    entries: Sequence[tuple[int, Any]],
    images: Mapping[int, str],
    completed: Completed,
    faults: list[str],
    skeleton: Skeleton,
) -> list[CocoAnnotation]:
    people: list[CocoAnnotation] = []
    without_id: list[int] = []
    taken: set[int] = {0}  # pycocotools takes 0 for "not matched"
    for number, entry in entries:
        try:
            values = normalise(entry, images, completed, skeleton)
        except EntryFault as fault:
            known = isinstance(entry, Mapping) and entry.get("id") is not None
            name = f"annotation {entry['id']}" if known else f"annotations[{number}]"
            faults.append(f"{name}: {fault}")
            continue
        if values["id"] in taken:
            without_id.append(len(people))
        taken.add(values["id"])
        people.append(CocoAnnotation(entry=entry, **values))
    if without_id:
        completed.note("ids that are missing, 0 or another's numbered anew", len(without_id))
        for fresh, index in enumerate(without_id, start=max(taken) + 1):
            old = people[index]
            people[index] = CocoAnnotation(
                fresh, old.image_id, old.box, old.area, old.crowd, old.keypoints, old.entry
            )
    return people


def _other_skeleton(
    content: Mapping[str, Any], entries: Sequence[tuple[int, Any]], skeleton: Skeleton
) -> str | None:
    """How the whole file disagrees with the skeleton: one fault, not one for each person."""
    joints = skeleton.num_keypoints
    given = [entry.get("keypoints") for _, entry in entries if isinstance(entry, Mapping)]
    counts = {len(each) for each in given if isinstance(each, list) and each}
    if len(counts) == 1 and counts != {3 * joints} and not min(counts) % 3:
        return (
            f"annotations: people have {min(counts) // 3} keypoints, skeleton {skeleton.name} has "
            f"{joints}; say which they are (--skeleton FILE)"
        )
    for category in content.get("categories") or ():
        names = category.get("keypoints") if isinstance(category, Mapping) else None
        if not isinstance(names, list) or sorted(map(str, names)) != sorted(skeleton.keypoints):
            continue  # other names for the same joints are no fault
        for place, (theirs, ours) in enumerate(zip(names, skeleton.keypoints, strict=True)):
            if theirs != ours:
                return (
                    f"categories: keypoint {place} is {theirs}, in skeleton {skeleton.name} it is "
                    f"{ours}; bring the skeleton's keypoints into the file's order"
                )
    return None


def _normalised(people: Sequence[CocoAnnotation], joints: int) -> bool:
    """Whether the coordinates are fractions of the image, as some tools write them."""
    points = [each.keypoints[each.keypoints[:, 2] > 0, :2] for each in people if each.is_posed]
    places = np.concatenate(points) if points else np.zeros((0, 2))
    return len(places) > joints / 2 and 0 < float(places.max()) <= 1


def _entry(person: CocoAnnotation) -> dict[str, Any]:
    labelled = int((person.keypoints[:, 2] > 0).sum())
    return {
        "id": person.id,
        "image_id": person.image_id,
        "category_id": 1,
        "iscrowd": int(person.crowd),
        "bbox": list(person.box),
        "area": person.area,
        "num_keypoints": labelled if person.area > 0 else 0,  # 0: not counted
        "keypoints": person.keypoints.ravel().tolist(),
    }
