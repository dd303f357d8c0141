"""MPII: the official .mat, the common JSON, counting from 1, head boxes, boxes of the body."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from stills_folders import write_image
from vidpose.data.datasets.mpii import open_people
from vidpose.errors import DataError


def write_json(root: Path, people: int = 2, places: tuple[str, str] | None = None) -> Path:
    """People at joint k = (10 k + 1, 5 k + 1), joint 6 not labelled; heads 30 x 40."""
    labels, truth = places or ("annot/valid.json", "annot/gt_valid.mat")
    k = np.arange(16.0)
    joints = np.column_stack([10 * k + 1, 5 * k + 1])
    known = np.ones(16)
    known[6] = 0
    entry = {
        "image": "015601864.jpg",
        "joints": joints.tolist(),
        "joints_vis": known.tolist(),
        "center": [101.0, 61.0],
        "scale": 0.5,
    }
    (root / labels).parent.mkdir(parents=True, exist_ok=True)
    (root / labels).write_text(json.dumps([entry] * people))
    heads = np.zeros((2, 2, people))
    heads[0], heads[1] = np.array([[21.0], [31.0]]), np.array([[51.0], [71.0]])
    savemat(
        root / truth,
        {
            "pos_gt_src": np.repeat(joints[:, :, None], people, axis=2),
            "jnt_missing": np.repeat(1 - known[:, None], people, axis=1),
            "headboxes_src": heads,
        },
    )
    write_image(root / "images" / "015601864.jpg")
    return root


@pytest.mark.parametrize(
    "places", [None, ("annotations/mpii_val.json", "annotations/mpii_gt_val.mat")]
)
def test_validation_people(tmp_path: Path, places: tuple[str, str] | None) -> None:
    people = open_people(write_json(tmp_path, places=places), "val")
    assert people.names == ("015601864_0", "015601864_1")
    assert people.official == 2958
    clip = people.read("015601864_1")
    assert clip.frames == (tmp_path / "images" / "015601864.jpg",)
    np.testing.assert_array_equal(clip.keypoints[0, 3], [30, 15, 1])
    assert np.isnan(clip.keypoints[0, 6, :2]).all()
    assert clip.keypoints[0, 6, 2] == 0
    assert clip.head_boxes is not None
    np.testing.assert_array_equal(clip.head_boxes, [[20, 30, 30, 40]])
    # Scale 0.5 is 100 px; the centre (101, 61) counted from 1 moves down by 7.5, and lies half a
    # pixel further on the boxes' scale: (100.5, 68).
    np.testing.assert_allclose(clip.boxes, [[50.5, 18, 100, 100]])


def test_validation_counts_what_the_truth_says_not_the_json(tmp_path: Path) -> None:
    """The truth that the field evaluates with is the .mat's."""
    root = write_json(tmp_path)
    path = root / "annot" / "valid.json"
    entries = json.loads(path.read_text())
    entries[0]["joints_vis"] = [0] * 16
    path.write_text(json.dumps(entries))
    assert open_people(root, "val").read("015601864_0").keypoints[..., 2].sum() == 15


def test_training_people_have_no_head_boxes(tmp_path: Path) -> None:
    root = write_json(tmp_path, places=("annot/train.json", "annot/gt_valid.mat"))
    clip = next(iter(open_people(root, "train")))
    assert clip.head_boxes is None
    assert clip.keypoints[..., 2].sum() == 15


def test_truth_of_other_people_is_refused(tmp_path: Path) -> None:
    root = write_json(tmp_path, people=3)
    entries = json.loads((root / "annot" / "valid.json").read_text())
    (root / "annot" / "valid.json").write_text(json.dumps(entries[:2]))
    with pytest.raises(DataError, match=r"gt_valid\.mat: 3 people, but the JSON beside it has 2"):
        open_people(root, "val")
    (root / "annot" / "gt_valid.mat").unlink()
    with pytest.raises(DataError, match=r"gt_valid\.mat is missing"):
        open_people(root, "val")


@pytest.mark.parametrize("content", ["{", "[7]", '[{"joints": 3}]'])
def test_damaged_json_is_refused(tmp_path: Path, content: str) -> None:
    root = write_json(tmp_path)
    (root / "annot" / "valid.json").write_text(content)
    with pytest.raises(DataError, match=r"valid\.json: not MPII's JSON"):
        open_people(root, "val")


def test_a_damaged_entry_is_named(tmp_path: Path) -> None:
    root = write_json(tmp_path)
    path = root / "annot" / "valid.json"
    entries = json.loads(path.read_text())
    del entries[1]["center"]
    path.write_text(json.dumps(entries))
    people = open_people(root, "val")
    assert people.read("015601864_0")
    with pytest.raises(DataError, match=r"valid\.json, entry 2"):
        people.read("015601864_1")


def release(root: Path, images: list[dict[str, Any]], training: list[int]) -> Path:
    content = np.empty(len(images), dtype=object)
    content[:] = images
    savemat(
        root / "mpii_human_pose_v1_u12_1.mat",
        {"RELEASE": {"annolist": content, "img_train": np.array(training, np.uint8)}},
    )
    return root


def struct(rows: list[dict[str, Any]]) -> np.ndarray:
    """A MATLAB struct array."""
    array = np.empty(len(rows), dtype=[(name, object) for name in rows[0]])
    for index, row in enumerate(rows):
        array[index] = tuple(row.values())
    return array


def test_the_official_release(tmp_path: Path) -> None:
    points = struct(
        [{"x": 11.0 + i, "y": 21.0, "id": i, "is_visible": np.array([])} for i in (0, 9)]
    )
    person = {
        "x1": 21.0, "y1": 31.0, "x2": 51.0, "y2": 71.0, "annopoints": {"point": points},
        "scale": 0.5, "objpos": {"x": 101.0, "y": 61.0},
    }  # fmt: skip
    images = [
        {"image": {"name": "000000002.jpg"}, "annorect": struct([person, person])},
        {"image": {"name": "000000003.jpg"}, "annorect": {"scale": 1.0}},  # a test image
        {"image": {"name": "000000004.jpg"}, "annorect": {"x1": 1.0, "x2": 2.0}},  # no joints
        {"image": {"name": "000000005.jpg"}, "annorect": np.array([])},
    ]
    people = open_people(release(tmp_path, images, [1, 0, 1, 1]), "release")
    assert people.names == ("000000002_0", "000000002_1")
    clip = people.read("000000002_1")
    assert clip.keypoints[0, :, 2].nonzero()[0].tolist() == [0, 9]
    assert clip.keypoints[0, 9].tolist() == [19, 20, 1]
    assert clip.head_boxes is not None
    np.testing.assert_array_equal(clip.head_boxes, [[20, 30, 30, 40]])
    np.testing.assert_allclose(clip.boxes, [[50.5, 18, 100, 100]])
    assert not people.comparable


def test_missing_labels_say_where_to_get_them(tmp_path: Path) -> None:
    for split in ("val", "train", "release"):
        with pytest.raises(DataError, match=r"is missing .*human-pose\.mpi-inf\.mpg\.de"):
            open_people(tmp_path, split)
