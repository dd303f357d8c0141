from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from video_clips import BEEP, grey, level, packet_times, regular, write_clip

from vidpose.errors import InputError, OutputError
from vidpose.video import VideoReader, VideoWriter
from vidpose.video.sound import SoundSource, WaitingSound


def write(
    path: Path, times: list[float], size: tuple[int, int] = (48, 64), **options: Path | SoundSource
) -> None:
    with VideoWriter(path, width=size[1], height=size[0], **options) as writer:
        for index, time in enumerate(times):
            writer.write(grey(index, size), time)


def leftovers(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir() if "part" in entry.name]


@settings(max_examples=12)
@example([9, 7], 0, 15360)  # all within a millisecond
@given(
    st.lists(st.integers(1, 400), min_size=0, max_size=12),
    st.integers(0, 5000),
    st.sampled_from([1000, 15360, 24000, 1001]),
)
def test_times_come_back(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], start: int, ticks: int
) -> None:
    path = tmp_path_factory.mktemp("out") / "out.mp4"
    times = [float(tick) / ticks for tick in np.cumsum([start, *steps])]
    write(path, times)
    times = [time - times[0] for time in times]
    with VideoReader(path) as reader:
        frames = list(reader)
    assert [frame.time for frame in frames] == pytest.approx(times, abs=0.001)
    means = [frame.image.mean() for frame in frames]
    np.testing.assert_allclose(means, [level(i) for i in range(len(times))], atol=6)
    assert packet_times(path) == pytest.approx(times, abs=0.001)


def test_nothing_is_lost_of_a_video_that_starts_before_zero(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "source.mkv", regular(60), audio="aac")
    times = [time - 0.25 for time in regular(60)]
    write(tmp_path / "out.mp4", times, audio_from=source)
    with VideoReader(tmp_path / "out.mp4") as reader:
        frames = list(reader)
    assert [frame.time for frame in frames] == pytest.approx(regular(60), abs=0.001)
    shifted = [moment + 0.25 for moment in BEEP]
    assert heard_beep(tmp_path / "out.mp4")[:2] == pytest.approx(shifted, abs=0.03)


def test_the_last_frame_has_a_duration(tmp_path: Path) -> None:
    write(tmp_path / "out.mp4", regular(50, 25))
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.average_rate == 25
        assert float(stream.duration * stream.time_base) == pytest.approx(2.0)


@pytest.mark.parametrize("size", [(1, 1), (17, 31), (48, 63), (2, 300)])
def test_odd_and_tiny_sizes_are_extended(tmp_path: Path, size: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    image = np.full((*size, 3), 90, np.uint8)
    image[: size[0] // 2] = random.integers(60, 200, 3)
    with VideoWriter(tmp_path / "out.mp4", width=size[1], height=size[0]) as writer:
        writer.write(image, 0.0)
    with VideoReader(tmp_path / "out.mp4") as reader:
        shown = next(reader).image
    height, width = shown.shape[:2]
    assert (height % 2, width % 2) == (0, 0)
    assert height >= max(16, size[0])
    assert width >= max(16, size[1])
    assert np.abs(shown[: size[0], : size[1]].astype(int) - image).mean() < 15
    assert np.abs(shown[-1, -1].astype(int) - image[-1, -1]).mean() < 15


def test_colours_survive(tmp_path: Path) -> None:
    colours = [(220, 30, 30), (30, 200, 40), (40, 50, 220), (230, 220, 30)]
    image = np.repeat(np.array(colours, np.uint8)[None], 64, 0).repeat(32, 1)
    with VideoWriter(tmp_path / "out.mp4", width=128, height=64) as writer:
        writer.write(image, 0.0)
    with VideoReader(tmp_path / "out.mp4") as reader:
        shown = next(reader).image
    for index, colour in enumerate(colours):
        assert shown[32, 16 + 32 * index] == pytest.approx(colour, abs=8)
    with av.open(str(tmp_path / "out.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_range) == (1, 1)  # BT.709, limited


@pytest.mark.parametrize(
    ("codec", "kept"),
    [("aac", True), ("mp3", True), ("flac", True), ("pcm_s16le", False), ("mp2", False)],
)
@pytest.mark.parametrize("start", [0.0, 0.4])
def test_sound_is_carried_over(tmp_path: Path, codec: str, kept: bool, start: float) -> None:
    source = write_clip(tmp_path / "source.mkv", regular(60), audio=codec, audio_start=start)
    path = tmp_path / "out.mp4"
    write(path, regular(60), audio_from=source)
    if kept:
        expected = packet_times(source, "audio")
        assert packet_times(path, "audio") == pytest.approx(expected, abs=0.002)
    else:
        assert packet_times(path, "audio")[0] == pytest.approx(start, abs=0.05)
    onset, end, pitch = heard_beep(path)
    assert (onset, end) == pytest.approx(BEEP, abs=0.03)
    assert pitch == pytest.approx(440, abs=5)
    assert (sound_codec(path) == sound_codec(source)) == kept
    assert packet_times(path) == pytest.approx(regular(60), abs=0.001)


def sound_codec(path: Path) -> str:
    with av.open(str(path)) as container:
        return str(container.streams.audio[0].codec_context.codec.canonical_name)


def heard_beep(path: Path) -> tuple[float, float, float]:
    """When the beep starts and ends in seconds, and its pitch in hertz, from decoded sound."""
    with av.open(str(path)) as container:
        frames = [f for f in container.decode(audio=0) if f.samples and f.pts is not None]
    waves = [np.atleast_2d(frame.to_ndarray())[0].astype(float) for frame in frames]
    if frames[0].format.is_packed:
        waves = [wave[:: frames[0].layout.nb_channels] for wave in waves]
    rate = frames[0].sample_rate
    times = [f.time + np.arange(len(w)) / rate for f, w in zip(frames, waves, strict=True)]
    time, wave = np.concatenate(times), np.concatenate(waves)
    loud = time[np.abs(wave) > 0.3 * np.abs(wave).max()]
    inside = wave[(time > BEEP[0] + 0.1) & (time < BEEP[1] - 0.1)]
    pitch = np.argmax(np.abs(np.fft.rfft(inside))) * rate / len(inside)
    return float(loud[0]), float(loud[-1]), float(pitch)


def test_sound_of_a_real_clip_is_copied(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "video" / "walk_backlit.mp4"
    write(tmp_path / "out.mp4", regular(10), audio_from=source)
    assert packet_times(tmp_path / "out.mp4", "audio") == packet_times(source, "audio")


def test_sound_of_a_transport_stream_fits_mp4(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "source.ts", regular(60), audio="aac", form="mpegts")
    write(tmp_path / "out.mp4", regular(60), audio_from=source)
    assert heard_beep(tmp_path / "out.mp4") == pytest.approx(heard_beep(source), rel=0.02)


def test_a_silent_source_gives_a_silent_video(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "source.mp4", regular(5))
    write(tmp_path / "out.mp4", regular(5), audio_from=source)
    with VideoReader(tmp_path / "out.mp4") as reader:
        assert not reader.info.has_audio


def test_a_damaged_sound_track_does_no_harm(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "source.mkv", regular(60), audio="aac")
    source.write_bytes(source.read_bytes()[:-2000])
    write(tmp_path / "out.mp4", regular(60), audio_from=source)
    assert len(packet_times(tmp_path / "out.mp4")) == 60


def test_the_file_appears_only_when_finished(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_text("an older file")
    writer = VideoWriter(path, width=64, height=48)
    writer.write(grey(0, (48, 64)), 0.0)
    (part,) = leftovers(tmp_path)
    assert part.startswith(".vidpose-")
    assert part.endswith(".part.mp4")
    assert path.read_text() == "an older file"
    writer.close()
    writer.close()
    writer.abort()
    assert leftovers(tmp_path) == []
    assert packet_times(path) == [0.0]


def test_an_exception_discards_the_file(tmp_path: Path) -> None:
    def interrupted() -> None:
        with VideoWriter(tmp_path / "out.mp4", width=64, height=48) as writer:
            writer.write(grey(0, (48, 64)), 0.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_video_without_frames_can_be_closed(tmp_path: Path) -> None:
    VideoWriter(tmp_path / "out.mp4", width=64, height=48).close()
    assert (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere/out.mp4", "there is no folder"),
        ("folder.mp4", "it is a folder"),
        ("out.avi", "mp4"),
        ("file/out.mp4", "is a file, not a folder"),
        ("x" * 300 + ".mp4", "cannot write"),
    ],
)
def test_an_unwritable_place_is_one_clear_line(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=words) as caught:
        VideoWriter(tmp_path / name, width=64, height=48)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.name == "nt" or getattr(os, "geteuid", int)() == 0, reason="root may write")
def test_a_read_only_folder_is_one_clear_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot write"):
        VideoWriter(tmp_path / "out.mp4", width=64, height=48)


def test_a_full_disk_is_one_clear_line(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="file sizes can be limited on POSIX only")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    random = np.random.default_rng(0)

    def fill() -> None:
        with VideoWriter(tmp_path / "out.mp4", width=256, height=256) as writer:
            for time in regular(60):
                writer.write(random.integers(0, 255, (256, 256, 3), dtype=np.uint8), time)

    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(OutputError, match="File too large") as caught:
            fill()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "out.mp4" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_wrong_frames_are_refused(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "out.mp4", width=64, height=48)
    writer.write(grey(0, (48, 64)), 1.0)
    for image, time, words in [
        (grey(0, (48, 64))[..., 0], 2.0, "expected"),
        (grey(0, (48, 64)).astype(np.float32), 2.0, "expected"),
        (grey(0, (48, 64)), 1.0, "increase"),
        (grey(0, (48, 64)), 0.5, "increase"),
    ]:
        with pytest.raises(InputError, match=words):
            writer.write(image, time)
    writer.close()
    with pytest.raises(OutputError, match="closed"):
        writer.write(grey(0, (48, 64)), 2.0)
    with pytest.raises(InputError, match="positive"):
        VideoWriter(tmp_path / "none.mp4", width=0, height=48)


def test_pictures_need_not_be_contiguous(tmp_path: Path) -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, :32] = 200
    with VideoWriter(tmp_path / "out.mp4", width=64, height=48) as writer:
        writer.write(image[:, ::-1], 0.0)
    with VideoReader(tmp_path / "out.mp4") as reader:
        shown = next(reader).image
    assert shown[24, 8].mean() < 30
    assert shown[24, 56].mean() > 170


def test_frames_closer_than_a_tick_follow_by_one(tmp_path: Path) -> None:
    times = [0.033, 0.033001, 0.033002, 0.0331, 0.1]
    write(tmp_path / "out.mp4", times)
    written = packet_times(tmp_path / "out.mp4")
    assert written == pytest.approx([time - times[0] for time in times], abs=3 / 90000)
    assert min(np.diff(written)) > 0.9 / 90000


def test_a_late_clock_puts_nothing_in_front(tmp_path: Path) -> None:
    write(tmp_path / "out.mp4", [80_000 + time for time in regular(10)])
    assert packet_times(tmp_path / "out.mp4") == pytest.approx(regular(10), abs=0.001)


def test_a_gap_of_days_is_closed_for_picture_and_sound(tmp_path: Path) -> None:
    gap = 2 * 86400
    source = write_clip(tmp_path / "source.mkv", regular(60), audio="aac")
    with av.open(str(source)) as container:
        track = container.streams.audio[0]
        packets = [packet for packet in container.demux(track) if packet.size]
        for packet in packets:
            if packet.pts * packet.time_base >= 1.0:
                packet.pts += round(gap / packet.time_base)
        sound = WaitingSound(track, "source", [])
        for packet in packets:
            sound.put(packet)
        times = [time + (gap if time >= 1.0 else 0) for time in regular(60)]
        write(tmp_path / "out.mp4", times, audio_from=sound)
    assert packet_times(tmp_path / "out.mp4") == pytest.approx(regular(60), abs=0.001)
    assert packet_times(tmp_path / "out.mp4", "audio")[-1] == pytest.approx(1.97, abs=0.1)
