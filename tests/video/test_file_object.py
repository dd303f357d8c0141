"""Videos behind Python's file objects are read like the same ones in files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from video_clips import regular, write_clip

from vidpose.errors import InputError
from vidpose.video import FileObject, VideoReader
from vidpose.video.digest import source_digest


def read(
    source: Path | FileObject, **options: float
) -> tuple[list[tuple[int, float, int]], list[str]]:
    """Index, time and sum of the pixels of all frames, and what is warned of, without the name."""
    with VideoReader(source, **options) as reader:  # type: ignore[arg-type]
        frames = [(f.index, f.time, int(f.image.sum(dtype=np.int64))) for f in reader]
        return frames, [warning.removeprefix(str(source)) for warning in reader.warnings]


def in_memory(path: Path) -> FileObject:
    file = io.BytesIO(path.read_bytes())
    file.seek(7)  # the position it has when it is given is nobody's concern
    return FileObject("s3://bucket/clip.mp4", file)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "avi"])
def test_frames_parts_and_digest_are_those_of_the_file(tmp_path: Path, suffix: str) -> None:
    clip = write_clip(tmp_path / f"clip.{suffix}", regular(40), codec="mpeg4", audio="aac")
    source = in_memory(clip)
    assert read(source) == read(clip)
    assert len(read(clip)[0]) == 40
    assert read(source, start=0.7, end=1.1) == read(clip, start=0.7, end=1.1)
    assert source_digest(source) == source_digest(clip)
    assert not source.file.closed


def test_a_cut_is_noticed(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "clip.mkv", regular(40))
    whole.write_bytes(whole.read_bytes()[:-200])
    frames, warnings = read(in_memory(whole))
    assert (frames, warnings) == read(whole)
    assert "bytes are missing" in warnings[0]


def test_a_fragment_that_was_cut_gives_what_is_before(tmp_path: Path) -> None:
    options = {"movflags": "frag_keyframe+empty_moov"}
    clip = write_clip(tmp_path / "clip.mp4", regular(100), codec="mpeg4", container_options=options)
    content = clip.read_bytes()
    clip.write_bytes(content[: content.rindex(b"moof") + 36])
    assert read(in_memory(clip)) == read(clip)
    assert len(read(clip)[0]) > 50


def test_junk_in_front_of_a_transport_stream_is_passed_over(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.ts", regular(60), form="mpegts")
    junk = FileObject(
        "s3://b/clip.ts", io.BytesIO(np.random.default_rng(1).bytes(3000) + clip.read_bytes())
    )
    assert len(read(junk)[0]) == 60


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "the file is empty"), (b"text\n" * 50, "not a video")]
)
def test_bad_content_is_one_line(content: bytes, says: str) -> None:
    with pytest.raises(InputError, match=f"^s3://b/c.mp4: {says}"):
        VideoReader(FileObject("s3://b/c.mp4", io.BytesIO(content)))


class Broken(io.BytesIO):
    """Fails from the given byte on."""

    def __init__(self, content: bytes, end: int) -> None:
        super().__init__(content)
        self._end = end

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= self._end:
            raise RuntimeError("the line is dead")
        return super().read(size)


@pytest.mark.parametrize("suffix", ["mkv", "ts", "avi"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_what_reading_raises_is_raised_and_no_early_end(
    tmp_path: Path, suffix: str, share: float
) -> None:
    pictures = list(np.random.default_rng(0).integers(0, 255, (40, 96, 128, 3), np.uint8))
    clip = tmp_path / f"clip.{suffix}"
    content = write_clip(
        clip, regular(40), codec="mpeg4", size=(96, 128), pictures=pictures
    ).read_bytes()
    assert len(content) > 120_000
    source = FileObject("s3://b/c", Broken(content, int(share * len(content))))
    with pytest.raises(RuntimeError, match="the line is dead"):
        read(source)


def test_a_file_that_was_closed_is_named(tmp_path: Path) -> None:
    source = in_memory(write_clip(tmp_path / "clip.mp4", regular(4)))
    source.file.close()
    for call in (lambda: FileObject("a", source.file), lambda: VideoReader(source)):
        with pytest.raises(InputError, match="this file is closed"):
            call()
