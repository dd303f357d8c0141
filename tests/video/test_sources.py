from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vidpose.errors import InputError
from vidpose.video import VideoReader, expand_sources
from vidpose.video.sources import image_sequence


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("clips/b10.mp4", "clips/b9.MOV", "clips/notes.txt", "clips/.hidden.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for name in ("frames/f10.png", "frames/f9.png", "frames/.f8.png", "clips/cover.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd[1].mp4").touch()
    (tmp_path / "recording.weird").touch()
    return tmp_path


def test_a_folder_stands_for_its_videos_in_natural_order(tree: Path) -> None:
    assert expand_sources([f"{tree}/clips"]) == [tree / "clips/b9.MOV", tree / "clips/b10.mp4"]


def test_an_image_folder_stands_for_itself(tree: Path) -> None:
    assert expand_sources([f"{tree}/frames"]) == [tree / "frames"]
    images = image_sequence(tree / "frames")
    assert images == [tree / "frames/f9.png", tree / "frames/f10.png"]


def test_a_glob_of_videos_and_one_of_images(tree: Path) -> None:
    assert expand_sources([f"{tree}/clips/b*"]) == [tree / "clips/b9.MOV", tree / "clips/b10.mp4"]
    assert expand_sources([f"{tree}/frames/*.png"]) == [f"{tree}/frames/*.png"]
    assert image_sequence(f"{tree}/frames/f*.png") == image_sequence(tree / "frames")


def test_a_glob_leaves_out_what_is_no_video(tree: Path) -> None:
    assert expand_sources([f"{tree}/*"]) == [
        *[tree / "clips/b9.MOV", tree / "clips/b10.mp4", tree / "frames", tree / "odd[1].mp4"],
    ]
    assert expand_sources([f"{tree}/*.weird"]) == [tree / "recording.weird"]


def test_names_with_brackets_and_unknown_suffixes_are_files(tree: Path) -> None:
    names = [f"{tree}/odd[1].mp4", f"{tree}/recording.weird"]
    assert expand_sources(names) == [Path(name) for name in names]


def test_streams_pass_and_repetitions_do_not(tree: Path) -> None:
    clip = f"{tree}/clips/b10.mp4"
    specs = ["webcam:0", "rtsp://camera/1", clip, f"{tree}/clips", "webcam:0"]
    expected = ["webcam:0", "rtsp://camera/1", Path(clip), tree / "clips/b9.MOV"]
    assert expand_sources(specs) == expected


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("nothing.mp4", "no such file"),
        ("empty", "no videos and no images"),
        ("*.nothing", "matches nothing"),
    ],
)
def test_what_stands_for_nothing_is_an_error(tree: Path, spec: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        expand_sources([f"{tree}/{spec}"])
    assert spec in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_source_at_all_is_an_error() -> None:
    with pytest.raises(InputError, match="no source"):
        expand_sources([])


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("clips", "folder with videos"),
        ("empty", "no images"),
        ("clips/b*", "matches 2 entries"),
        ("*.nothing", "matches nothing"),
        ("nothing.png", "no such file"),
    ],
)
def test_one_reader_reads_one_source(tree: Path, spec: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        image_sequence(f"{tree}/{spec}")


@pytest.mark.parametrize("take", [VideoReader, lambda spec: expand_sources([spec])])
@pytest.mark.parametrize("spec", ["", " "])
def test_an_empty_name_is_not_the_current_folder(
    tree: Path, monkeypatch: pytest.MonkeyPatch, take: Callable[[str], object], spec: str
) -> None:
    monkeypatch.chdir(tree)
    with pytest.raises(InputError, match="name is empty"):
        take(spec)
