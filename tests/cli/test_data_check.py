"""``vidpose data check``: complete sets, missing parts, and every kind of fault."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from command import Ended, Vidpose

from clip_folders import write_jhmdb, write_penn, write_splits
from own_labels import write_own_coco, write_skeleton, write_yolo
from stills_folders import write_coco
from vidpose.data import catalogue
from vidpose.data.datasets import penn_action


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """An official Penn Action of two clips."""
    counts = MappingProxyType({"train": 1, "test": 1})
    monkeypatch.setattr(penn_action, "SPLITS", counts)


def lines(ended: Ended, kind: str) -> list[str]:
    return [
        line.split(maxsplit=1)[1]
        for line in ended.stdout.splitlines()
        if line.startswith(f"  {kind} ")
    ]


def test_a_complete_set(vidpose: Vidpose, small: None, tmp_path: Path) -> None:
    root = write_penn(tmp_path, "0001")
    write_penn(root, "0002", train=1)
    ended = vidpose("data", "check", "penn_action", root)
    assert ended.returncode == 0, ended.stdout
    assert lines(ended, "found") == [
        "split test: labels of 1 of 1 clips, images of 1",
        "split train: labels of 1 of 1 clips, images of 1",
        "8 labelled frames, images of 2 of 2 labelled clips",
    ]
    assert "complete, no faults (a sample of the images opened)" in ended.stdout


def test_missing_clips_and_images(vidpose: Vidpose, tmp_path: Path) -> None:
    root = write_penn(tmp_path, "0001")
    write_penn(root, "0002", images=False)
    ended = vidpose("data", "check", "penn_action", root)
    assert ended.returncode == 1
    missing = lines(ended, "missing")
    assert "split test: labels of 1,066 clips" in missing
    assert "split train: labels of 1,258 clips" in missing
    assert any("images of 1 clips, the first " in m and "0002/000001.jpg" in m for m in missing)
    assert lines(ended, "faulty") == []
    assert "not complete, 0 faults" in ended.stdout


def test_faults_are_named_one_a_line(vidpose: Vidpose, small: None, tmp_path: Path) -> None:
    x = np.full((4, 13), 61.0)
    x[1, 9] = np.nan
    root = write_penn(tmp_path, "0001", x=x)
    write_penn(root, "0002", train=1)
    (root / "frames" / "0002" / "000004.jpg").unlink()
    (root / "labels" / "0003.mat").write_bytes(b"nothing")
    write_penn(root, "0004", bbox=np.zeros((4, 4)))
    (root / "frames" / "0004" / "000001.jpg").write_bytes(b"no image")
    (root / "frames" / "0009").mkdir()
    ended = vidpose("data", "check", "penn_action", root)
    assert ended.returncode == 1
    faults = lines(ended, "faulty")
    for part in (
        "clip 0001: 1 joints are marked visible but have no position",
        "clip 0002: 4 frames are labelled, 3 of them are there",
        "0003.mat: cannot be read as a MATLAB file",
        "clip 0004: 4 boxes are empty",
        "000001.jpg: the image is missing or damaged",
        "0009: images without labels",
    ):
        assert sum(part in fault for fault in faults) == 1, (part, faults)
    assert "not complete, 6 faults" in ended.stdout


def test_only_all_opens_every_image(vidpose: Vidpose, small: None, tmp_path: Path) -> None:
    root = write_penn(tmp_path, "0001", frames=5)
    write_penn(root, "0002", train=1)
    (root / "frames" / "0001" / "000002.jpg").write_bytes(b"no image")  # not first, middle, last
    assert vidpose("data", "check", "penn_action", root).returncode == 0
    ended = vidpose("data", "check", "penn_action", root, "--all")
    assert ended.returncode == 1
    assert "000002.jpg" in lines(ended, "faulty")[0]


def test_jhmdb_without_splits_and_masks(vidpose: Vidpose, tmp_path: Path) -> None:
    root = write_jhmdb(tmp_path, "catch", "a", mask=False)
    ended = vidpose("data", "check", "jhmdb", root)
    assert ended.returncode == 1
    missing = lines(ended, "missing")
    assert sum("splits is missing" in line for line in missing) == 1
    assert "split none: labels of 927 clips" in missing
    assert any("boxes of 1 clips: the extent of the joints" in line for line in missing)
    assert lines(ended, "faulty") == []


def test_sub_jhmdb_by_its_splits(vidpose: Vidpose, tmp_path: Path) -> None:
    root = write_jhmdb(tmp_path, "catch", "a")
    write_jhmdb(root, "catch", "b")
    write_splits(root, {"a": (1, 2, 1), "b": (2, 1, 1)}, folder="sub_splits")
    ended = vidpose("data", "check", "sub_jhmdb", root)
    assert "split 1 train: labels of 1 clips, images of 1" in lines(ended, "found")
    assert "split 3 test: labels of 0 clips, images of 0" in lines(ended, "found")
    assert "6 labelled frames, images of 2 of 2 labelled clips" in lines(ended, "found")


def test_stills(vidpose: Vidpose, tmp_path: Path) -> None:
    root = write_coco(tmp_path, "val2017", [{}, {}])
    (root / "val2017" / "000000000001.jpg").write_bytes(b"no image")
    ended = vidpose("data", "check", "coco", root)
    assert ended.returncode == 1
    assert any("train2017.json is missing" in line for line in lines(ended, "missing"))
    assert any("000000000001.jpg" in fault for fault in lines(ended, "faulty"))


def test_stills_with_faulty_labels(vidpose: Vidpose, tmp_path: Path) -> None:
    root = write_coco(tmp_path, "val2017", [{}, {"keypoints": [float("nan"), 1, 2] * 17}])
    ended = vidpose("data", "check", "coco", root)
    assert ended.returncode == 1
    (fault,) = lines(ended, "faulty")
    assert "annotation 102: keypoints: nose is marked visible but has no position" in fault
    assert "its labels cannot be used as they are" in ended.stdout


def test_wrong_words(vidpose: Vidpose, tmp_path: Path) -> None:
    for words, part in (
        (["imagenet", tmp_path], "penn_action"),
        (["penn_action", tmp_path / "gone"], "no such folder"),
    ):
        ended = vidpose("data", "check", *words)
        assert ended.returncode == 2
        assert ended.stderr.count("\n") == 1
        assert part in ended.stderr


def test_an_empty_folder_of_every_set_says_where_to_get_it(
    vidpose: Vidpose, tmp_path: Path
) -> None:
    for name in catalogue.DATA_SETS:
        ended = vidpose("data", "check", name, tmp_path)
        assert ended.returncode == 1
        assert any("http" in line for line in lines(ended, "missing")), name
        assert ended.stdout.endswith("nothing of the data set is here\n")
        assert "internal error" not in ended.stderr


def test_one_folder_too_high(vidpose: Vidpose, tmp_path: Path) -> None:
    write_penn(tmp_path / "Penn_Action", "0001")
    ended = vidpose("data", "check", "penn_action", tmp_path)
    assert f"give {tmp_path / 'Penn_Action'} with labels/" in lines(ended, "missing")[0]


def test_help_has_examples(vidpose: Vidpose) -> None:
    for words in (["data", "--help"], ["data", "check", "--help"]):
        ended = vidpose(*words)
        assert ended.returncode == 0
        assert "vidpose data check" in ended.stdout


def test_data_of_ones_own(vidpose: Vidpose, tmp_path: Path) -> None:
    skeleton, labels = write_skeleton(tmp_path), write_own_coco(tmp_path)
    ended = vidpose("data", "check", f"coco:{labels}", "--skeleton", skeleton)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert lines(ended, "found") == [
        "split val (every fifth image): labels of 2 people, images of 2",
        "split train (the other images): labels of 8 people, images of 8",
        "10 labelled frames, images of 10 of 10 labelled people",
        "skeleton kite: 3 keypoints, 1 flip pair",
    ]


def test_faults_of_ones_own_data_stand_once(vidpose: Vidpose, tmp_path: Path) -> None:
    skeleton, data = write_skeleton(tmp_path), write_yolo(tmp_path)
    (tmp_path / "labels/train/1.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    ended = vidpose("data", "check", f"yolo:{data}", "--skeleton", skeleton)
    assert ended.returncode == 1
    (fault,) = lines(ended, "faulty")
    assert "1.txt, line 1: 14 numbers are needed" in fault


def test_what_is_no_data_set_of_ones_own(vidpose: Vidpose, tmp_path: Path) -> None:
    data = write_yolo(tmp_path, kpt_shape=None)
    ended = vidpose("data", "check", f"yolo:{data}", "--skeleton", write_skeleton(tmp_path))
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "kpt_shape is missing" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    ended = vidpose("data", "check", "coco", tmp_path, "--skeleton", "coco17")
    assert ended.returncode == 2
