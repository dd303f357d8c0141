"""pycocotools reads the .json results and scores them."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vidpose.io import open_writer
from vidpose.results import FrameResult, Person, ResultHeader, SourceInfo
from vidpose.skeleton import COCO_17, PENN_13

coco = pytest.importorskip("pycocotools.coco")
cocoeval = pytest.importorskip("pycocotools.cocoeval")


def people(seed: int, count: int) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    corners = generator.uniform(0, 300, (count, 1, 2))
    points = corners + generator.uniform(0, 150, (count, 17, 2))
    return [np.concatenate([xy, np.full((17, 1), 0.9)], axis=1) for xy in points]


def truth(frames: dict[int, list[np.ndarray]]) -> Any:
    annotations: list[dict[str, Any]] = []
    for index, poses in frames.items():
        for pose in poses:
            keypoints = np.concatenate([pose[:, :2], np.full((len(pose), 1), 2)], axis=1)
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": index, "category_id": 1, "iscrowd": 0,
                    "num_keypoints": 17, "area": 150.0 * 150, "bbox": [0, 0, 150, 150],
                    "keypoints": keypoints.ravel().tolist(),
                }
            )  # fmt: skip
    data = coco.COCO()
    data.dataset = {
        "images": [{"id": index} for index in frames],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": annotations,
    }
    data.createIndex()
    return data


@pytest.fixture
def results(tmp_path: Path) -> tuple[Path, dict[int, list[np.ndarray]]]:
    frames = {0: people(1, 2), 1: [], 2: people(2, 1), 3: people(3, 3)}
    header = ResultHeader("1", "m", COCO_17, SourceInfo("a", 640, 480, None, None, None, False))
    path = tmp_path / "out.json"
    with open_writer(path, header) as writer:
        for index, poses in frames.items():
            found = (Person(i, 0.9, (1, 2, 3, 4), pose) for i, pose in enumerate(poses))
            writer.write(FrameResult(index, index / 10, tuple(found)))
    return path, frames


@pytest.mark.parametrize("shift", [0.0, 20.0])
def test_load_and_score(results: tuple[Path, dict[int, list[np.ndarray]]], shift: float) -> None:
    path, frames = results
    moved = {
        index: [pose + np.array([shift, 0, 0]) for pose in poses] for index, poses in frames.items()
    }
    with contextlib.redirect_stdout(io.StringIO()):
        data = truth(moved)
        loaded = data.loadRes(str(path))
        evaluation = cocoeval.COCOeval(data, loaded, "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert {index: len(loaded.getAnnIds(imgIds=index)) for index in frames} == {
        0: 2,
        1: 0,
        2: 1,
        3: 3,
    }
    assert loaded.loadAnns(1)[0]["bbox"] == [1.0, 2.0, 3.0, 4.0]
    average_precision = evaluation.stats[0]
    if shift:
        assert average_precision < 0.9
    else:
        assert average_precision == pytest.approx(1)


def test_entries_are_official(results: tuple[Path, dict[int, list[np.ndarray]]]) -> None:
    path, frames = results
    entries = json.loads(path.read_text())
    assert [entry["image_id"] for entry in entries] == [0, 0, 2, 3, 3, 3]
    for entry in entries:
        assert list(entry) == [
            "image_id", "category_id", "keypoints", "score", "bbox", "track_id", "time",
        ]  # fmt: skip
        assert entry["category_id"] == 1
        assert len(entry["keypoints"]) == 51
    np.testing.assert_array_equal(
        np.float32(entries[2]["keypoints"]), np.float32(frames[2][0]).ravel()
    )


def test_other_skeletons_are_scored_with_their_own_sigmas(tmp_path: Path) -> None:
    """As docs/formats.md says: the list has the model's joints in the model's order."""
    joints = PENN_13.num_keypoints
    pose = people(4, 1)[0][:joints]
    header = ResultHeader("1", "m", PENN_13, SourceInfo("a", 640, 480, None, None, None, False))
    path = tmp_path / "penn.json"
    with open_writer(path, header) as writer:
        writer.write(FrameResult(0, 0.0, (Person(1, 0.9, (1, 2, 3, 4), pose),)))
    with contextlib.redirect_stdout(io.StringIO()):
        data = truth({0: [pose]})
        evaluation = cocoeval.COCOeval(data, data.loadRes(str(path)), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.array(PENN_13.sigmas)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)
