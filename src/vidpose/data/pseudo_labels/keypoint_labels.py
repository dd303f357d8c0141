"""Files of pseudo-labels: COCO keypoint JSON, with the teacher's confidence for every keypoint."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidpose.data.datasets.coco_file import CocoAnnotation, read_coco_file
from vidpose.data.samples import Sample, require
from vidpose.errors import DataError
from vidpose.skeleton import COCO_17


def write_label_file(
    path: Path, samples: Sequence[Sample], root: Path, info: Mapping[str, str]
) -> None:
    """Write samples whose third keypoint column is the teacher's confidence in [0, 1].

    Image names are stored relative to `root`. The file appears complete or not at all.
    """
    images: dict[Path, int] = {}
    annotations = []
    for number, sample in enumerate(samples, start=1):
        image_id = images.setdefault(sample.image, len(images) + 1)
        points = sample.keypoints
        coco = np.column_stack([points[:, :2].round(2), np.where(points[:, 2] > 0, 2, 0)])
        annotations.append(
            {
                "id": number,
                "image_id": image_id,
                "category_id": 1,
                "iscrowd": 0,
                "bbox": [round(v, 2) for v in sample.box],
                "area": round(sample.box[2] * sample.box[3], 2),
                "num_keypoints": int((points[:, 2] > 0).sum()),
                "keypoints": coco.astype(np.float64).ravel().tolist(),
                "keypoint_scores": points[:, 2].astype(np.float64).round(4).tolist(),
                "key": sample.key,
            }
        )
    content = {
        "info": dict(info),
        "images": [
            {"id": i, "file_name": os.path.relpath(image, root)} for image, i in images.items()
        ],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person"}],
    }
    temporary = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary.write_text(json.dumps(content))
    temporary.replace(path)


def read_label_file(path: Path, root: Path) -> dict[str, Sample]:
    """Samples by key; the third keypoint column is the teacher's confidence."""
    require(path, "a file written by `vidpose label`")
    try:
        file = read_coco_file(path)
        return {
            str(person.entry["key"]): _sample(person, root / file.images[person.image_id])
            for person in file.people
        }
    except (DataError, KeyError, TypeError, ValueError) as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise DataError(f"{path}: not a file written by `vidpose label` ({reason})") from error


def merge_with_teacher(
    labelled: NDArray[np.float32],
    teacher: NDArray[np.float32],
    *,
    tolerance: float,
    teacher_weight: float = 0.7,
) -> NDArray[np.float32]:
    """Labels (17, 3) completed and checked by a teacher's keypoints (17, 3).

    A joint without a label takes the teacher's position at `teacher_weight` times its
    confidence. A labelled joint keeps its place; its weight falls smoothly with its distance to a
    confident teacher, to one half at `tolerance` pixels (crowd labels are noisy, and so are
    teachers: neither is right alone). Sides come first: a left-right pair whose labels lie
    within `tolerance` of the teacher's when exchanged, and beyond it as they are, is exchanged
    (crowds call the side of the picture left).
    """
    labelled = with_sides_of(labelled, teacher, tolerance)
    out = labelled.copy()
    missing = labelled[:, 2] <= 0
    out[missing, :2] = teacher[missing, :2]
    out[missing, 2] = teacher_weight * teacher[missing, 2]
    known = ~missing
    distance = np.linalg.norm(labelled[known, :2] - teacher[known, :2], axis=1)
    disagreement = distance**2 / (distance**2 + tolerance**2)
    out[known, 2] = labelled[known, 2] * (1 - teacher[known, 2] * disagreement)
    return out


def with_sides_of(
    labelled: NDArray[np.float32], teacher: NDArray[np.float32], tolerance: float
) -> NDArray[np.float32]:
    """Labels (17, 3), the pairs exchanged whose sides a teacher (17, 3) clearly sees otherwise."""
    out = labelled.copy()
    for left, right in COCO_17.flip_pairs:
        pair, mirrored = [left, right], [right, left]
        if (labelled[pair, 2] <= 0).any():
            continue
        apart = np.linalg.norm(labelled[pair, :2] - teacher[pair, :2], axis=1)
        exchanged = np.linalg.norm(labelled[mirrored, :2] - teacher[pair, :2], axis=1)
        if (exchanged < tolerance).all() and (apart > tolerance).all():
            out[pair] = labelled[mirrored]
    return out


def _sample(person: CocoAnnotation, image: Path) -> Sample:
    keypoints = person.keypoints.copy()
    keypoints[:, 2] = person.entry["keypoint_scores"]
    return Sample(image, person.box, keypoints, str(person.entry["key"]))
