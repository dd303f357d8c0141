"""COCO files as other tools write them: completed with one line, or refused by place and key, and
`eval`, `train` and `data check` say the same."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stills_folders import standing_person, write_coco
from vidpose.data.catalogue import DATA_SETS
from vidpose.data.check import check_data
from vidpose.data.datasets import coco_file
from vidpose.data.datasets.coco import load_coco, open_people
from vidpose.data.datasets.coco_file import CocoFile, read_coco_file
from vidpose.errors import DataError
from vidpose.evaluation.evaluate import clips_at_hand

Content = dict[str, Any]
Change = Callable[[Content], object]
NAME = "annotations/person_keypoints_val2017.json"


@pytest.fixture(autouse=True)
def said_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coco_file, "_said", set())


def changed(root: Path, change: Change, people: int = 3) -> Path:
    write_coco(root, "val2017", [{} for _ in range(people)])
    path = root / NAME
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return root


def each(change: Callable[[Content], object]) -> Change:
    def apply(content: Content) -> None:
        for annotation in content["annotations"]:
            change(annotation)

    return apply


def first(**values: object) -> Change:
    return lambda content: content["annotations"][0].update(values)


def all_of(**values: object) -> Change:
    return each(lambda annotation: annotation.update(values))


def without(key: str) -> Change:
    return each(lambda annotation: annotation.pop(key))


def string_ids(content: Content) -> None:
    for image in content["images"]:
        image["id"] = str(image["id"])
    for annotation in content["annotations"]:
        annotation["image_id"] = str(annotation["image_id"])


def other_person_category(content: Content) -> None:
    content["categories"] = [{"id": 4, "name": "dog"}, {"id": 7, "name": "Person"}]
    for annotation in content["annotations"]:
        annotation["category_id"] = 7
    content["annotations"].append({"id": 5, "image_id": 1, "category_id": 4, "keypoints": [1] * 9})


def read(root: Path) -> CocoFile:
    return read_coco_file(root / NAME)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (without("area"), "area taken from the box"),
        (all_of(area=0), "area taken from the box"),
        (all_of(area=None), "area taken from the box"),
        (without("iscrowd"), r"iscrowd taken as 0 \(3\)"),
        (without("bbox"), r"bbox taken from the keypoints \(3\)"),
        (first(bbox=[20, 15, 0, 90]), r"bbox taken from the keypoints \(1\)"),
        (first(bbox=[20, 15, -5, 90]), r"bbox taken from the keypoints \(1\)"),
        (without("num_keypoints"), r"num_keypoints counted from the visibility \(3\)"),
        (all_of(num_keypoints=0), r"num_keypoints counted from the visibility \(3\)"),
        (without("id"), r"numbered anew \(3\)"),
        (all_of(id=1), r"numbered anew \(2\)"),
        (first(id=0), r"numbered anew \(1\)"),  # pycocotools takes 0 for "not matched"
        (string_ids, r"ids written as text read as numbers \(6\)"),
        (other_person_category, r"annotations of other categories left out \(1\)"),
    ],
)
def test_what_follows_from_the_rest_is_completed_with_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, change: Change, line: str
) -> None:
    root = changed(tmp_path, change)
    with caplog.at_level(logging.WARNING):
        samples = load_coco(root, "val2017")
        clips = clips_at_hand(open_people(root, "val2017"))
        report = check_data(DATA_SETS["coco"], root)
    assert len(samples) == len(clips) == 3
    assert report.faulty == []
    (said,) = caplog.messages  # once, though the file was read three times
    assert said.startswith(f"{root / NAME}: ")
    assert re.search(line, said), said


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (all_of(keypoints=[1] * 39), "people have 13 keypoints, skeleton coco17 has 17"),
        (first(keypoints=[1] * 39), "annotation 101: keypoints .* must be 51 numbers, not 39"),
        (first(keypoints=["a"] * 51), "annotation 101: keypoints .* must be 51 numbers"),
        (first(keypoints=None), "annotation 101: keypoints is missing, but num_keypoints is 17"),
        (first(keypoints=[float("nan"), 1, 2] * 17), "annotation 101: keypoints: nose is marked"),
        (first(keypoints=[1, 1, -1] * 17), "annotation 101: keypoints: the visibility of nose"),
        (first(image_id=99), "annotation 101: image_id 99 is not among the file's images"),
        (first(image_id="x"), "annotation 101: image_id must be a whole number, not 'x'"),
        (first(image_id=1.5), "annotation 101: image_id must be a whole number"),
        (first(id=[1]), r"annotation \[1\]: id must be a whole number"),
        (first(bbox=[1, 2, 3]), "annotation 101: bbox must be 4 numbers, not 3"),
        (first(bbox=[1, float("inf"), 3, 3]), "annotation 101: bbox holds NaN or infinity"),
        (
            first(bbox=[1, 2, 1e300, 3]),
            "annotation 101: bbox holds 1e.300; more than 1e.06",
        ),
        (first(area=1e300), "annotation 101: area holds 1e.300; more than 1e.12"),
        (first(keypoints=[1e300] * 51), "joints. holds 1e.300; more than 1e.06"),
        (first(area="big"), "annotation 101: area must be 1 numbers"),
        (first(iscrowd="no"), "annotation 101: iscrowd must be 0 or 1"),
        (lambda c: c["annotations"].append(3), r"annotations\[3\]: not an object"),
        (lambda c: c["images"][1].pop("file_name"), r"images\[1\]: file_name is missing"),
        (lambda c: c["images"][1].update(id=1), r"images\[1\]: id 1 is also that of 0*1\.jpg"),
        (all_of(keypoints=[0.5, 0.2, 2] * 17), "all keypoints lie between 0 and 1"),
        (all_of(keypoints=[0] * 51, num_keypoints=0), "none of 3 people has labelled keypoints"),
    ],
)
def test_the_rest_is_refused_by_place_and_key(tmp_path: Path, change: Change, place: str) -> None:
    root = changed(tmp_path, change)
    for reader in (load_coco, open_people):
        with pytest.raises(DataError, match=place) as caught:
            reader(root, "val2017")
        assert str(caught.value).startswith(f"{root / NAME}, ")
        assert "\n" not in str(caught.value)
    report = check_data(DATA_SETS["coco"], root)
    assert re.search(place, report.faulty[0])


def test_the_check_lists_every_fault(tmp_path: Path) -> None:
    root = changed(tmp_path, all_of(image_id=99))
    assert len(check_data(DATA_SETS["coco"], root).faulty) == 3
    with pytest.raises(DataError, match="and 2 faults more"):
        load_coco(root, "val2017")


def test_completed_values(tmp_path: Path) -> None:
    def change(content: Content) -> None:
        for annotation in content["annotations"]:
            del annotation["area"], annotation["bbox"]

    (person, *_) = read(changed(tmp_path, change)).people
    low, high = standing_person()[:, :2].min(axis=0), standing_person()[:, :2].max(axis=0)
    np.testing.assert_allclose(person.box, [*low, *(high - low + 1)], rtol=1e-6)
    assert person.area == pytest.approx(person.box[2] * person.box[3])


def test_what_pycocotools_gets_is_complete(tmp_path: Path) -> None:
    content = read(changed(tmp_path, other_person_category)).for_pycocotools({1, 2})
    assert [image["id"] for image in content["images"]] == [1, 2]
    assert {entry["category_id"] for entry in content["annotations"]} == {1}
    assert [entry["num_keypoints"] for entry in content["annotations"]] == [17, 17]


@pytest.mark.parametrize("name", ["val2017/{}", "..\\val2017\\{}"])
def test_names_of_images_with_their_folder(tmp_path: Path, name: str) -> None:
    def change(content: Content) -> None:
        for image in content["images"]:
            image["file_name"] = name.format(image["file_name"])

    assert all(s.image.is_file() for s in load_coco(changed(tmp_path, change), "val2017"))


def test_a_byte_order_mark_is_read_and_other_bytes_are_refused(tmp_path: Path) -> None:
    path = changed(tmp_path, lambda content: None) / NAME
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(load_coco(tmp_path, "val2017")) == 3
    for content in (b"\xff\xfe\x00{", b"[" * 100_000):
        path.write_bytes(content)
        with pytest.raises(DataError, match="not a COCO keypoint file"):
            load_coco(tmp_path, "val2017")


def test_a_person_without_box_whose_keypoints_lie_in_one_place_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lonely = [0] * 51
    lonely[:3] = [40, 50, 2]
    root = changed(tmp_path, first(keypoints=lonely, num_keypoints=1, bbox=None))
    assert len(load_coco(root, "val2017")) == 2
    assert "the keypoints lie in one place (1)" in caplog.text


def test_missing_images_are_said_by_an_evaluation(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = changed(tmp_path, lambda c: c["images"][0].update(file_name="gone.jpg"))
    assert len(clips_at_hand(open_people(root, "val2017"))) == 2
    assert "images of 1 of 3 labelled people are missing, the first" in caplog.text
