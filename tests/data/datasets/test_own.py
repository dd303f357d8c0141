"""One's own data: a COCO file anywhere, a YOLO-pose set, and every way in which they can be bad."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from own_labels import (
    BOX,
    POINTS,
    write_image,
    write_own_coco,
    write_skeleton,
    write_yolo,
    yolo_line,
)
from vidpose.data.datasets.own import open_own
from vidpose.errors import DataError
from vidpose.skeleton import Skeleton, find_skeleton


@pytest.fixture
def kite(tmp_path: Path) -> Skeleton:
    return find_skeleton(write_skeleton(tmp_path))


def test_a_file_alone_is_divided_by_the_names_of_its_images(tmp_path: Path, kite: Skeleton) -> None:
    path = write_own_coco(tmp_path)
    train, val = (open_own(f"coco:{path}", part, kite) for part in ("train", "val"))
    names = [{image.name for image in (s.image for s in part.samples())} for part in (train, val)]
    assert len(names[0]) == 8
    assert len(names[1]) == 2
    assert not names[0] & names[1]
    assert train.clips().split == "train (the other images)"
    (first, *_) = val.samples()
    assert first.image.is_file()
    assert first.box == tuple(BOX)
    np.testing.assert_array_equal(first.keypoints[:, :2], np.array(POINTS)[:, :2])
    np.testing.assert_array_equal(first.keypoints[:, 2], 1)


@pytest.mark.parametrize(
    ("train", "val"),
    [
        (
            "annotations/person_keypoints_train2017.json",
            "annotations/person_keypoints_val2017.json",
        ),
        ("train/_annotations.coco.json", "valid/_annotations.coco.json"),
        ("train.json", "val.json"),
    ],
)
def test_folders_that_tools_write(tmp_path: Path, kite: Skeleton, train: str, val: str) -> None:
    write_own_coco(tmp_path, train, images=4)
    write_own_coco(tmp_path, val, images=3)
    for part, count in (("train", 4), ("val", 3)):
        found = open_own(f"coco:{tmp_path}", part, kite)  # type: ignore[arg-type]
        assert (len(found.samples()), found.drawn) == (count, False)
        assert all(sample.image.is_file() for sample in found.samples())


def test_a_yolo_set_has_the_coordinates_of_the_coco_file(tmp_path: Path, kite: Skeleton) -> None:
    write_yolo(tmp_path)
    found = open_own(f"yolo:{tmp_path}", "train", kite)
    assert found.drawn
    for sample in found.samples():
        np.testing.assert_allclose(sample.keypoints[:, :2], np.array(POINTS)[:, :2], atol=1e-3)
        np.testing.assert_allclose(sample.box, BOX, atol=1e-3)


def test_keypoints_of_two_numbers(tmp_path: Path, kite: Skeleton) -> None:
    path = write_yolo(tmp_path, images=2, kpt_shape=[3, 2], val="images/train")
    line = yolo_line([[20.0, 10.0], [0.0, 0.0], [30.0, 30.0]])
    (tmp_path / "labels/train/1.txt").write_text(line)
    (sample,) = open_own(f"yolo:{path}", "val", kite).samples()
    np.testing.assert_array_equal(sample.keypoints[:, 2], [1, 0, 1])


def test_people_among_other_classes(tmp_path: Path, kite: Skeleton) -> None:
    path = write_yolo(tmp_path, images=2, names={0: "ball", 1: "person"}, val="images/train")
    (tmp_path / "labels/train/1.txt").write_text(f"{yolo_line()}\n{yolo_line(kind=1)}\n")
    assert len(open_own(f"yolo:{path}", "val", kite).samples()) == 1


def test_turned_photographs_have_the_sides_that_are_shown(tmp_path: Path, kite: Skeleton) -> None:
    from PIL import Image

    path = write_yolo(tmp_path, images=2, val="images/train")
    image = Image.new("RGB", (40, 60))  # shown as 60 x 40
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "images/train/1.jpg", exif=exif)
    (tmp_path / "images/train/1.png").unlink()
    (sample,) = open_own(f"yolo:{path}", "val", kite).samples()
    np.testing.assert_allclose(sample.keypoints[0, :2], POINTS[0][:2], atol=1e-3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kpt_shape": None}, "kpt_shape is missing"),
        ({"kpt_shape": [17, 3]}, "kpt_shape has 17 keypoints, skeleton kite 3"),
        ({"kpt_shape": [3, 4]}, "kpt_shape must be"),
        ({"flip_idx": [0, 1, 2]}, "flip_idx leaves left_tip in its place, skeleton kite exchanges"),
        ({"flip_idx": [2, 1, 0]}, "flip_idx exchanges left_tip with tail, skeleton kite exchanges"),
        ({"flip_idx": [1, 0]}, "flip_idx must hold each of 0 to 2 once"),
        ({"train": None}, "'train' is missing"),
        ({"train": "elsewhere"}, "elsewhere is missing"),
    ],
)
def test_a_bad_data_yaml(
    tmp_path: Path, kite: Skeleton, values: dict[str, Any], message: str
) -> None:
    path = write_yolo(tmp_path, **values)
    with pytest.raises(DataError, match=message) as raised:
        open_own(f"yolo:{path}", "train", kite)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_flip_pairs_that_the_skeleton_lacks(tmp_path: Path) -> None:
    without = find_skeleton(
        write_skeleton(tmp_path, keypoints=["a", "b", "tail"], edges=[], flip_pairs=[])
    )
    path = write_yolo(tmp_path)
    with pytest.raises(DataError, match=r"a with b, .* does not \(it has no flip_pairs\)"):
        open_own(f"yolo:{path}", "train", without)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 0.5 0.5 0.1 0.1 0.5 0.5 2", "14 numbers are needed .*, not 8"),
        (yolo_line().replace("0.5", "30", 1), "shares of the image's sides"),
        (yolo_line() + " x", "not numbers alone"),
        (yolo_line([[float("nan"), 10, 2], *POINTS[1:]]), "shares of the image's sides"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, kite: Skeleton, line: str, message: str) -> None:
    path = write_yolo(tmp_path)
    (tmp_path / "labels/train/2.txt").write_text(f"\n{line}\n")
    with pytest.raises(DataError, match=rf"2\.txt, line 2: .*{message}"):
        open_own(f"yolo:{path}", "train", kite)


def test_nobody_is_labelled(tmp_path: Path, kite: Skeleton) -> None:
    path = write_yolo(tmp_path, images=1)
    with pytest.raises(DataError, match="nobody is labelled in 1 image"):
        open_own(f"yolo:{path}", "val", kite)
    file = write_own_coco(tmp_path)
    content = json.loads(file.read_text())
    for each in content["annotations"]:
        each.update(keypoints=[0] * 9, num_keypoints=0)
    file.write_text(json.dumps(content))
    with pytest.raises(DataError, match="of 2 people in 2 images none has labelled keypoints"):
        open_own(f"coco:{file}", "val", kite)


def test_another_number_of_keypoints_is_one_fault(tmp_path: Path) -> None:
    file = write_own_coco(tmp_path)
    with pytest.raises(DataError) as raised:
        open_own(f"coco:{file}", "train", find_skeleton("coco17"))
    assert "people have 3 keypoints, skeleton coco17 has 17" in str(raised.value)
    assert "more" not in str(raised.value)


def test_keypoints_in_another_order(tmp_path: Path) -> None:
    other = find_skeleton(write_skeleton(tmp_path, keypoints=["right_tip", "left_tip", "tail"]))
    file = write_own_coco(tmp_path)
    with pytest.raises(DataError, match="keypoint 0 is left_tip, in skeleton kite it is right_tip"):
        open_own(f"coco:{file}", "train", other)


@pytest.mark.parametrize("where", ["coco:", "voc:x", "labels.json"])
def test_words_that_name_no_data(kite: Skeleton, where: str) -> None:
    with pytest.raises(DataError, match="coco:PATH or yolo:PATH"):
        open_own(where, "train", kite)


def test_a_folder_with_two_files_of_a_part(tmp_path: Path, kite: Skeleton) -> None:
    for name in ("train_a.json", "train_b.json", "val.json"):
        write_own_coco(tmp_path, name, images=1)
    with pytest.raises(DataError, match=r"one keypoint file of the part train .* train_a\.json"):
        open_own(f"coco:{tmp_path}", "train", kite)


def test_an_image_that_is_missing_keeps_its_named_place(tmp_path: Path, kite: Skeleton) -> None:
    file = write_own_coco(tmp_path, images=1)
    (tmp_path / "images/1.png").unlink()
    (sample,) = open_own(f"coco:{file}", "val", kite).samples()
    assert sample.image == tmp_path / "1.png"
    write_image(tmp_path / "deep" / "1.png")
    (sample,) = open_own(f"coco:{file}", "val", kite).samples()
    assert sample.image == tmp_path / "deep" / "1.png"


def test_images_of_a_neighbouring_folder_are_not_taken(tmp_path: Path) -> None:
    labels, skeleton = write_own_coco(tmp_path / "mine"), write_skeleton(tmp_path)
    (tmp_path / "mine/images/3.png").rename(tmp_path / "kept.png")
    (tmp_path / "others").mkdir()
    (tmp_path / "kept.png").rename(tmp_path / "others/3.png")
    kite = find_skeleton(skeleton)
    parts = [open_own(f"coco:{labels}", part, kite) for part in ("train", "val")]
    images = [sample.image for part in parts for sample in part.samples()]
    assert not any(image.is_relative_to(tmp_path / "others") for image in images)
