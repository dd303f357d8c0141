"""Predictions of anyone's software, from files, and which person in them is the labelled one.

For clips: a file of any kind that vidpose reads (.jsonl .csv .parquet .json), named after the clip,
or a folder of such files; frames count from 0. For images: COCO results, whose `image_id` is COCO's
own, or the number in the image's file name for other sets.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidpose.data.clips import LabelledClip
from vidpose.errors import InputError
from vidpose.evaluation.networks import ClipPoses
from vidpose.inference.boxes import iou
from vidpose.io import RESULT_SUFFIXES, read_results
from vidpose.io.coco import PERSON_CATEGORY, read_coco_people
from vidpose.results import Person
from vidpose.skeleton import COCO_17, SKELETONS, Skeleton, joint_sources

_LOG = logging.getLogger(__name__)


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
    """One file. Raises InputError with its name and place when it is damaged, or its coordinates
    are no pixels."""
    if path.suffix.lower() == ".json":
        rows = [(image, person) for _, image, person in _coco_people(path)]
        _check_pixels(path, [person for _, person in rows])
        return Predictions(path, _by_number(rows), None)
    results = read_results(path)
    people = {frame.index: frame.people for frame in results.frames}
    _check_pixels(path, [person for each in people.values() for person in each])
    return Predictions(path, people, results.header.skeleton if results.header else None)


def _coco_people(path: Path) -> Iterator[tuple[dict[str, Any], int, Person]]:
    """`read_coco_people`, which says that results of another category than people's count too."""
    others: Counter[str] = Counter()
    for entry, image, person in read_coco_people(path):
        if entry.get("category_id", PERSON_CATEGORY) != PERSON_CATEGORY:
            others[str(entry["category_id"])] += 1
        yield entry, image, person
    if others:
        _LOG.warning(
            "%s: %d results have category_id %s, people are %d; they are taken for people",
            path, others.total(), ", ".join(sorted(others)), PERSON_CATEGORY,
        )  # fmt: skip


def _check_pixels(path: Path, people: Sequence[Person]) -> None:
    """Refuse fractions of the image, as labels are (`data.datasets.coco_file`)."""
    places = [each.keypoints[:, :2][np.isfinite(each.keypoints[:, 0])] for each in people]
    found = np.concatenate(places) if places else np.zeros((0, 2))
    if len(found) > 1 and found.min() >= 0 and 0 < found.max() <= 1:
        raise InputError(f"{path}: all keypoints lie between 0 and 1, pixels are needed")


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

    `numbers` are the file's numbers of the clip's frames. NaN where no person overlaps.
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
    """COCO results of people, checked: image_id, category_id 1, keypoints (51 numbers), score.

    Raises InputError when the file is none, or has none.
    """
    results, people = [], []
    for number, (entry, image, person) in enumerate(_coco_people(path), start=1):
        people.append(person)
        points = np.nan_to_num(person.keypoints)
        if len(points) != COCO_17.num_keypoints:
            raise InputError(
                f"{path}, entry {number}: {len(points)} keypoints, COCO's results have "
                f"{COCO_17.num_keypoints}"
            )
        results.append(
            {
                "image_id": image,
                "category_id": 1,
                "keypoints": points.astype(float).ravel().tolist(),
                "score": float(entry["score"]),
            }
        )
    if not results:
        raise InputError(f"{path}: an empty list, no results to evaluate")
    _check_pixels(path, people)
    return results


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
