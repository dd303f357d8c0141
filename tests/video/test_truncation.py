from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from video_clips import regular, write_clip

from vidpose.video import VideoReader
from vidpose.video.truncation import missing_bytes, whole_boxes

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


def test_a_recording_cut_within_a_fragment_gives_what_is_before(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "clip.mp4",
        regular(600),
        container_options={"movflags": "frag_keyframe+empty_moov"},
        codec="mpeg4",
    )
    data = path.read_bytes()
    fragment = [match.start() - 4 for match in re.finditer(b"moof", data)][-1]
    path.write_bytes(data[: fragment + 40])
    assert whole_boxes(path) == fragment
    with VideoReader(path) as reader:
        count = sum(1 for _ in reader)
    assert 500 < count < 600
    assert reader.truncated
    assert "cut short" in reader.warnings[0]


def test_junk_in_front_of_a_transport_stream_is_passed_over(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.ts", regular(60), form="mpegts")
    path.write_bytes(np.random.default_rng(1).bytes(3000) + path.read_bytes())
    with VideoReader(path) as reader:
        assert sum(1 for _ in reader) == 60
    assert not reader.truncated


def test_nothing_is_held_back_where_parts_are_joined(tmp_path: Path) -> None:
    parts = [
        write_clip(
            tmp_path / f"{size[0]}.ts", regular(30), size=size, codec="mpeg2video", form="mpegts"
        )
        for size in ((48, 64), (64, 48))
    ]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    with VideoReader(joined) as reader:
        assert sum(1 for _ in reader) == 60
    assert all("damaged" not in warning for warning in reader.warnings)
