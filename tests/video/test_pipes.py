"""Pipes are read once, from the front, and end where their writer ends."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from odd_clips import with_sound
from video_clips import packet_times, regular, write_clip

from vidpose.errors import InputError
from vidpose.video import VideoReader, VideoWriter

if not hasattr(os, "mkfifo"):
    pytest.skip("no FIFOs on this system", allow_module_level=True)


def pipe_of(data: bytes, path: Path) -> Path:
    """A FIFO that a thread writes ``data`` to."""
    os.mkfifo(path)

    def write() -> None:
        with suppress(BrokenPipeError):
            path.write_bytes(data)

    threading.Thread(target=write, daemon=True).start()
    return path


FORMS = {
    "clip.mp4": {},  # its index is at its end
    "fast.mp4": {"movflags": "faststart"},
    "frag.mp4": {"movflags": "frag_keyframe+empty_moov"},
    "clip.mkv": {},
    "clip.ts": {},
}


@pytest.mark.parametrize("name", FORMS)
def test_a_pipe_gives_what_the_file_gives(tmp_path: Path, name: str) -> None:
    source = write_clip(tmp_path / name, regular(60), container_options=FORMS[name])
    pipe = pipe_of(source.read_bytes(), tmp_path / "pipe")
    with VideoReader(source) as plain:
        expected = [(frame.time, frame.image.mean()) for frame in plain]
    with VideoReader(pipe) as reader:
        frames = [(frame.time, frame.image.mean()) for frame in reader]
    assert frames == expected
    assert reader.warnings == []


def test_the_sound_of_a_pipe_is_kept(tmp_path: Path) -> None:
    source = with_sound(tmp_path / "clip.avi", "pcm_s16le", 8000)
    pipe = pipe_of(source.read_bytes(), tmp_path / "pipe")
    out = tmp_path / "out.mp4"
    with (
        VideoReader(pipe, sound=True) as reader,
        VideoWriter(out, width=64, height=48, audio_from=reader.sound) as writer,
    ):
        for frame in reader:
            writer.write(frame.image, frame.time)
    assert len(packet_times(out)) == 60
    assert packet_times(out, "audio")[-1] == pytest.approx(1.9, abs=0.15)


@pytest.mark.parametrize("data", [b"", b"This is no video.\n" * 500], ids=["empty", "text"])
def test_a_pipe_without_a_video_is_one_clear_line(tmp_path: Path, data: bytes) -> None:
    pipe = pipe_of(data, tmp_path / "pipe")
    with pytest.raises(InputError, match="not a video") as caught:
        VideoReader(pipe)
    assert "\n" not in str(caught.value)
