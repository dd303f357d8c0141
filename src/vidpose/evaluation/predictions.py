"""Predictions of anyone's software, from files, and which person in them is the labelled one.

For clips: a file of any kind that vidpose reads (.jsonl .csv .parquet .json), named after the clip,
or a folder of such files; frames count from 0. For images: COCO results, whose `image_id` is COCO's
own, or the number in the image's file name for other sets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidpose.data.clips import LabelledClip
from vidpose.errors import InputError
from vidpose.evaluation.networks import ClipPoses
from vidpose.inference.boxes import iou
from vidpose.io import RESULT_SUFFIXES, read_results
from vidpose.io.reading import damaged, readable
from vidpose.results import Person
from vidpose.skeleton import SKELETONS, Skeleton, joint_sources


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """People by the number of their frame or image; the skeleton where the file names one."""

    path: Path
    people: Mapping[int, tuple[Person, ...]]
    skeleton: Skeleton | None


def prediction_files(path: Path) -> dict[str, Path]:
    """The files behind a file or a folder, by the name of the clip that each is for.

    Raises InputError when there are none, or two for one clip.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    paths = sorted(path.iterdir()) if path.is_dir() else [path]
    found: dict[str, Path] = {}
    for each in paths:
        if each.suffix.lower() not in RESULT_SUFFIXES:
            continue
        if each.stem in found:
            raise InputError(f"{each}: {found[each.stem].name} is for the same clip; keep one")
        found[each.stem] = each
    if not found:
        raise InputError(f"{path}: no predictions there ({' '.join(RESULT_SUFFIXES)})")
    return found


def read_predictions(path: Path) -> Predictions:
    """One file. Raises InputError with its name and place when it is damaged."""
    if path.suffix.lower() == ".json":
        return Predictions(path, _by_number(_coco_people(path)), None)
    results = read_results(path)
    people = {frame.index: frame.people for frame in results.frames}
    return Predictions(path, people, results.header.skeleton if results.header else None)


def skeleton_of(predictions: Predictions, labels: Skeleton) -> Skeleton:
    """The skeleton of the file: the one it names, or that of its number of keypoints.

    Without a name, keypoints as many as the labels' are the labels' own; otherwise 17 are COCO's,
    16 MPII's and so on. Raises InputError where nothing fits, or no joint of the labels can be
    made of the file's.
    """
    skeleton = predictions.skeleton or _by_count(predictions, labels)
    if not any(joint_sources(skeleton, labels).values()):
        raise InputError(
            f"{predictions.path}: its skeleton '{skeleton.name}' has no joint of '{labels.name}'"
        )
    for people in predictions.people.values():
        for person in people:
            if len(person.keypoints) != skeleton.num_keypoints:
                raise InputError(
                    f"{predictions.path}: {len(person.keypoints)} keypoints, but skeleton "
                    f"'{skeleton.name}' has {skeleton.num_keypoints}"
                )
    return skeleton


def poses_in(
    predictions: Predictions, clip: LabelledClip, skeleton: Skeleton, numbers: Iterable[int]
) -> ClipPoses:
    """The labelled person of each frame: whose box overlaps the label's most (IoU above 0).

    `numbers` are the file's numbers of the clip's frames. NaN where nobody overlaps.
    """
    keypoints = np.full((len(clip), skeleton.num_keypoints, 3), np.nan, np.float32)
    scores = np.zeros(len(clip), np.float32)
    for index, number in enumerate(numbers):
        people = predictions.people.get(number, ())
        if not people:
            continue
        overlap = iou(np.array([person.box for person in people]), clip.boxes[index : index + 1])
        best = int(overlap[:, 0].argmax())
        if overlap[best, 0] > 0:
            keypoints[index] = people[best].keypoints
            scores[index] = people[best].score
    return ClipPoses(keypoints, scores, None)


def image_number(path: Path) -> int:
    """The number in an image's file name, e.g. 42 of im0042.jpg. Raises InputError without one."""
    digits = re.findall(r"\d+", path.stem)
    if not digits:
        raise InputError(f"{path}: no number in the name, so no image_id can mean it")
    return int(digits[-1])


def read_coco_results(path: Path) -> list[dict[str, Any]]:
    """COCO's list of results. Raises InputError when the file is none."""
    with readable(path):
        text = path.read_text(errors="replace")
    try:
        entries = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: damaged: {error.msg}") from error
    if not isinstance(entries, list):
        raise InputError(f"{path}: not a list of COCO results")
    return entries


def _coco_people(path: Path) -> Iterable[tuple[int, Person]]:
    """Image number and person of each result; box, id and time of the official format are free."""
    for number, entry in enumerate(read_coco_results(path), start=1):
        with damaged(f"{path}, entry {number}"):
            points = np.array(entry["keypoints"], np.float32).reshape(-1, 3)
            points[(points == 0).all(axis=1), :2] = np.nan
            points[np.isnan(points[:, 0]), 2] = 0
            box = entry.get("bbox") or _extent(points)
            person = Person(entry.get("track_id", number), entry["score"], box, points)
            image = int(entry["image_id"])
        yield image, person


def _extent(points: NDArray[np.float32]) -> list[float]:
    known = points[np.isfinite(points[:, 0]), :2]
    if not len(known):
        return [0.0, 0.0, 0.0, 0.0]
    low, high = known.min(axis=0), known.max(axis=0)
    return [float(value) for value in (*low, *(high - low + 1))]


def _by_number(rows: Iterable[tuple[int, Person]]) -> dict[int, tuple[Person, ...]]:
    people: dict[int, tuple[Person, ...]] = {}
    for number, person in rows:
        people[number] = (*people.get(number, ()), person)
    return people


def _by_count(predictions: Predictions, labels: Skeleton) -> Skeleton:
    counts = {len(person.keypoints) for people in predictions.people.values() for person in people}
    if not counts:
        return labels
    count = min(counts)
    known = [s for s in (labels, *SKELETONS.values()) if s.num_keypoints == count]
    if len(counts) > 1 or not known:
        raise InputError(
            f"{predictions.path}: {' and '.join(map(str, sorted(counts)))} keypoints a person fit "
            f"no known skeleton; the labels have '{labels.name}' with {labels.num_keypoints}"
        )
    return known[0]
