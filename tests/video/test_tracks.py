"""Files with several video tracks."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
from odd_clips import two_tracks
from video_clips import grey, level, regular, write_clip

from vidpose.errors import InputError
from vidpose.video import VideoReader


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
def test_a_track_can_be_chosen_and_the_choice_is_said(tmp_path: Path, suffix: str) -> None:
    source = two_tracks(tmp_path / f"two.{suffix}")
    for track, size, shade in ((1, (64, 48), level(0)), (2, (128, 96), level(3))):
        with VideoReader(source, track=track) as reader:
            frames = list(reader)
            assert (reader.info.width, reader.info.height) == size
        assert len(frames) == 10
        assert frames[5].image.mean() == pytest.approx(shade, abs=4)
        assert reader.warnings == []
    with VideoReader(source) as reader:
        (warning,) = reader.warnings
        assert f"({reader.info.width}x{reader.info.height} h264) is taken" in warning
    assert "2 video tracks" in warning
    assert "--track" in warning


def test_a_track_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    source = two_tracks(tmp_path / "two.mkv")
    with pytest.raises(InputError, match=r"no video track 3; the file has 2"):
        VideoReader(source, track=3)
    single = write_clip(tmp_path / "one.mkv", regular(3))
    with pytest.raises(InputError, match=r"no video track 2; the file has one"):
        VideoReader(single, track=2)
    cv2.imwrite(str(tmp_path / "image.png"), grey(0, (8, 8)))
    with pytest.raises(InputError, match="images have no video track 2"):
        VideoReader(tmp_path / "image.png", track=2)
