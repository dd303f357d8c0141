"""``vidpose convert`` from a result to files of other tools."""

from __future__ import annotations

import csv
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import Vidpose

from movements import frames, pose, shifted
from vidpose.io import open_writer, read_results
from vidpose.pipeline.provenance import why_anew
from vidpose.results import FrameResult, Provenance, ResultHeader, SourceInfo
from vidpose.skeleton import COCO_17

TIMES = np.arange(40) / 20


def write(path: Path, found: list[FrameResult]) -> Path:
    source = SourceInfo("walk.mp4", 640, 480, 20.0, 40, 2.0, False)
    with open_writer(path, ResultHeader("0.1.0", "dkd", COCO_17, source)) as writer:
        for frame in found:
            writer.write(frame)
    return path


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    """A person walks for 2 s, is away from .75 to 1 s, and has another id afterwards."""
    steps = [shifted(pose(), 40 * time) for time in TIMES]
    first = [points if index < 15 else None for index, points in enumerate(steps)]
    second = [points if index >= 20 else None for index, points in enumerate(steps)]
    return write(tmp_path / "walk.jsonl", frames(TIMES.tolist(), {1: first, 2: second}))


def columns(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_ids_gaps_filter_and_measures_follow_each_other(
    vidpose: Vidpose, walk: Path, tmp_path: Path
) -> None:
    out = tmp_path / "walk.csv"
    options = ["--merge-ids", "2=1", "--fill-gaps", "0.5", "--lowpass", "6", "--angles"]
    ended = vidpose("convert", walk, "--out", out, *options, "--height", "1.8")
    assert ended.returncode == 0, ended.stderr
    rows = columns(out)
    assert [row["id"] for row in rows] == ["1"] * 40
    speed = [float(row["hips_speed_m_s"]) for row in rows]
    assert speed[5:-5] == pytest.approx([40 * 1.8 * 0.779 / 160] * 30, rel=0.01)
    assert float(rows[17]["right_knee_flexion"]) == pytest.approx(0, abs=0.1)
    assert float(rows[17]["nose_x"]) == pytest.approx(104 + 40 * TIMES[17], abs=0.1)


def test_the_rule_merges_and_says_what(vidpose: Vidpose, walk: Path, tmp_path: Path) -> None:
    ended = vidpose("convert", walk, "--out", tmp_path / "a.parquet", "--merge-ids", "auto")
    assert "merged ids: 2=1" in ended.stdout
    found = read_results(tmp_path / "a.parquet")
    assert {person.id for frame in found.frames for person in frame.people} == {1}


def test_nothing_asked_changes_nothing(vidpose: Vidpose, walk: Path, tmp_path: Path) -> None:
    assert vidpose("convert", walk, "--out", tmp_path / "b.parquet").returncode == 0
    assert read_results(tmp_path / "b.parquet") == read_results(walk)


def test_what_was_cleaned_is_not_taken_for_what_a_run_makes(
    vidpose: Vidpose, walk: Path, tmp_path: Path
) -> None:
    made_from = Provenance("/walk.mp4", "digest", "dkd", "", "", {"every": 2})
    found = read_results(walk)
    assert found.header is not None
    run = tmp_path / "run.jsonl"
    with open_writer(run, replace(found.header, provenance=made_from)) as writer:
        for frame in found.frames:
            writer.write(frame)
    for source, out, options in (
        ("run", "plain.parquet", []),
        ("run", "smooth.jsonl", ["--lowpass", "6"]),
        ("smooth", "both.parquet", ["--merge-ids", "2=1", "--person", "1"]),
    ):
        ended = vidpose("convert", tmp_path / f"{source}.jsonl", "--out", tmp_path / out, *options)
        assert ended.returncode == 0, ended.stderr
    assert why_anew(tmp_path / "plain.parquet", made_from) is None
    for name in ("smooth.jsonl", "both.parquet"):
        reason = why_anew(tmp_path / name, made_from)
        assert reason == "it was made with other options (convert)"
    header = read_results(tmp_path / "both.parquet").header
    assert header is not None
    assert header.provenance is not None
    steps = [{"lowpass": 6.0}, {"merge_ids": ["2=1"], "person": 1}]
    assert header.provenance.options == {"every": 2, "convert": steps}


def test_opensim_files_are_of_who_is_seen_longest_or_asked_for(
    vidpose: Vidpose, walk: Path, tmp_path: Path
) -> None:
    outs = ["--out", tmp_path / "w.trc", "--out", tmp_path / "w.mot"]
    ended = vidpose("convert", walk, *outs, "--height", "1.8")
    assert ended.stdout.count("(person 2)") == 2
    assert len((tmp_path / "w.mot").read_text().splitlines()) == 7 + 20
    ended = vidpose("convert", walk, *outs, "--height", "1.8", "--person", "1", "--overwrite")
    assert ended.stdout.count("(person 1)") == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "a.xyz"], "unknown kind"),
        (["--out", "a.trc"], "give --height"),
        (["--out", "a.jsonl", "--angles"], "need a .csv"),
        (["--out", "walk.jsonl"], "it would be overwritten"),
        (["--out", "there.csv"], "it exists"),
        (["--out", "a.csv", "--merge-ids", "one=two"], "OLD=NEW"),
        (["--out", "a.csv", "--lowpass", "0"], "--lowpass 0: give more than 0 Hz"),
        (["--out", "a.csv", "--lowpass", "nan"], "--lowpass nan: give"),
        (["--out", "a.csv", "--fill-gaps", "0"], "--fill-gaps 0: give more than 0 seconds"),
        (["--out", "a.csv", "--min-duration=-1"], "--min-duration -1: give 0 seconds or more"),
        (["--out", "a.csv", "--height", "3"], "--height 3: give more than 0 and less than 3"),
        (["--out", "a.csv", "--merge-ids", "auto", "--merge-ids", "2=1"], "stands alone"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_written(
    vidpose: Vidpose,
    walk: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(walk.parent)
    Path("there.csv").touch()
    ended = vidpose("convert", "walk.jsonl", *options)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert sorted(path.name for path in walk.parent.iterdir()) == ["there.csv", "walk.jsonl"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--merge-ids", "9=1"], "no frame has a person 9"),
        (["--lowpass", "12"], "--lowpass 12: filter cutoff 12 Hz must be below half of the frame"),
        (["--height", "1.8", "--person", "9"], "--person 9: there is no such id; there are 1, 2"),
        (["--person", "2", "--merge-ids", "2=1"], "--person 2: there is no such id any more"),
        (["--person", "1", "--min-duration", "9"], "any more (--merge-ids, --min-duration)"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    vidpose: Vidpose, walk: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    ended = vidpose("convert", walk, "--out", tmp_path / "a.csv", *options)
    assert ended.returncode == 1
    assert message in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert not (tmp_path / "a.csv").exists()


@pytest.mark.parametrize("kind", [".csv", ".parquet", ".jsonl"])
def test_a_person_alone_in_tables(vidpose: Vidpose, walk: Path, tmp_path: Path, kind: str) -> None:
    out = tmp_path / f"new/only{kind}"
    ended = vidpose("convert", walk, "--out", out, "--person", "2")
    assert ended.returncode == 0, ended.stderr
    found = read_results(out).frames
    assert len(found) == 40  # no frame is lost
    assert [len(frame.people) for frame in found] == [0] * 20 + [1] * 20
    assert {person.id for frame in found for person in frame.people} == {2}


def test_a_person_alone_is_measured_as_among_the_others(
    vidpose: Vidpose, walk: Path, tmp_path: Path
) -> None:
    for out, more in (("all.csv", ()), ("one.csv", ("--person", "2"))):
        assert vidpose("convert", walk, "-o", tmp_path / out, "--height", "1.8", *more) is not None
    one = [row for row in columns(tmp_path / "one.csv") if row["id"]]
    assert [row["id"] for row in one] == ["2"] * 20
    assert one[5]["nose_x"] in {row["nose_x"] for row in columns(tmp_path / "all.csv")}


def test_a_duration_that_nobody_has_is_said(vidpose: Vidpose, walk: Path, tmp_path: Path) -> None:
    ended = vidpose("convert", walk, "--out", tmp_path / "a.csv", "--min-duration", "60")
    assert "nobody is seen for so long as --min-duration says" in ended.stderr
    assert (ended.returncode, len(columns(tmp_path / "a.csv"))) == (0, 40)


def test_what_is_left_out_and_left_as_it_was_is_counted(
    vidpose: Vidpose, walk: Path, tmp_path: Path
) -> None:
    steps = [shifted(pose(), 40 * time) for time in TIMES]
    there: list[Any] = [points if index < 5 else None for index, points in enumerate(steps)]
    back = [None if 15 <= index < 20 else points for index, points in enumerate(steps)]
    result = write(tmp_path / "two.jsonl", frames(TIMES.tolist(), {1: back, 2: there}))
    ended = vidpose("convert", result, "-o", tmp_path / "a.csv", "--lowpass", "6")
    assert "not filtered: 1 stretch of less than 6 frames (--fill-gaps joins them)" in ended.stdout
    options = ["--lowpass", "6", "--min-duration", "1"]
    ended = vidpose("convert", result, "-o", tmp_path / "b.csv", "-o", tmp_path / "b.mot", *options)
    assert "left out: 1 person seen for less than 1 s" in ended.stdout
    assert "not filtered" not in ended.stdout
    assert "b.mot (person 1; 5 of 40 rows are blank, as they are not seen there:" in ended.stdout
    options = ["--fill-gaps", "1", "--person", "1"]
    ended = vidpose("convert", result, "--out", tmp_path / "c.mot", *options)
    assert "c.mot (person 1)" in ended.stdout


def test_a_result_without_people_or_without_a_skeleton(vidpose: Vidpose, tmp_path: Path) -> None:
    empty = write(tmp_path / "empty.jsonl", [FrameResult(0, 0.0), FrameResult(1, 0.1)])
    options = ["--fill-gaps", "1", "--lowpass", "2", "--merge-ids", "auto"]
    assert vidpose("convert", empty, "--out", tmp_path / "e.csv", *options).returncode == 0
    assert len(columns(tmp_path / "e.csv")) == 2
    ended = vidpose("convert", empty, "--out", tmp_path / "e.mot")
    assert (ended.returncode, "no people" in ended.stderr) == (1, True)
    ended = vidpose("convert", tmp_path / "e.csv", "--out", tmp_path / "f.jsonl")
    assert (ended.returncode, "does not name its keypoints" in ended.stderr) == (2, True)


def test_openpose_files_in_a_folder_are_those_of_the_archive(
    vidpose: Vidpose, walk: Path, tmp_path: Path
) -> None:
    outs = ["--out", tmp_path / "w.openpose", "--out", tmp_path / "w.openpose.zip"]
    ended = vidpose("convert", walk, *outs)
    assert "w.openpose/ (40 files)" in ended.stdout, ended.stderr
    with zipfile.ZipFile(tmp_path / "w.openpose.zip") as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    found = {path.name: path.read_bytes() for path in (tmp_path / "w.openpose").iterdir()}
    assert found == inside
    again = vidpose("convert", walk, *outs[:2], "--overwrite")
    assert (again.returncode, "never replaced" in again.stderr) == (2, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "w.openpose", "w.openpose.zip", "walk.jsonl",
    ]  # fmt: skip
