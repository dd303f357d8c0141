"""``vidpose eval`` from end to end; the model of these tests finds every joint in the middle of its
crop, 2 crop pixels aside, so labels in the middle of their box are hits."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from command import Ended, Vidpose

from clip_folders import write_jhmdb, write_penn, write_splits
from own_labels import write_own_coco, write_skeleton
from stills_folders import write_coco
from vidpose.bundle import available_models
from vidpose.data.datasets.own import open_own
from vidpose.defaults import DEFAULT_MODEL
from vidpose.io import open_writer
from vidpose.results import FrameResult, Person, ResultHeader, SourceInfo
from vidpose.skeleton import COCO_17, PENN_13, Skeleton, find_skeleton


@pytest.fixture
def model(models: list[str]) -> str:
    return models[1]


def table(ended: Ended) -> list[dict[str, str]]:
    """The rows of the printed Markdown table."""
    lines = [line for line in ended.stdout.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


def assert_one_line(ended: Ended, *parts: str, code: int = 1) -> None:
    assert ended.returncode == code, ended
    lines = [line for line in ended.stderr.splitlines() if "frames/s" not in line]
    assert len(lines) == 1, ended.stderr
    assert all(part in lines[0] for part in parts), lines[0]
    assert "internal error" not in lines[0]


def write_predictions(
    path: Path, points: list[tuple[float, float]], skeleton: Skeleton = PENN_13
) -> Path:
    """A file with one person a frame, all of whose joints are at that frame's point."""
    source = SourceInfo("x", 128, 96, None, None, None, False)
    with open_writer(path, ResultHeader("1", "theirs", skeleton, source)) as writer:
        for index, (x, y) in enumerate(points):
            keypoints = [[x, y, 1.0]] * skeleton.num_keypoints
            person = Person(1, 0.9, (x - 20, y - 20, 40, 40), keypoints)
            writer.write(FrameResult(index, index / 25, (person,)))
    return path


def test_a_model_on_penn_action(vidpose: Vidpose, model: str, tmp_path: Path) -> None:
    root = write_penn(tmp_path / "penn", "0001")
    write_penn(root, "0002", images=False)
    write_penn(root, "0003", train=1)
    out = tmp_path / "table.csv"
    ended = vidpose(
        "eval", model, "--data", f"penn_action:{root}", "--protocol", "penn-bbox",
        "--threads", "1", "--out", out, "--out", tmp_path / "table.md",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    (row,) = table(ended)
    assert row["predictor"] == "middle initializer"
    assert (row["split"], row["clips"], row["frames"]) == ("test", "1", "4")
    assert row["micro"] == row["wrist"] == "100.0"
    assert row["initialised"] == "100.0"
    assert row["acceleration error"] == "0.0"
    for part in (
        "split test: 1 of 1,068 clips: SMOKE TEST",
        "<= 0.2 x the longer side of the ground-truth box",
        "boxes: ground truth, of every frame",
        "head is the mean of left_ear, right_ear",
        "threads: 1",
        "machine: ",
    ):
        assert part in ended.stdout, part
    (written,) = csv.DictReader(out.read_text().splitlines())
    assert written["micro"] == "100.0"
    assert written["threads"] == "1"
    assert "SMOKE TEST" in written["data"]
    assert (tmp_path / "table.md").read_text() in ended.stdout


def test_figures_follow_the_labels(vidpose: Vidpose, model: str, tmp_path: Path) -> None:
    """The box is 64 x 64, so the limit is 12.8; left wrists lie 30 px away in every frame."""
    x = np.full((4, 13), 61.0)
    x[:, PENN_13.keypoints.index("left_wrist")] += 30
    root = write_penn(tmp_path, "0001", x=x)
    ended = vidpose("eval", model, "--data", f"penn_action:{root}", "--protocol", "penn-bbox")
    (row,) = table(ended)
    assert (row["wrist"], row["elbow"], row["micro"]) == ("50.0", "100.0", "92.3")


def test_jhmdb_is_evaluated_split_by_split_and_then_averaged(
    vidpose: Vidpose, model: str, tmp_path: Path
) -> None:
    for name in ("a", "b", "c"):
        write_jhmdb(tmp_path, "catch", name)
    write_splits(tmp_path, {"a": (2, 1, 1), "b": (1, 2, 1), "c": (1, 1, 2)}, folder="sub_splits")
    ended = vidpose(
        "eval", model, "--data", f"sub_jhmdb:{tmp_path}", "--protocol", "tpck", "--boxes", "first"
    )
    assert ended.returncode == 0, ended.stderr
    rows = table(ended)
    assert [row["split"] for row in rows] == [
        "1 test", "2 test", "3 test", "mean of 1 test, 2 test, 3 test",
    ]  # fmt: skip
    assert [row["clips"] for row in rows] == ["1", "1", "1", "3"]
    assert "puppet mask, of frame 1 only" in ended.stdout
    assert "SMOKE TEST" in ended.stdout


def test_jhmdb_without_split_files_says_so_and_none_is_a_smoke_test(
    vidpose: Vidpose, model: str, tmp_path: Path
) -> None:
    write_jhmdb(tmp_path, "catch", "a", mask=False)
    common = ["eval", model, "--data", f"jhmdb:{tmp_path}", "--protocol", "jhmdb-bbox"]
    assert_one_line(vidpose(*common), "splits is missing", "http://jhmdb")
    ended = vidpose(*common, "--split", "none")
    assert ended.returncode == 0, ended.stderr
    assert "SMOKE TEST" in ended.stdout
    assert "no puppet mask" in ended.stdout
    assert_one_line(vidpose(*common, "--split", "4"), "--split 4", "1, 2, 3, none", code=2)


def test_predictions_of_a_clip(vidpose: Vidpose, tmp_path: Path) -> None:
    """Three of four frames are right; images are not needed."""
    root = write_penn(tmp_path / "penn", "0001", images=False)
    points = [(60.0, 50.0), (60, 50), (61, 52), (74, 50)]  # the last one 14 px away
    path = write_predictions(tmp_path / "0001.jsonl", points)
    ended = vidpose("eval", path, "--data", f"penn_action:{root}", "--protocol", "penn-bbox")
    assert ended.returncode == 0, ended.stderr
    (row,) = table(ended)
    assert (row["predictor"], row["micro"]) == ("0001.jsonl", "75.0")
    assert "initialised" not in row
    assert "1 of 1,068 clips: SMOKE TEST" in ended.stdout
    assert "those that the predictions were made with" in ended.stdout


def test_a_folder_of_predictions_and_frames_without_anybody(
    vidpose: Vidpose, tmp_path: Path
) -> None:
    root = write_penn(tmp_path / "penn", "0001", images=False)
    write_penn(root, "0002", images=False)
    folder = tmp_path / "results"
    folder.mkdir()
    write_predictions(folder / "0001.csv", [(60, 50)] * 4)
    write_predictions(folder / "0002.csv", [(60, 50)] * 2)  # two frames are not spoken of
    (row,) = table(
        vidpose("eval", folder, "--data", f"penn_action:{root}", "--protocol", "penn-bbox")
    )
    assert (row["clips"], row["frames"], row["micro"]) == ("2", "8", "75.0")


def test_coco_results_are_scored_by_pycocotools(vidpose: Vidpose, tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    root = write_coco(tmp_path, "val2017", [{}, {}])
    truth = json.loads((root / "annotations" / "person_keypoints_val2017.json").read_text())
    first = truth["annotations"][0]
    entry = {"image_id": first["image_id"], "category_id": 1, "score": 0.9}
    results = tmp_path / "theirs.json"
    results.write_text(json.dumps([{**entry, "keypoints": first["keypoints"]}]))
    ended = vidpose("eval", results, "--data", f"coco:{root}", "--protocol", "coco-oks")
    assert ended.returncode == 0, ended.stderr
    (row,) = table(ended)
    assert row["AR"] == "50.0"  # one of two people
    assert row["people"] == "2"


def test_a_model_on_coco(vidpose: Vidpose, model: str, tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    middle = np.tile([45.0, 60.0, 2.0], 17).tolist()
    root = write_coco(tmp_path, "val2017", [{"keypoints": middle}])
    ended = vidpose("eval", model, "--data", f"coco:{root}", "--protocol", "coco-oks")
    assert ended.returncode == 0, ended.stderr
    (row,) = table(ended)
    assert float(row["AP"]) > 50
    assert row["people"] == "1"


def test_wrong_words_are_wrong_usage(vidpose: Vidpose, model: str, tmp_path: Path) -> None:
    root = write_penn(tmp_path, "0001")
    penn = ["eval", model, "--data", f"penn_action:{root}", "--protocol"]
    assert_one_line(vidpose(*penn, "mpii-pckh"), "penn-bbox, penn-torso", code=2)
    assert_one_line(vidpose(*penn, "penn-bbox", "--boxes", "all"), "every or first", code=2)
    for data in ("penn:x", str(root), "penn_action:"):
        ended = vidpose("eval", model, "--data", data, "--protocol", "penn-bbox")
        assert_one_line(ended, "NAME:PATH", "penn_action", "--skeleton", "yolo:PATH", code=2)
    assert_one_line(vidpose(*penn, "penn-bbox", "--out", "t.xlsx"), ".csv .md", code=2)


def test_a_wrong_folder_is_named_with_the_place_to_get_the_set(
    vidpose: Vidpose, model: str, tmp_path: Path
) -> None:
    ended = vidpose("eval", model, "--data", f"penn_action:{tmp_path}", "--protocol", "penn-bbox")
    assert_one_line(ended, str(tmp_path), "labels/*.mat", "http://dreamdragon.github.io")


def test_labels_without_images_are_named(vidpose: Vidpose, model: str, tmp_path: Path) -> None:
    root = write_penn(tmp_path, "0001", images=False)
    ended = vidpose("eval", model, "--data", f"penn_action:{root}", "--protocol", "penn-bbox")
    assert_one_line(ended, "no image of its 1 labelled clips", "000001.jpg")


def test_frames_and_labels_of_different_number_are_named(
    vidpose: Vidpose, model: str, tmp_path: Path
) -> None:
    root = write_penn(tmp_path, "0001")
    (root / "frames" / "0001" / "000003.jpg").unlink()
    ended = vidpose("eval", model, "--data", f"penn_action:{root}", "--protocol", "penn-bbox")
    assert_one_line(ended, "clip 0001: 4 frames are labelled, 3 of them are there", "000003.jpg")


def test_joints_without_a_number_are_named(vidpose: Vidpose, model: str, tmp_path: Path) -> None:
    x = np.full((4, 13), 61.0)
    x[2, 0] = np.nan
    root = write_penn(tmp_path, "0001", x=x)
    ended = vidpose("eval", model, "--data", f"penn_action:{root}", "--protocol", "penn-bbox")
    assert_one_line(ended, "clip 0001", "NaN", "head in frame 2", "vidpose data check")


def test_bad_predictions_are_one_line(vidpose: Vidpose, tmp_path: Path) -> None:
    root = write_penn(tmp_path / "penn", "0001", images=False)
    write_penn(root, "0002", train=1, images=False)
    common = ["--data", f"penn_action:{root}", "--protocol", "penn-bbox"]
    hands = Skeleton("hands", ("left_thumb", "right_thumb"), (), ((0, 1),), (0.1, 0.1))
    folder = tmp_path / "a"
    folder.mkdir()
    write_predictions(folder / "0001.jsonl", [(60, 50)], hands)
    assert_one_line(vidpose("eval", folder, *common), "skeleton 'hands'", "0001.jsonl")
    trained = write_predictions(tmp_path / "0002.jsonl", [(60, 50)])
    assert_one_line(vidpose("eval", trained, *common), "no clip '0002'", "split test")
    longer = write_predictions(tmp_path / "0001.jsonl", [(60, 50)] * 5)
    assert_one_line(vidpose("eval", longer, *common), "frame 4, but clip 0001 has 4 frames")
    assert_one_line(vidpose("eval", tmp_path / "gone.csv", *common), "gone.csv", "no such file")
    (tmp_path / "0001.csv").write_text("frame,time\n1,2\n")
    assert_one_line(vidpose("eval", tmp_path / "0001.csv", *common), "0001.csv, line 1: damaged")


def test_skeletons_of_a_folder_have_to_agree(vidpose: Vidpose, tmp_path: Path) -> None:
    root = write_penn(tmp_path / "penn", "0001", images=False)
    write_penn(root, "0002", images=False)
    folder = tmp_path / "results"
    folder.mkdir()
    write_predictions(folder / "0001.jsonl", [(60, 50)])
    write_predictions(folder / "0002.jsonl", [(60, 50)], COCO_17)
    ended = vidpose("eval", folder, "--data", f"penn_action:{root}", "--protocol", "penn-bbox")
    assert_one_line(ended, "0002.jsonl: skeleton 'coco17', others 'penn13'")


def test_predictions_for_jhmdb_are_scored_in_the_split_that_they_belong_to(
    vidpose: Vidpose, tmp_path: Path
) -> None:
    root = tmp_path / "jhmdb"
    for name in ("a", "b", "c"):
        write_jhmdb(root, "catch", name, images=False)
    write_splits(root, {"a": (2, 1, 1), "b": (1, 2, 1), "c": (1, 1, 2)})
    folder = tmp_path / "results"
    folder.mkdir()
    write_predictions(folder / "a.csv", [(60, 50)] * 3)
    write_predictions(folder / "b.csv", [(60, 50)] * 2 + [(99, 99)])
    common = ["eval", folder, "--data", f"jhmdb:{root}", "--protocol", "jhmdb-bbox"]
    assert_one_line(vidpose(*common), "no predictions", "split 3 test", "--split")
    write_predictions(folder / "c.csv", [(60, 50)] * 3)
    rows = table(vidpose(*common))
    assert [row["micro"] for row in rows] == ["100.0", "66.7", "100.0", "88.9"]
    assert_one_line(vidpose(*common, "--split", "2"), "no clip 'a'", "split 2 test")


def test_the_shipped_model_on_a_real_clip(vidpose: Vidpose, shared_data: Path) -> None:
    if DEFAULT_MODEL not in available_models():
        pytest.skip("this checkout ships no models yet")
    data = f"penn_action:{shared_data / 'penn_action' / 'Penn_Action'}"
    name = DEFAULT_MODEL
    ended = vidpose("eval", name, "--data", data, "--protocol", "penn-bbox", "--threads", "1")
    assert ended.returncode == 0, ended.stderr
    rows = {row["predictor"]: row for row in table(ended)}
    assert list(rows) == [f"{name} {part}" for part in ("step", "stream", "initializer")]
    assert all(float(row["shoulder"]) > 95 for row in rows.values())
    assert rows[f"{name} step"]["initialised"] == "1.7"  # 1 of 58 frames
    assert 1.7 <= float(rows[f"{name} stream"]["initialised"]) < 10
    assert "1 of 1,068 clips: SMOKE TEST" in ended.stdout


def test_pck_of_labels_of_one_s_own(vidpose: Vidpose, tmp_path: Path) -> None:
    """Joint by joint; a kite has no torso, so the unit is 0.3 of its 20 px."""
    kite = find_skeleton(write_skeleton(tmp_path))
    labels = f"coco:{write_own_coco(tmp_path)}"
    results = [
        {
            "image_id": person.image_id,
            "category_id": 1,
            "keypoints": [20.9, 10, 1, 20.9, 10, 1, 20.9, 10, 1],
            "score": 1.0,
        }
        for person in open_own(labels, "val", kite).people
    ]
    found = tmp_path / "found.json"
    found.write_text(json.dumps(results))
    common = ("--data", labels, "--skeleton", tmp_path / "kite.yaml")
    ended = vidpose("eval", found, *common, "--protocol", "pck")
    assert ended.returncode == 0, ended.stderr
    (row,) = table(ended)
    assert (row["left_tip"], row["right_tip"], row["tail"]) == ("100.0", "0.0", "0.0")
    assert (row["micro"], row["micro @0.1"], row["micro ±"]) == ("33.3", "0.0", "0.0")
    assert "2 people of your own labels" in ended.stdout
    ended = vidpose("eval", found, *common, "--protocol", "lsp-torso")
    assert_one_line(ended, "data of your own have coco-oks, pck", code=2)
