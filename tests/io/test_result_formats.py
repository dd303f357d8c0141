"""What the files look like, and that reading gives back what was written."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidpose.errors import InputError, OutputError, VidposeError
from vidpose.io import RESULT_SUFFIXES, open_writer, read_results
from vidpose.results import FrameResult, Person, ResultHeader, SourceInfo
from vidpose.skeleton import LSP_14, SKELETONS


def write(path: Path, header: ResultHeader, frames: Sequence[FrameResult]) -> Path:
    with open_writer(path, header) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def test_suffixes() -> None:
    assert RESULT_SUFFIXES == (".jsonl", ".csv", ".parquet", ".json")


def test_round_trip(
    tmp_path: Path, suffix: str, header: ResultHeader, frames: list[FrameResult]
) -> None:
    results = read_results(write(tmp_path / f"out{suffix}", header, frames))
    assert results.header == (header if suffix in (".jsonl", ".parquet") else None)
    expected = [f for f in frames if f.people] if suffix == ".json" else frames
    assert results.frames == expected


def test_video_without_people(tmp_path: Path, suffix: str, header: ResultHeader) -> None:
    frames = [FrameResult(index, index / 25) for index in range(3)]
    results = read_results(write(tmp_path / f"out{suffix}", header, frames))
    assert results.frames == ([] if suffix == ".json" else frames)


def test_video_without_frames(tmp_path: Path, suffix: str, header: ResultHeader) -> None:
    assert read_results(write(tmp_path / f"out{suffix}", header, [])).frames == []


def test_suffix_in_capitals(
    tmp_path: Path, suffix: str, header: ResultHeader, frames: list[FrameResult]
) -> None:
    path = write(tmp_path / f"OUT{suffix.upper()}", header, frames)
    assert read_results(path).frames[0] == frames[0]


place = st.floats(-1e6, 1e6, width=32)
side = st.floats(0, 1e6, width=32)
part = st.floats(0, 1, width=32)
keypoint = st.one_of(
    # COCO's mark of a missing keypoint is no keypoint.
    st.tuples(place, place, part).filter(any),
    st.just((np.nan, np.nan, 0.0)),
)


@st.composite
def drawn_results(draw: st.DrawFn) -> tuple[ResultHeader, list[FrameResult]]:
    skeleton = SKELETONS[draw(st.sampled_from(sorted(SKELETONS)))]
    count = skeleton.num_keypoints
    maybe = st.none() | st.floats(0, 1e6)
    source = SourceInfo(
        draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=20)),
        1920, 1080, draw(maybe), draw(st.none() | st.integers(0)), draw(maybe), draw(st.booleans()),
    )  # fmt: skip
    person = st.builds(
        Person,
        st.integers(0, 2**63 - 1),
        part,
        st.tuples(place, place, side, side),
        st.lists(keypoint, min_size=count, max_size=count),
    )
    indices = sorted(draw(st.sets(st.integers(0, 10**7), max_size=4)))
    count = len(indices)
    times = sorted(draw(st.sets(st.floats(-10, 1e6), min_size=count, max_size=count)))
    people = st.lists(person, max_size=2, unique_by=lambda person: person.id)
    frames = [
        FrameResult(index, time, tuple(draw(people)))
        for index, time in zip(indices, times, strict=True)
    ]
    return ResultHeader("1.2.3", "any model", skeleton, source), frames


@pytest.mark.parametrize("kind", RESULT_SUFFIXES)
@given(drawn=drawn_results())
def test_any_values_come_back(
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    drawn: tuple[ResultHeader, list[FrameResult]],
) -> None:
    header, frames = drawn
    path = write(tmp_path_factory.mktemp("any") / f"out{kind}", header, frames)
    results = read_results(path)
    if kind == ".json":
        frames = [frame for frame in frames if frame.people]
    assert results.frames == frames
    assert results.header in (None, header)


def test_jsonl_lines(tmp_path: Path, header: ResultHeader, frames: list[FrameResult]) -> None:
    path = write(tmp_path / "out.jsonl", header, frames)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + len(frames)
    first = json.loads(lines[0])
    assert list(first) == ["vidpose", "model", "skeleton", "source"]
    assert first["vidpose"] == "0.1.0"
    assert first["source"]["path"] == "vidéo, 1.mp4"
    assert lines[1] == (
        '{"frame": 0, "time": 0.0, "people": ['
        '{"id": 1, "score": 0.97, "box": [10.0, 20.5, 30.0, 40.0], '
        '"keypoints": [[1.0, 2.0, 0.9], [3.25, 4.0, 0.8], [5.0, 6.1, 1.0]]}, '
        '{"id": 2, "score": 0.5, "box": [-1.0, 0.0, 3.0, 4.0], '
        '"keypoints": [[0.1, 0.2, 0.3], [1e-05, 2.0, 0.0], [639.5, 479.5, 0.25]]}]}'
    )
    assert lines[2] == '{"frame": 1, "time": 0.03333333333333333, "people": []}'
    assert '"keypoints": [[null, null, 0.0], [7.0' in lines[3]


def test_csv_lines(tmp_path: Path, header: ResultHeader, frames: list[FrameResult]) -> None:
    path = write(tmp_path / "out.csv", header, frames)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:11] == [
        "frame", "time", "id", "score", "box_x", "box_y", "box_width", "box_height",
        "top_x", "top_y", "top_confidence",
    ]  # fmt: skip
    assert [(row["frame"], row["id"]) for row in rows] == [
        ("0", "1"), ("0", "2"), ("1", ""), ("4", "1"),
    ]  # fmt: skip
    assert rows[0]["right_corner_y"] == "6.1"
    assert rows[2]["time"] == "0.03333333333333333"
    assert not any(list(rows[2].values())[2:])
    assert (rows[3]["top_x"], rows[3]["top_y"], rows[3]["top_confidence"]) == ("", "", "0.0")


def test_csv_quotes_names(tmp_path: Path, frames: list[FrameResult], header: ResultHeader) -> None:
    values = header.skeleton.to_dict() | {"keypoints": ['to"p', "left_a,b", "right_a,b"]}
    skeleton = type(header.skeleton).from_dict(values)
    odd = ResultHeader("1", "m", skeleton, header.source)
    path = write(tmp_path / "out.csv", odd, frames)
    assert read_results(path).frames == frames


def test_parquet_columns(tmp_path: Path, header: ResultHeader, frames: list[FrameResult]) -> None:
    table = pq.read_table(write(tmp_path / "out.parquet", header, frames))
    types = {field.name: str(field.type) for field in table.schema}
    assert (types["frame"], types["time"], types["id"]) == ("int64", "double", "int64")
    assert {types[name] for name in table.column_names[3:-2]} == {"float"}
    assert (types["width"], types["height"]) == ("int64", "int64")
    assert table.column_names[8:11] == ["top_x", "top_y", "top_confidence"]
    assert table["frame"].to_pylist() == [0, 0, 1, 4]
    assert table["id"].to_pylist() == [1, 2, None, 1]
    assert table["top_x"].null_count == 2  # the empty frame and the missing keypoint


def test_parquet_row_groups(
    tmp_path: Path,
    header: ResultHeader,
    frames: list[FrameResult],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vidpose.io.parquet.ROWS_PER_GROUP", 10)
    many = [FrameResult(index, index / 30, frames[0].people) for index in range(32)]
    path = write(tmp_path / "out.parquet", header, many)
    metadata = pq.read_metadata(path)
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [
        10, 10, 10, 10, 10, 10, 4,
    ]  # fmt: skip
    assert read_results(path).frames == many


def test_parquet_without_header(
    tmp_path: Path, header: ResultHeader, frames: list[FrameResult]
) -> None:
    table = pq.read_table(write(tmp_path / "out.parquet", header, frames))
    path = tmp_path / "edited.parquet"
    pq.write_table(table.replace_schema_metadata(None), path)
    results = read_results(path)
    assert results.header is None
    assert results.frames == frames


@pytest.mark.parametrize("name", ["out.txt", "out", "out.trc", "out.jsonl.gz"])
def test_unknown_suffix(tmp_path: Path, header: ResultHeader, name: str) -> None:
    known = r"use one of \.jsonl \.csv \.parquet \.json"
    with pytest.raises(OutputError, match=known):
        open_writer(tmp_path / name, header)
    with pytest.raises(InputError, match=known + "$"):
        read_results(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_other_skeleton_is_refused(tmp_path: Path, suffix: str, header: ResultHeader) -> None:
    person = Person(7, 1.0, (0, 0, 1, 1), np.ones((LSP_14.num_keypoints, 3)))
    path = tmp_path / f"out{suffix}"
    with (
        pytest.raises(
            OutputError, match="frame 0, person 7: 14 keypoints, but skeleton 'triangle'"
        ),
        open_writer(path, header) as writer,
    ):
        writer.write(FrameResult(0, 0.0, (person,)))
    assert list(tmp_path.iterdir()) == []


def test_frames_of_another_shape_say_theirs(
    tmp_path: Path, suffix: str, header: ResultHeader, frames: list[FrameResult]
) -> None:
    people = frames[0].people
    turned = [
        FrameResult(0, 0.0, people),
        FrameResult(1, 0.1, people, size=(480, 640)),
        FrameResult(2, 0.2, size=(480, 640)),
        FrameResult(3, 0.3, people),
    ]
    read = read_results(write(tmp_path / f"out{suffix}", header, turned)).frames
    assert read == [frame for frame in turned if frame.people or suffix != ".json"]
    assert [frame.size for frame in read if frame.people] == [None, (480, 640), None]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_tables_of_before_frames_had_shapes_are_read(
    suffix: str, tmp_path: Path, header: ResultHeader, frames: list[FrameResult]
) -> None:
    path = write(tmp_path / f"out{suffix}", header, frames)
    if suffix == ".csv":
        lines = path.read_text(encoding="utf-8").splitlines()
        path.write_text("".join(line.rsplit(",", 2)[0] + "\n" for line in lines), encoding="utf-8")
    else:
        table = pq.read_table(path)
        pq.write_table(table.drop_columns(["width", "height"]), path)
    assert read_results(path).frames == frames


def test_a_size_that_is_none_is_refused() -> None:
    with pytest.raises(VidposeError, match="a side of its picture must be at least 1, got 0"):
        FrameResult(0, 0.0, size=(0, 5))
