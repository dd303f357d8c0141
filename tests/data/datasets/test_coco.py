"""COCO person keypoints."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stills_folders import standing_person, write_coco
from vidpose.data.datasets.coco import load_coco
from vidpose.errors import DataError


def test_people_with_keypoints_are_read(tmp_path: Path) -> None:
    keypoints = standing_person()
    keypoints[:, 2] = 2
    keypoints[3] = 0  # unlabelled
    keypoints[4, 2] = 1  # labelled, not visible
    people = [
        {"keypoints": keypoints.ravel().tolist(), "num_keypoints": 16},
        {"image_id": 1, "num_keypoints": 0, "keypoints": [0] * 51},
        {"iscrowd": 1},
    ]
    (sample,) = load_coco(write_coco(tmp_path, "train2017", people), "train2017")
    assert sample.image == tmp_path / "train2017" / "000000000001.jpg"
    assert sample.image.exists()
    assert sample.box == (20.0, 15.0, 50.0, 90.0)
    assert sample.key == "train2017/000000000001.jpg/101"
    np.testing.assert_allclose(sample.keypoints[:, :2], keypoints[:, :2])
    expected = np.ones(17)
    expected[3] = 0
    np.testing.assert_array_equal(sample.keypoints[:, 2], expected)


def test_people_of_one_image_have_different_keys(tmp_path: Path) -> None:
    samples = load_coco(write_coco(tmp_path, "val2017", [{}, {"image_id": 1}]), "val2017")
    assert samples[0].image == samples[1].image
    assert samples[0].key != samples[1].key


@pytest.mark.parametrize("content", ["{", "[]", "{}", json.dumps({"images": [{"id": 3}]})])
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "annotations" / "person_keypoints_train2017.json"
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(DataError, match=r"person_keypoints_train2017\.json: not a COCO"):
        load_coco(tmp_path, "train2017")


def test_a_missing_split_is_named(tmp_path: Path) -> None:
    root = write_coco(tmp_path, "train2017", [{}])
    with pytest.raises(DataError, match=r"person_keypoints_val2017\.json is missing"):
        load_coco(root, "val2017")
