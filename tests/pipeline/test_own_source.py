"""No output falls on the source, whatever either is called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vidpose
from vidpose.errors import OutputError
from vidpose.io import Results
from vidpose.pipeline.existing import sources_among
from vidpose.video import FileObject, VideoWriter
from vidpose.video.file_object import VideoSource


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, width=16, height=16) as writer:
        writer.write(np.zeros((16, 16, 3), np.uint8), 0.0)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.mp4").symlink_to(path)
    (tmp_path / "hard.mp4").hardlink_to(path)
    return path


@pytest.mark.parametrize("out", ["clip.mp4", "folder/../clip.mp4", "link.mp4", "hard.mp4"])
@pytest.mark.parametrize("source", ["clip.mp4", "folder/../clip.mp4", "link.mp4"])
def test_a_video_is_not_replaced_by_its_own_drawing(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, out: str
) -> None:
    monkeypatch.chdir(tmp_path)
    before = clip.read_bytes()
    with pytest.raises(OutputError, match="this is the source"):
        vidpose.process_video(source, ["a.jsonl", out], overwrite=True)
    assert clip.read_bytes() == before
    assert not Path("a.jsonl").exists()


def test_nor_is_one_behind_a_file_object(clip: Path) -> None:
    with clip.open("rb") as file, pytest.raises(OutputError, match="this is the source"):
        vidpose.process_video(FileObject("mine", file), clip, overwrite=True)


@pytest.mark.parametrize("out", ["000001.png", "*.png", "../images/000000.png"])
@pytest.mark.parametrize("source", ["images", "images/*.png", "images/000001.png"])
def test_nor_are_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, out: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("images").mkdir()
    for number in range(2):
        Image.new("RGB", (16, 16)).save(f"images/{number:06}.png")
    path = Path("images", out)
    if source.endswith("1.png") and out.endswith("0.png"):
        assert sources_among([path], [source]) == []
        return
    with pytest.raises(OutputError, match="this is the source"):
        vidpose.process_video(source, path, overwrite=True)


@pytest.mark.parametrize("source", ["webcam:0", "rtsp://host/path", "gone.mp4", "empty"])
def test_other_files_may_be_replaced(clip: Path, tmp_path: Path, source: VideoSource) -> None:
    (tmp_path / "empty").mkdir()
    assert sources_among([clip, tmp_path / "new.csv"], [source]) == []


def test_one_file_under_two_names_is_written_once(clip: Path, tmp_path: Path) -> None:
    outs = [tmp_path / "a.csv", tmp_path / "folder" / ".." / "a.csv"]
    with pytest.raises(OutputError, match="the same file as the output"):
        vidpose.process_video(clip, outs)


def test_nor_does_a_writer_replace_where_its_sound_is_from(clip: Path, tmp_path: Path) -> None:
    before = clip.read_bytes()
    with pytest.raises(OutputError, match="where the sound is from"):
        VideoWriter(tmp_path / "link.mp4", width=16, height=16, audio_from=clip)
    assert clip.read_bytes() == before


def test_nor_does_a_page_replace_its_video(clip: Path, tmp_path: Path) -> None:
    page = tmp_path / "film.html"
    page.symlink_to(clip)
    results = Results(None, [])
    with pytest.raises(OutputError, match="this is the video"):
        vidpose.write_report(results, page, clip, overwrite=True)
