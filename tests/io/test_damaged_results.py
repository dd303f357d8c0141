"""Damaged result files are refused in one line that names the file and the place."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidpose.errors import InputError
from vidpose.io import open_writer, read_results
from vidpose.results import FrameResult, Person, Provenance, ResultHeader


def write(path: Path, header: ResultHeader, frames: list[FrameResult]) -> Path:
    with open_writer(path, header) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def refused(path: Path, place: str) -> str:
    with pytest.raises(InputError) as caught:
        read_results(path)
    message = str(caught.value)
    assert message.startswith(f"{path}{place}: damaged: "), message
    assert "\n" not in message
    return message.removeprefix(f"{path}{place}: damaged: ")


def test_missing_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"absent{suffix}"
    with pytest.raises(InputError) as caught:
        read_results(path)
    assert str(caught.value) == f"{path}: cannot read: No such file or directory"


def test_folder_instead_of_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"folder{suffix}"
    path.mkdir()
    with pytest.raises(InputError, match="cannot read: Is a directory"):
        read_results(path)


def test_empty_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    path.touch()
    refused(path, "" if suffix == ".parquet" else ", line 1")


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ('"frame": 1,', '"frame": 1', 3, "Expecting"),
        ('"frame": 1,', "", 3, "'frame' is missing"),
        ('"people": []', '"people": 5', 3, "not iterable"),
        ('"score": 0.5,', "", 2, "'score' is missing"),
        ('"score": 0.5', '"score": null', 2, "malformed"),
        ("[0.1, 0.2, 0.3]", "[0.1, 0.2]", 2, "malformed"),
        ("[0.1, 0.2, 0.3], ", "", 2, "person 2 has 2 of 3 keypoints"),
        ("[0.1, 0.2, 0.3]", "[null, 0.2, 0.3]", 2, "NaN"),
        ('"frame": 4', '"frame": 4\ufffd"', 4, "Expecting"),
        ('"model"', '"modal"', 1, "'model' is missing"),
        ("flip_pairs", "flips", 1, "'flip_pairs' is missing"),
        ("[[1, 2]]", "[[0, 2]]", 1, "must pair 'left_corner'"),
    ],
)
def test_jsonl(
    tmp_path: Path,
    header: ResultHeader,
    frames: list[FrameResult],
    old: str,
    new: str,
    line: int,
    message: str,
) -> None:
    path = write(tmp_path / "out.jsonl", header, frames)
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert message in refused(path, f", line {line}")


def test_jsonl_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text('{"a": 1}\n')
    assert refused(path, ", line 1") == "result header: 'vidpose' is missing"
    path.write_text("[1, 2]\n")
    refused(path, ", line 1")


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("box_width", "box_w", 1, "columns"),
        ("top_x,", "", 1, "columns"),
        ("639.5", "639,5", 3, "20 of 19 values"),
        ("639.5", "63x.5", 3, "63x.5"),
        ("639.5", "", 3, "NaN"),
        ("0,0.0,2", "0,0.0,", 3, "int()"),
        ("\n1,0.0", "\n1.5,0.0", 4, "1.5"),
        (",0.1334,", ",,", 5, "float"),
        ("0.97", '"0.97', 2, ""),
    ],
)
def test_csv(
    tmp_path: Path,
    header: ResultHeader,
    frames: list[FrameResult],
    old: str,
    new: str,
    line: int,
    message: str,
) -> None:
    path = write(tmp_path / "out.csv", header, frames)
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert message in refused(path, f", line {line}")


@pytest.mark.parametrize("kind", [".jsonl", ".csv"])
def test_bytes_that_are_no_text(
    tmp_path: Path, header: ResultHeader, frames: list[FrameResult], kind: str
) -> None:
    path = write(tmp_path / f"out{kind}", header, frames)
    data = path.read_bytes()
    assert data.count(b"639.5") == 1
    path.write_bytes(data.replace(b"639.5", b"63\xff.5"))
    refused(path, ", line 2" if kind == ".jsonl" else ", line 3")


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('"score": 0.97', '"score" 0.97', ", line 2"),
        ('"score": 0.97, ', "", ", entry 1"),
        ('"image_id": 4', '"image_id": "four"', ", entry 3"),
        ("0.1, 0.2, 0.3", "0.1, 0.2", ", entry 2"),
        ('"track_id": 2', '"track_id": "two"', ", entry 2"),
        ("639.5", "null", ", entry 2"),
        ('"time": 0.1334', '"time": null', ", entry 3"),
        ('"score": 0.97', '"score": 97', ", entry 1"),
        ("479.5, 0.25", "479.5, 97", ", entry 2"),
        ('"track_id": 2', '"track_id": -1', ", entry 2"),
    ],
)
def test_coco(
    tmp_path: Path,
    header: ResultHeader,
    frames: list[FrameResult],
    old: str,
    new: str,
    place: str,
) -> None:
    path = write(tmp_path / "out.json", header, frames)
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    refused(path, place)


def test_coco_annotations_are_no_results(tmp_path: Path) -> None:
    path = tmp_path / "instances.json"
    path.write_text(json.dumps({"images": [], "annotations": []}))
    with pytest.raises(InputError, match="not a list of COCO results"):
        read_results(path)


def test_coco_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_bytes(b'[\n{"image_id": "\xff"}]')
    refused(path, ", line 2")


def test_parquet_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    path.write_bytes(b"no parquet at all")
    refused(path, "")


def test_parquet_bit_flips_are_noticed(
    tmp_path: Path, header: ResultHeader, frames: list[FrameResult]
) -> None:
    path = write(tmp_path / "out.parquet", header, frames)
    data = path.read_bytes()
    group = pq.read_metadata(path).row_group(0)
    for column in (group.column(number) for number in range(group.num_columns)):
        start = column.dictionary_page_offset or column.data_page_offset
        end = start + column.total_compressed_size
        broken = bytearray(data)
        broken[end - 1] ^= 1
        path.write_bytes(broken)
        refused(path, "")


@given(st.data())
def test_a_cut_file_is_refused_or_whole_frames(
    tmp_path_factory: pytest.TempPathFactory,
    header: ResultHeader,
    frames: list[FrameResult],
    data: st.DataObject,
) -> None:
    kind = data.draw(st.sampled_from([".jsonl", ".csv", ".parquet", ".json"]))
    path = write(tmp_path_factory.mktemp("cut") / f"out{kind}", header, frames)
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    try:
        results = read_results(path)
    except InputError:
        with pytest.raises(InputError, match=f"^{re.escape(str(path))}.*: damaged: .+$"):
            read_results(path)
        return
    kept = [frame for frame in frames if frame.people] if kind == ".json" else frames
    if kind == ".csv" and results.frames and len(results.frames[-1].people) == 1:
        # Cut between two people of a frame, the rows before are whole.
        kept = [FrameResult(0, 0.0, frames[0].people[:1])] if len(results.frames) == 1 else kept
    assert results.frames == kept[: len(results.frames)]


@pytest.mark.parametrize(
    ("order", "place", "message"),
    [
        ([0, 2, 1], ", frame 1", "it comes after frame 4"),
        ([0, 1, 1], ", frame 1", "it comes after frame 1"),
    ],
)
def test_frames_out_of_order(
    tmp_path: Path,
    header: ResultHeader,
    frames: list[FrameResult],
    order: list[int],
    place: str,
    message: str,
) -> None:
    path = write(tmp_path / "out.jsonl", header, frames)
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([head, *(lines[at] for at in order)]), encoding="utf-8")
    assert refused(path, place) == message


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        (
            "639.5",
            "1e30",
            2,
            "person 2: a keypoint lies 1e+30 pixels away; more than 1e6",
        ),
        ("479.5", "1e300", 2, "person 2: keypoints must be finite, or (NaN, NaN, 0) where missing"),
        ("0.25]", "97]", 2, "person 2: a confidence is 97.0; confidences lie in 0 to 1"),
        ("0.25]", "-1]", 2, "person 2: a confidence is -1.0; confidences lie in 0 to 1"),
        ('"score": 0.97', '"score": 5', 2, "person 1: its score is 5.0; scores lie in 0 to 1"),
        ('"id": 2', '"id": -1', 2, "a person's id must be at least 0, got -1"),
        ('"id": 2', '"id": true', 2, "a person's id must be a whole number, got True"),
        ('"time": 0.1334', '"time": "0.1334"', 4, "must be a finite number, got '0.1334'"),
        ('"width": 640', '"width": 0', 1, "the video's width must be at least 1, got 0"),
        ('"width": 640', '"width": "640"', 1, "the video's width must be a whole number"),
        ('"average_rate": 29.97', '"average_rate": "x"', 1, "average_rate must be a finite number"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_values_that_cannot_be(
    tmp_path: Path,
    header: ResultHeader,
    frames: list[FrameResult],
    old: str,
    new: str,
    line: int,
    message: str,
) -> None:
    path = write(tmp_path / "out.jsonl", header, frames)
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert message in refused(path, f", line {line}")


def test_values_that_cannot_be_in_a_table(
    tmp_path: Path, header: ResultHeader, frames: list[FrameResult]
) -> None:
    path = write(tmp_path / "out.csv", header, frames)
    path.write_text(path.read_text(encoding="utf-8").replace("479.5,0.25", "479.5,97"))
    assert refused(path, ", line 3") == "person 2: a confidence is 97.0; confidences lie in 0 to 1"


def test_times_that_fall(
    tmp_path: Path, suffix: str, header: ResultHeader, frames: list[FrameResult]
) -> None:
    frames = [frames[0], replace(frames[2], time=-1.0)]
    path = write(tmp_path / f"out{suffix}", header, frames)
    assert refused(path, ", frame 4") == "its time, -1.0 s, is not after 0.0 s"


def test_one_id_twice_in_a_frame(
    tmp_path: Path, suffix: str, header: ResultHeader, frames: list[FrameResult]
) -> None:
    frames = [replace(frames[0], people=2 * frames[0].people[:1])]
    path = write(tmp_path / f"out{suffix}", header, frames)
    assert refused(path, ", frame 0") == "person 1 is in it twice"


def test_a_box_of_negative_size(tmp_path: Path, suffix: str, header: ResultHeader) -> None:
    person = Person(3, 0.5, (1, 2, -3, 4), np.zeros((3, 3)) + 0.5)
    path = write(tmp_path / f"out{suffix}", header, [FrameResult(0, 0.0, (person,))])
    assert refused(path, ", frame 0") == "the box of person 3 has a negative size"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"id": 2', '"id": 2.5', "a person's id must be a whole number, got 2.5"),
        ('"frame": 0', '"frame": 0.5', "a frame's index must be a whole number, got 0.5"),
    ],
)
def test_numbers_that_must_be_whole(
    tmp_path: Path,
    header: ResultHeader,
    frames: list[FrameResult],
    old: str,
    new: str,
    message: str,
) -> None:
    path = write(tmp_path / "out.jsonl", header, frames)
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    assert refused(path, ", line 2") == message


def test_a_file_cut_between_lines_is_said(
    tmp_path: Path,
    header: ResultHeader,
    frames: list[FrameResult],
    caplog: pytest.LogCaptureFixture,
) -> None:
    made_from = Provenance("a.mp4", "1", "dkd", "2", "3")
    path = write(tmp_path / "out.jsonl", replace(header, provenance=made_from), frames)
    read_results(path)
    assert caplog.messages == []
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    assert read_results(path).frames == frames[:1]
    assert len(caplog.messages) == 1
    assert "cut off or edited" in caplog.messages[0]


@pytest.mark.parametrize(("kind", "cut"), [(".jsonl", 1), (".jsonl", 40), (".csv", 1)])
def test_all_but_a_half_last_line_is_read(
    tmp_path: Path,
    header: ResultHeader,
    frames: list[FrameResult],
    caplog: pytest.LogCaptureFixture,
    kind: str,
    cut: int,
) -> None:
    path = write(tmp_path / f"out{kind}", header, frames)
    path.write_bytes(path.read_bytes()[: -1 - cut])
    assert read_results(path).frames == frames[:2]
    line = 4 if kind == ".jsonl" else 5
    said = f"{path}: line {line}, its last, is cut off; the lines before it are read"
    assert caplog.messages == [said]


def test_a_half_line_that_is_not_the_last_is_damage(
    tmp_path: Path, header: ResultHeader, frames: list[FrameResult]
) -> None:
    path = write(tmp_path / "out.jsonl", header, frames)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1][:-30] + b"\n"
    path.write_bytes(b"".join(lines))
    refused(path, ", line 2")
    path.write_bytes(b"".join(lines[:2]))
    refused(path, ", line 2")
    path.write_bytes(lines[0][:-30])
    refused(path, ", line 1")
