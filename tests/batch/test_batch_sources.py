"""What a batch works through."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from vidpose.batch.layout import video_name
from vidpose.batch.sources import find_sources
from vidpose.errors import InputError


def names(spec: object, column: str = "source") -> list[str]:
    return [source.name for source in find_sources(str(spec), column)]


def test_a_folder_and_a_pattern(clips: list[Path]) -> None:
    assert names(clips[0].parent) == [str(clip) for clip in clips]
    assert names(clips[0].parent / "[ab].mp4") == [str(clip) for clip in clips[:2]]


def test_sizes_and_stamps_change_with_the_file(clips: list[Path]) -> None:
    (before,) = find_sources(str(clips[0]))
    assert before.bytes == clips[0].stat().st_size
    clips[0].write_bytes(clips[0].read_bytes() + b"x")
    (after,) = find_sources(str(clips[0]))
    assert before.stamp != after.stamp


def test_lists_start_from_their_own_folder(clips: list[Path], tmp_path: Path) -> None:
    text = f"# ours\nclips/a.mp4\n\n{clips[1]}\nclips/no such.mp4\n"
    (tmp_path / "videos.txt").write_text(text)
    missing = str(tmp_path / "clips/no such.mp4")
    assert names(tmp_path / "videos.txt") == [str(clips[0]), str(clips[1]), missing]


@pytest.mark.parametrize("kind", [".csv", ".parquet"])
def test_tables_name_videos_in_a_column(clips: list[Path], tmp_path: Path, kind: str) -> None:
    table = pd.DataFrame({"n": [1, 2, 3], "path": ["clips/b.mp4", None, "clips/a.mp4"]})
    path = tmp_path / f"videos{kind}"
    _ = table.to_csv(path) if kind == ".csv" else table.to_parquet(path)
    assert names(path, "path") == [str(clips[1]), str(clips[0])]
    with pytest.raises(InputError, match=rf"videos{kind}: no column 'source' .*path.*--column"):
        find_sources(str(path))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.txt", b"# nothing\n", "names no videos"),
        ("odd.csv", b"", "no column 'source' .there are: none"),
        ("odd.parquet", b"junk", "cannot be read"),
        ("odd.txt", b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_lists_that_are_none(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=says) as caught:
        find_sources(str(tmp_path / name))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spec", ["webcam:0", "rtsp://host/x"])
def test_streams_are_no_files(spec: str) -> None:
    with pytest.raises(InputError, match="vidpose run"):
        find_sources(spec)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/x/walk.mp4", "walk.mp4"),
        ("s3://bucket/x/walk.mp4", "walk.mp4"),
        ("/x/Tänzer.mp4", "Tänzer.mp4"),
    ],
)
def test_names_of_videos(source: str, name: str) -> None:
    assert video_name(source, ()) == name


@pytest.mark.parametrize("source", ["/x/a=b/c d.mp4", "/x/2024", "/x/1e5", "/x/..", "/x/é%2F.mp4"])
def test_names_that_readers_would_mistake_are_marked(source: str) -> None:
    name = video_name(source, ())
    assert not set(name) & set("=/% ")
    assert name[-9] == "-"


def test_two_videos_of_one_name_stay_two() -> None:
    first = video_name("/x/a.mp4", ())
    assert first != video_name("/y/a.mp4", {first})


def test_long_names_fit_into_a_folder_s(tmp_path: Path) -> None:
    (tmp_path / f"video={video_name('/x/' + 'ä' * 250, ())}").mkdir()
