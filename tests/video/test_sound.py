"""Sound is copied, else encoded anew, else left out with a word; it never stops the picture."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from odd_clips import two_tracks, with_sound
from video_clips import packet_times, regular, write_clip

from vidpose.video import VideoReader, VideoWriter
from vidpose.video.sound import WaitingSound


def copy(source: Path | str, out: Path) -> VideoReader:
    """Write the source's frames and its sound to ``out``, from one opening of the source."""
    with VideoReader(source, sound=True) as reader:
        info = reader.info
        with VideoWriter(
            out, width=info.width, height=info.height, audio_from=reader.sound
        ) as writer:
            for frame in reader:
                writer.write(frame.image, frame.time)
    return reader


def tracks(path: Path) -> list[tuple[str, str]]:
    with av.open(str(path)) as container:
        return [(s.type, s.codec_context.codec.canonical_name) for s in container.streams]


@pytest.mark.parametrize(
    ("suffix", "sound", "rate", "kept"),
    [
        ("mkv", "libmp3lame", 8000, "aac"),  # mp4 holds no mp3 of 8 kHz
        ("mkv", "libmp3lame", 44100, "mp3"),
        ("avi", "pcm_s16le", 11025, "aac"),
        ("mov", "pcm_mulaw", 8000, "aac"),
        ("mkv", "libopus", 48000, "opus"),
        ("mkv", "ac3", 48000, "ac3"),
        ("avi", "mp2", 44100, "aac"),
        ("avi", "adpcm_ima_wav", 44100, "aac"),
    ],
)
def test_every_kind_of_sound_arrives(
    tmp_path: Path, suffix: str, sound: str, rate: int, kept: str
) -> None:
    source = with_sound(tmp_path / f"clip.{suffix}", sound, rate)
    reader = copy(source, tmp_path / "out.mp4")
    assert tracks(tmp_path / "out.mp4") == [("video", "h264"), ("audio", kept)]
    assert reader.warnings == []
    assert packet_times(tmp_path / "out.mp4", "audio")[-1] == pytest.approx(1.97, abs=0.1)
    assert len(packet_times(tmp_path / "out.mp4")) == 60
    assert loudness(tmp_path / "out.mp4") > 0.05


def loudness(path: Path) -> float:
    with av.open(str(path)) as container:
        waves = [frame.to_ndarray().astype(float).ravel() for frame in container.decode(audio=0)]
    wave = np.concatenate(waves)
    return float(np.abs(wave).mean() / (1 if np.abs(wave).max() <= 2 else 32768))


def announce_sound(path: Path) -> Path:
    """A transport stream whose programme table announces sound that never comes."""
    write_clip(path, regular(40), audio="aac", form="mpegts")
    packets = [
        path.read_bytes()[start : start + 188] for start in range(0, path.stat().st_size, 188)
    ]
    path.write_bytes(b"".join(p for p in packets if (p[1] & 0x1F) << 8 | p[2] != 0x101))
    return path


def test_sound_that_is_announced_and_missing_is_one_warning(tmp_path: Path) -> None:
    source = announce_sound(tmp_path / "clip.ts")
    with av.open(str(source)) as container:
        assert len(container.streams.audio) == 1
    reader = copy(source, tmp_path / "out.mp4")
    assert len(packet_times(tmp_path / "out.mp4")) == 40
    assert tracks(tmp_path / "out.mp4") == [("video", "h264")]
    assert len(reader.warnings) == 1
    assert "sound" in reader.warnings[0]


def test_sound_that_cannot_be_decoded_stops_nothing(tmp_path: Path) -> None:
    source = with_sound(tmp_path / "clip.mkv", "mp2", 44100)
    with av.open(str(source)) as container:
        places = [(p.pos, p.size) for p in container.demux(audio=0) if p.size]
    data = bytearray(source.read_bytes())
    random = np.random.default_rng(0)
    for position, size in places:
        data[position + 8 : position + size] = random.bytes(size - 8)
    source.write_bytes(data)
    copy(source, tmp_path / "out.mp4")
    assert len(packet_times(tmp_path / "out.mp4")) == 60


def test_a_sound_whose_copy_fails_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # AAC whose description is missing passes the announcement and fails at the first packets.
    source = write_clip(tmp_path / "clip.mkv", regular(60), audio="aac")
    data = source.read_bytes()
    with av.open(str(source)) as container:
        extra = bytes(container.streams.audio[0].codec_context.extradata)
    source.write_bytes(data.replace(extra, bytes(len(extra))))
    reader = copy(source, tmp_path / "out.mp4")
    assert len(packet_times(tmp_path / "out.mp4")) == 60
    assert len(reader.warnings) <= 1


def test_sound_follows_a_clock_that_starts_anew(tmp_path: Path) -> None:
    parts = [
        write_clip(tmp_path / f"{start}.ts", [start + t for t in regular(60)], audio="aac",
                   audio_start=start, form="mpegts")
        for start in (0.0, 0.0)
    ]  # fmt: skip
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    copy(joined, tmp_path / "out.mp4")
    pictures = packet_times(tmp_path / "out.mp4")
    sounds = packet_times(tmp_path / "out.mp4", "audio")
    assert len(pictures) == 120
    assert pictures[-1] == pytest.approx(119 / 30, abs=0.1)
    assert sounds[-1] == pytest.approx(pictures[-1], abs=0.1)
    assert len(sounds) == pytest.approx(2 * 2 * 48000 / 1024, abs=6)
    beeps = loud_parts(tmp_path / "out.mp4")
    assert beeps == pytest.approx([0.8, 1.4, 2.8, 3.4], abs=0.06)


def loud_parts(path: Path) -> list[float]:
    """When loud parts begin and end, in seconds."""
    with av.open(str(path)) as container:
        steps = [
            (frame.time, bool(np.abs(frame.to_ndarray()).max() > 0.05))
            for frame in container.decode(audio=0)
            if frame.time is not None
        ]
    return [b[0] for a, b in pairwise(steps) if a[1] != b[1]]


def test_sound_from_a_stream_is_not_fetched_twice(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mkv", regular(60), audio="aac")
    reader = copy(f"file://{source}", tmp_path / "out.mp4")
    assert tracks(tmp_path / "out.mp4") == [("video", "h264"), ("audio", "aac")]
    assert reader.warnings == []


def test_sound_belongs_to_the_track_chosen(tmp_path: Path) -> None:
    source = two_tracks(tmp_path / "two.mkv")
    with VideoReader(source, track=1, sound=True) as reader:
        assert reader.sound is not None


def test_waiting_sound_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidpose.video.sound._MAX_WAITING", 1000)
    source = write_clip(tmp_path / "clip.mkv", regular(60), audio="aac")
    warnings: list[str] = []
    with av.open(str(source)) as container:
        waiting = WaitingSound(container.streams.audio[0], "clip", warnings)
        for packet in container.demux(audio=0):
            waiting.put(packet)
        assert list(waiting.take(100.0)) == []
    assert len(warnings) == 1
    assert warnings[0].startswith("clip: the rest of the sound")
