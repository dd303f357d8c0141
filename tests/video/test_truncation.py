from __future__ import annotations

from pathlib import Path

import pytest
from video_clips import regular, write_clip

from vidpose.video.truncation import missing_bytes

FORMS = {
    "mp4": ("libx264", {}),
    "mov": ("libx264", {"movflags": "faststart"}),
    "frag.mp4": ("libx264", {"movflags": "frag_keyframe+empty_moov"}),
    "mkv": ("libx264", {}),
    "avi": ("mpeg4", {}),
}


@pytest.mark.parametrize("suffix", FORMS)
def test_counts_exactly_the_bytes_cut_off(tmp_path: Path, suffix: str) -> None:
    codec, options = FORMS[suffix]
    path = write_clip(
        tmp_path / f"clip.{suffix}", regular(30), codec=codec, container_options=options
    )
    data = path.read_bytes()
    assert missing_bytes(path) == 0
    checked = 0
    for cut in range(1, len(data) * 2 // 3, 97):
        path.write_bytes(data[:-cut])
        missing = missing_bytes(path)
        assert missing <= cut
        checked += missing > 0
        if suffix in ("mkv", "avi"):  # one box around everything
            assert missing == cut
    assert checked > 5


def test_an_mp4_cut_within_its_media_data_is_noticed(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "clip.mp4", regular(60), container_options={"movflags": "faststart"}
    )
    data = path.read_bytes()
    start = data.index(b"mdat") + 4
    for size in range(start, len(data), 7):
        path.write_bytes(data[:size])
        assert missing_bytes(path) == len(data) - size


def test_a_partly_missing_transport_packet_is_noticed(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.ts", regular(10), form="mpegts")
    data = path.read_bytes()
    assert missing_bytes(path) == 0
    path.write_bytes(data[: 188 * 5 + 100])
    assert missing_bytes(path) == 88


@pytest.mark.parametrize(
    "content", [b"", b"x", b"hello world, this is text", b"\x1a\x45\xdf\xa3", b"\x00" * 500]
)
def test_other_content_is_never_called_cut(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.mp4"
    path.write_bytes(content)
    assert missing_bytes(path) == 0


def test_a_matroska_of_unknown_length_is_whole(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "live.mkv", regular(5), container_options={"live": "1"})
    path.write_bytes(path.read_bytes()[:-100])
    assert missing_bytes(path) == 0
