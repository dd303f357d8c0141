"""Other tools' formats, against what those tools document or write."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from movements import pose
from vidpose.errors import OutputError
from vidpose.io import open_writer, read_results, result_suffix
from vidpose.io.opensim import write_mot, write_trc
from vidpose.results import FrameResult, Person, ResultHeader, SourceInfo
from vidpose.skeleton import COCO_17

HEADER = ResultHeader(
    "0.1.0", "dkd", COCO_17, SourceInfo("clips/squat.mp4", 640, 480, 25.0, 2, 0.08, False)
)


def coco_frames() -> list[FrameResult]:
    points = pose(moved={"left_shoulder": (90, 50), "right_shoulder": (110, 54)})
    points[COCO_17.keypoints.index("left_wrist")] = (np.nan, np.nan, 0)
    return [FrameResult(0, 0.0, (Person(3, 0.9, (80, 5, 45, 210), points),)), FrameResult(1, 0.04)]


def written(path: Path) -> Path:
    with open_writer(path, HEADER) as writer:
        for frame in coco_frames():
            writer.write(frame)
    return path


def test_openpose_archive_has_a_file_per_frame_in_body_25s_order(tmp_path: Path) -> None:
    with zipfile.ZipFile(written(tmp_path / "squat.openpose.zip")) as archive:
        assert archive.namelist() == [
            "squat_000000000000_keypoints.json",
            "squat_000000000001_keypoints.json",
        ]
        assert archive.testzip() is None
        first, second = (json.loads(archive.read(name)) for name in archive.namelist())
    assert second["people"] == []
    assert first["version"] == 1.3
    (person,) = first["people"]
    assert person["person_id"] == [3]
    points = np.array(person["pose_keypoints_2d"]).reshape(25, 3)
    np.testing.assert_allclose(points[0], (104, 20, 0.9), rtol=1e-6)  # nose
    np.testing.assert_allclose(points[1], (100, 52, 0.9), rtol=1e-6)  # neck
    np.testing.assert_allclose(points[2], (110, 54, 0.9), rtol=1e-6)  # right shoulder
    np.testing.assert_allclose(points[8], (100, 110, 0.9), rtol=1e-6)  # mid-hip
    assert not points[7].any()  # the left wrist is missing
    assert not points[19:].any()  # COCO-17 has no feet


def test_mmpose_counts_frames_from_1_and_gives_corners(tmp_path: Path) -> None:
    content = json.loads(written(tmp_path / "squat.mmpose.json").read_text())
    assert content["meta_info"]["keypoint_name2id"]["left_hip"] == 11
    first, second = content["instance_info"]
    assert (first["frame_id"], second) == (1, {"frame_id": 2, "instances": []})
    (person,) = first["instances"]
    assert person["bbox"] == [[80, 5, 125, 215]]
    assert person["keypoints"][0] == [104, 20]
    assert (person["keypoints"][9], person["keypoint_scores"][9]) == ([0, 0], 0)


def test_ultralytics_has_a_list_per_frame(tmp_path: Path) -> None:
    first, second = json.loads(written(tmp_path / "squat.ultralytics.json").read_text())
    assert second == []
    (person,) = first
    assert person["box"] == {"x1": 80, "y1": 5, "x2": 125, "y2": 215}
    assert (person["name"], person["class"], person["track_id"]) == ("person", 0, 3)
    assert [len(person["keypoints"][key]) for key in ("x", "y", "visible")] == [17, 17, 17]
    assert person["keypoints"]["y"][0] == 20


@pytest.mark.parametrize("name", ["a.openpose.zip", "a.mmpose.json", "a.ultralytics.json"])
def test_an_unfinished_file_leaves_nothing(tmp_path: Path, name: str) -> None:
    writer = open_writer(tmp_path / name, HEADER)
    writer.write(coco_frames()[0])
    writer.abort()
    assert list(tmp_path.iterdir()) == []


def test_the_longest_known_suffix_chooses() -> None:
    assert result_suffix("a/B.MMPose.json") == ".mmpose.json"
    assert result_suffix("a.b.json") == ".json"
    assert result_suffix("a") == ""


class Doubles:
    """Twice a person's first coordinate, and nothing."""

    names = ("twice", "nothing")

    def rows(self, result: FrameResult) -> list[list[float]]:
        return [[2 * float(person.keypoints[0, 0]), np.nan] for person in result.people]


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_further_columns_are_written_and_left_out_when_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"squat{suffix}"
    with open_writer(path, HEADER, Doubles()) as writer:
        for frame in coco_frames():
            writer.write(frame)
    assert read_results(path).frames == coco_frames()
    if suffix == ".csv":
        with path.open(newline="") as file:
            first, second = csv.DictReader(file)
        assert (first["twice"], first["nothing"], second["twice"]) == ("208.0", "", "")


def test_trc_has_its_counts_and_three_axes_a_marker(tmp_path: Path) -> None:
    path = tmp_path / "squat.trc"
    markers = np.array([[[0.5, 1.0], [np.nan, np.nan]], [[0.25, 2.0], [1.0, 1.5]]])
    write_trc(path, np.array([0.0, 0.04]), markers, ["hip", "knee"])
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    assert lines[0] == ["PathFileType", "4", "(X/Y/Z)", "squat.trc"]
    assert dict(zip(lines[1], lines[2], strict=True)) == {
        "DataRate": "25", "CameraRate": "25", "NumFrames": "2", "NumMarkers": "2", "Units": "m",
        "OrigDataRate": "25", "OrigDataStartFrame": "1", "OrigNumFrames": "2",
    }  # fmt: skip
    assert lines[4] == ["", "", "X1", "Y1", "Z1", "X2", "Y2", "Z2"]
    assert lines[6] == ["1", "0.000000", "0.500000", "1.000000", "0.000000", "", "", ""]
    assert [len(row) for row in lines[6:]] == [8, 8]


def test_mot_has_its_counts(tmp_path: Path) -> None:
    path = tmp_path / "squat.mot"
    write_mot(path, np.array([0.0, 0.04]), np.array([[90.0], [np.nan]]), ["knee"])
    lines = path.read_text().splitlines()
    assert lines[:6] == [
        "squat", "version=1", "nRows=2", "nColumns=2", "inDegrees=yes", "endheader",
    ]  # fmt: skip
    assert lines[6:] == ["time\tknee", "0.000000\t90.000000", "0.040000\tnan"]


@pytest.mark.parametrize("write", [write_trc, write_mot])
def test_no_person_gives_no_opensim_file(tmp_path: Path, write: object) -> None:
    with pytest.raises(OutputError, match="nothing to write"):
        write(tmp_path / "a.trc", np.zeros(0), np.zeros((0, 1, 2)), ["hip"])  # type: ignore[operator]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".trc", ".mot"])
def test_opensim_reads_what_was_written(tmp_path: Path, suffix: str) -> None:
    opensim = pytest.importorskip("opensim", reason="opensim is not installed")
    path = tmp_path / f"squat{suffix}"
    times = np.arange(5) / 25
    if suffix == ".trc":
        write_trc(path, times, np.ones((5, 2, 2)), ["hip", "knee"])
        table = opensim.TimeSeriesTableVec3(str(path))
        assert list(table.getColumnLabels()) == ["hip", "knee"]
    else:
        write_mot(path, times, np.full((5, 1), 30.0), ["left_knee_flexion"])
        table = opensim.TimeSeriesTable(str(path))
        assert list(table.getColumnLabels()) == ["left_knee_flexion"]
    assert list(table.getIndependentColumn()) == pytest.approx(times.tolist())


def test_rerun_reads_what_was_written(tmp_path: Path) -> None:
    pytest.importorskip("rerun", reason="rerun-sdk is not installed")
    path = written(tmp_path / "squat.rrd")
    command = [sys.executable, "-m", "rerun", "rrd"]
    subprocess.run([*command, "verify", path], check=True, capture_output=True)
    said = subprocess.run([*command, "print", path], check=True, capture_output=True, text=True)
    for entity in ("/people/3/keypoints", "/people/3/box", "/people/3/score"):
        assert entity in said.stdout


def test_without_rerun_the_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(OutputError, match=r"vidpose\[rerun\]"):
        open_writer(tmp_path / "a.rrd", HEADER)
    assert list(tmp_path.iterdir()) == []
