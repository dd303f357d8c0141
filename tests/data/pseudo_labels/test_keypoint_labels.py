"""Files of pseudo-labels, and labels merged with a teacher's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stills_folders import standing_person
from vidpose.data.pseudo_labels.keypoint_labels import (
    merge_with_teacher,
    read_label_file,
    with_sides_of,
    write_label_file,
)
from vidpose.data.samples import Sample
from vidpose.errors import DataError
from vidpose.skeleton import COCO_17


def _sample(root: Path, name: str, number: int) -> Sample:
    keypoints = standing_person(x=40.123 + number)
    keypoints[:, 2] = np.linspace(0, 1, 17)
    return Sample(root / name, (1.5, 2.25, 30.0, 60.5), keypoints, f"set/{name}/{number}")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    root = tmp_path / "set"
    samples = [_sample(root, "a/b.jpg", 0), _sample(root, "a/b.jpg", 1), _sample(root, "c.jpg", 0)]
    path = tmp_path / "labels" / "set.json"  # its folder is made
    write_label_file(path, samples, root, {"teacher": "t"})
    found = read_label_file(path, root)
    assert list(found) == [s.key for s in samples]
    for sample in samples:
        twin = found[sample.key]
        assert twin.image == sample.image
        assert twin.box == pytest.approx(sample.box, abs=0.005)
        np.testing.assert_allclose(twin.keypoints[:, :2], sample.keypoints[:, :2], atol=0.006)
        np.testing.assert_allclose(twin.keypoints[:, 2], sample.keypoints[:, 2], atol=6e-5)
    assert [p.name for p in path.parent.iterdir()] == ["set.json"]  # no temporary file stays


def test_the_data_may_lie_elsewhere_when_read(tmp_path: Path) -> None:
    write_label_file(tmp_path / "l.json", [_sample(tmp_path, "c.jpg", 0)], tmp_path, {})
    moved = read_label_file(tmp_path / "l.json", Path("/elsewhere"))
    assert moved["set/c.jpg/0"].image == Path("/elsewhere/c.jpg")


def test_the_file_is_coco_s(tmp_path: Path) -> None:
    write_label_file(tmp_path / "l.json", [_sample(tmp_path, "c.jpg", 0)], tmp_path, {"a": "b"})
    content = json.loads((tmp_path / "l.json").read_text())
    (annotation,) = content["annotations"]
    assert content["info"] == {"a": "b"}
    assert content["images"] == [{"id": annotation["image_id"], "file_name": "c.jpg"}]
    assert len(annotation["keypoints"]) == 51
    assert annotation["num_keypoints"] == 16  # the first has confidence 0
    assert annotation["keypoints"][2::3] == [0] + [2] * 16
    assert content["categories"][0]["name"] == "person"


@pytest.mark.parametrize(
    "content",
    ["{", "[]", "{}", '{"images": [], "annotations": [{"key": "x", "image_id": 1}]}'],
)
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "l.json").write_text(content)
    with pytest.raises(DataError, match=r"l\.json: not a file written by `vidpose label`"):
        read_label_file(tmp_path / "l.json", tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"l\.json is missing: a file written by `vidpose label`"):
        read_label_file(tmp_path / "l.json", tmp_path)


def _merged(label: tuple[float, float, float], teacher: tuple[float, float, float]) -> np.ndarray:
    labelled, seen = np.zeros((17, 3), np.float32), np.zeros((17, 3), np.float32)
    labelled[5], seen[5] = label, teacher
    return merge_with_teacher(labelled, seen, tolerance=8, teacher_weight=0.7)[5]


def test_a_missing_joint_is_the_teacher_s() -> None:
    np.testing.assert_allclose(_merged((0, 0, 0), (30, 40, 0.9)), [30, 40, 0.63], rtol=1e-6)


def test_agreement_keeps_the_weight() -> None:
    np.testing.assert_allclose(_merged((30, 40, 1), (30, 40, 0.9)), [30, 40, 1])


def test_at_the_tolerance_a_sure_teacher_halves_the_weight() -> None:
    np.testing.assert_allclose(_merged((30, 40, 1), (38, 40, 1)), [30, 40, 0.5], rtol=1e-6)


def test_a_teacher_who_sees_nothing_says_nothing() -> None:
    np.testing.assert_allclose(_merged((30, 40, 1), (900, 900, 0)), [30, 40, 1])


@given(st.floats(0, 300, width=32), st.floats(0, 300, width=32), st.floats(0, 1), st.floats(0.1, 1))
def test_weights_stay_in_range_and_fall_with_distance(
    near: float, far: float, confidence: float, weight: float
) -> None:
    near, far = sorted((near, far))
    closer = _merged((0, 0, weight), (near, 0, confidence))
    further = _merged((0, 0, weight), (far, 0, confidence))
    assert 0 <= further[2] <= closer[2] + 1e-6
    assert closer[2] <= weight + 1e-6
    np.testing.assert_array_equal(further[:2], [0, 0])  # a label keeps its place


def test_inputs_are_not_changed() -> None:
    labelled, teacher = standing_person(), standing_person(x=50)
    labelled[3] = 0
    before, seen = labelled.copy(), teacher.copy()
    merge_with_teacher(labelled, teacher, tolerance=5)
    np.testing.assert_array_equal(labelled, before)
    np.testing.assert_array_equal(teacher, seen)


def test_sides_that_a_teacher_sees_otherwise_are_exchanged() -> None:
    """Hips given from the picture's view; wrists as they are; ankles unknown."""
    teacher = standing_person()
    labelled = teacher.copy()
    hips, ankles = [11, 12], [15, 16]
    labelled[hips] = teacher[hips[::-1]]
    labelled[hips, 2] = 0.5, 1.0  # a joint keeps the weight of its own label
    labelled[ankles, :2] += 300
    width = float(np.abs(np.diff(teacher[hips, 0]))[0])
    found = with_sides_of(labelled, teacher, tolerance=width / 2)
    np.testing.assert_array_equal(found[hips, :2], teacher[hips, :2])
    np.testing.assert_array_equal(found[hips, 2], [1.0, 0.5])
    untouched = [k for k in range(17) if k not in hips]
    np.testing.assert_array_equal(found[untouched], labelled[untouched])


def test_sides_stay_where_both_readings_are_near() -> None:
    teacher = standing_person()
    labelled = teacher[list(COCO_17.flip_index)]
    np.testing.assert_array_equal(with_sides_of(labelled, teacher, tolerance=1e3), labelled)
