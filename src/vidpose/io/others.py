"""Results as MMPose's and Ultralytics' own tools save them.

Both are read by scripts written for those tools, so keys, nesting and counting are theirs.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from typing import Any, BinaryIO

import numpy as np

from vidpose.io.writer import Encoder
from vidpose.results import FrameResult, Person, ResultHeader, single
from vidpose.skeleton import Skeleton


class _FrameListEncoder(Encoder):
    """JSON whose frames come one after the other inside a list."""

    opening = "["
    closing = "\n]\n"

    def __init__(self, file: BinaryIO, header: ResultHeader) -> None:
        super().__init__(file, header)
        self._separator = "\n"
        file.write(self.start().encode())

    def start(self) -> str:
        return self.opening

    @abstractmethod
    def frame(self, result: FrameResult) -> Any:
        """One frame as JSON-ready values."""

    def write(self, result: FrameResult) -> None:
        text = json.dumps(self.frame(result), allow_nan=False)
        self.file.write((self._separator + text).encode())
        self._separator = ",\n"

    def finish(self) -> None:
        self.file.write(self.closing.encode())


class MMPoseEncoder(_FrameListEncoder):
    """Writes .mmpose.json: `meta_info` and `instance_info` of MMPose 1.x's demos and inferencers.

    Frames count from 1 there; boxes are corners; missing keypoints are (0, 0) with score 0.
    """

    closing = "\n]}\n"

    def start(self) -> str:
        meta = json.dumps(_mmpose_meta(self.header.skeleton))
        return f'{{"meta_info": {meta}, "instance_info": ['

    def frame(self, result: FrameResult) -> Any:
        instances = [_mmpose_instance(person) for person in result.people]
        return {"frame_id": result.index + 1, "instances": instances}


def _mmpose_meta(skeleton: Skeleton) -> dict[str, Any]:
    names = skeleton.keypoints
    return {
        "dataset_name": skeleton.name,
        "num_keypoints": len(names),
        "keypoint_id2name": dict(enumerate(names)),
        "keypoint_name2id": {name: place for place, name in enumerate(names)},
        "skeleton_links": [list(edge) for edge in skeleton.edges],
        "flip_indices": list(skeleton.flip_index),
        "sigmas": list(skeleton.sigmas),
    }


def _mmpose_instance(person: Person) -> dict[str, Any]:
    points = np.nan_to_num(person.keypoints)
    return {
        "keypoints": [[single(x), single(y)] for x, y, _ in points],
        "keypoint_scores": [single(score) for score in points[:, 2]],
        "bbox": [_corners(person)],
        "bbox_score": person.score,
        "track_id": person.id,
    }


class UltralyticsEncoder(_FrameListEncoder):
    """Writes .ultralytics.json: a list for every frame, as `Results.to_json` of a pose model."""

    def frame(self, result: FrameResult) -> Any:
        return [_ultralytics_person(person) for person in result.people]


def _ultralytics_person(person: Person) -> dict[str, Any]:
    points = np.nan_to_num(person.keypoints)
    x, y, visible = ([single(value) for value in column] for column in points.T)
    return {
        "name": "person",
        "class": 0,
        "confidence": person.score,
        "box": dict(zip(("x1", "y1", "x2", "y2"), _corners(person), strict=True)),
        "track_id": person.id,
        "keypoints": {"x": x, "y": y, "visible": visible},
    }


def _corners(person: Person) -> list[float]:
    x, y, width, height = person.box
    return [x, y, single(x + width), single(y + height)]
