"""Predictions from files: which file, which skeleton, which person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vidpose.data.clips import LabelledClip
from vidpose.errors import InputError
from vidpose.evaluation.predictions import (
    image_number,
    poses_in,
    prediction_files,
    read_coco_results,
    read_predictions,
    skeleton_of,
)
from vidpose.io import open_writer
from vidpose.results import FrameResult, Person, ResultHeader, SourceInfo
from vidpose.skeleton import COCO_17, JHMDB_15, PENN_13, POSETRACK_15, Skeleton


def write(
    path: Path, people: dict[int, list[Person]], skeleton: Skeleton = PENN_13, frames: int = 3
) -> Path:
    source = SourceInfo("x.mp4", 64, 48, None, None, None, False)
    with open_writer(path, ResultHeader("1", "theirs", skeleton, source)) as writer:
        for index in range(frames):
            writer.write(FrameResult(index, index / 25, tuple(people.get(index, ()))))
    return path


def person(x: float, count: int = 13, number: int = 1) -> Person:
    """A person in a box from (x, 0), 10 wide and 20 high, all keypoints at (x, 7)."""
    return Person(number, 0.5, (x, 0, 10, 20), [[x, 7, 0.9]] * count)


def clip(boxes: list[list[float]], skeleton: Skeleton = PENN_13) -> LabelledClip:
    count = len(boxes)
    keypoints = np.ones((count, skeleton.num_keypoints, 3), np.float32)
    frames = tuple(Path(f"{n}.jpg") for n in range(count))
    return LabelledClip("0001", frames, keypoints, np.array(boxes, np.float32), skeleton)


def test_the_labelled_person_is_the_one_whose_box_overlaps_most(tmp_path: Path) -> None:
    people = {0: [person(30), person(2, number=2)], 2: [person(60)]}
    predictions = read_predictions(write(tmp_path / "0001.jsonl", people))
    labels = clip([[0, 0, 10, 20]] * 3)
    poses = poses_in(predictions, labels, PENN_13, range(3))
    assert poses.keypoints[0, 5].tolist() == pytest.approx([2, 7, 0.9])
    assert np.isnan(poses.keypoints[1]).all()  # no person there
    assert np.isnan(poses.keypoints[2]).all()  # a person, but elsewhere
    assert poses.scores.tolist() == [0.5, 0, 0]
    assert poses.initialised is None


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet", ".json"])
def test_every_format_gives_the_same_people(tmp_path: Path, suffix: str) -> None:
    predictions = read_predictions(write(tmp_path / f"a{suffix}", {1: [person(5)]}))
    assert len(predictions.people[1]) == 1
    np.testing.assert_array_equal(predictions.people[1][0].keypoints, person(5).keypoints)
    assert skeleton_of(predictions, PENN_13) == PENN_13


def test_results_of_other_software_need_neither_box_nor_id_nor_time(tmp_path: Path) -> None:
    points = np.ones((17, 3))
    points[0] = (10, 20, 1)
    points[1] = (40, 60, 1)
    points[2] = 0
    points[3:, :2] = (25, 30)
    entry = {"image_id": 7, "category_id": 1, "keypoints": points.ravel().tolist(), "score": 0.3}
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps([entry, entry, {**entry, "image_id": 3}]))
    predictions = read_predictions(path)
    assert {number: len(people) for number, people in predictions.people.items()} == {7: 2, 3: 1}
    (found,) = predictions.people[3]
    assert found.box == (10, 20, 31, 41)
    assert np.isnan(found.keypoints[2, 0])
    assert skeleton_of(predictions, PENN_13) == COCO_17


@pytest.mark.filterwarnings("error")
def test_scores_of_other_software_may_exceed_one(tmp_path: Path) -> None:
    """AlphaPose's scores do, raw heatmaps may lie below 0, and -1 marks who was not followed."""
    points = [[10, 20, 1.7], [40, 60, -0.1], [25, 30, 0.5]]
    entry = {"image_id": 7, "category_id": 1, "keypoints": points, "score": 3.1, "track_id": -1}
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps([entry]))
    ((found,),) = read_predictions(path).people.values()
    assert (found.score, found.id) == (1.0, 1)
    assert found.keypoints[:, 2].tolist() == [1.0, 0.0, 0.5]
    for change in ({"score": 1e999}, {"keypoints": [1e300, 2, 0.5]}):
        path.write_text(json.dumps([entry | change]))
        with pytest.raises(InputError, match=r"entry 1: damaged.*finite"):
            read_predictions(path)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".json"])
def test_fractions_of_the_image_are_refused(tmp_path: Path, suffix: str) -> None:
    points = person(5).keypoints / np.array([640, 480, 1])
    small = Person(1, 0.5, (0, 0, 1, 1), points)
    path = write(tmp_path / f"a{suffix}", {1: [small]})
    with pytest.raises(InputError, match="all keypoints lie between 0 and 1, pixels are needed"):
        read_predictions(path)
    if suffix == ".json":
        entry = {"image_id": 1, "category_id": 1, "keypoints": [0.5] * 51, "score": 0.5}
        path.write_text(json.dumps([entry]))
        with pytest.raises(InputError, match="between 0 and 1, pixels are needed"):
            read_coco_results(path)


def test_another_category_than_people_s_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    entry = {"image_id": 7, "category_id": 3, "keypoints": [5] * 51, "score": 0.3}
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps([entry, entry | {"category_id": 1}, entry]))
    assert len(read_coco_results(path)) == 3
    assert len(read_predictions(path).people[7]) == 3
    said = f"{path}: 2 results have category_id 3, people are 1; they are taken for people"
    assert caplog.messages == [said] * 2


def test_files_are_for_the_clips_of_their_names(tmp_path: Path) -> None:
    one = write(tmp_path / "0001.jsonl", {})
    write(tmp_path / "0002.csv", {})
    (tmp_path / "notes.txt").write_text("")
    assert prediction_files(one) == {"0001": one}
    assert set(prediction_files(tmp_path)) == {"0001", "0002"}
    write(tmp_path / "0001.csv", {})
    with pytest.raises(InputError, match="same clip"):
        prediction_files(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no predictions there"):
        prediction_files(tmp_path / "empty")
    with pytest.raises(InputError, match="no such file"):
        prediction_files(tmp_path / "gone.csv")


def test_as_many_keypoints_as_the_labels_are_the_labels_own(tmp_path: Path) -> None:
    predictions = read_predictions(write(tmp_path / "a.csv", {0: [person(1, 15)]}, JHMDB_15))
    assert skeleton_of(predictions, POSETRACK_15) == POSETRACK_15
    assert skeleton_of(predictions, JHMDB_15) == JHMDB_15
    assert skeleton_of(predictions, COCO_17) == JHMDB_15  # by their number


def test_a_skeleton_that_the_file_names_is_taken(tmp_path: Path) -> None:
    hands = Skeleton("hands", ("left_thumb", "right_thumb"), (), ((0, 1),), (0.1, 0.1))
    path = write(tmp_path / "a.jsonl", {0: [person(1, 2)]}, hands)
    with pytest.raises(InputError, match=r"a\.jsonl: its skeleton 'hands' has no joint of"):
        skeleton_of(read_predictions(path), PENN_13)


def test_unknown_numbers_of_keypoints_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    entry = {"image_id": 0, "keypoints": [5.0, 5.0, 1.0] * 5, "score": 1}
    path.write_text(json.dumps([entry]))
    with pytest.raises(InputError, match="5 keypoints a person fit no known skeleton"):
        skeleton_of(read_predictions(path), PENN_13)
    path.write_text(json.dumps([entry, {**entry, "keypoints": [1.0] * 39}]))
    with pytest.raises(InputError, match="5 and 13 keypoints"):
        skeleton_of(read_predictions(path), PENN_13)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("{", "line 1: damaged"),
        ("{}", "not a list"),
        ([{"image_id": 0, "score": 1}], "entry 1: damaged: 'keypoints' is missing"),
        ([{"image_id": 0, "score": 1, "keypoints": [1, 2]}], "entry 1: damaged"),
        ([7], "entry 1: damaged"),
    ],
)
def test_damaged_results_are_named_by_place(tmp_path: Path, content: Any, part: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(InputError, match=r"a\.json") as error:
        read_predictions(path)
    assert part in str(error.value)


def test_image_numbers() -> None:
    assert image_number(Path("images/im0042.jpg")) == 42
    assert image_number(Path("015601864.jpg")) == 15601864
    with pytest.raises(InputError, match="no number"):
        image_number(Path("cat.jpg"))
