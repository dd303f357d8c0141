from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from video_clips import (
    grey,
    level,
    packet_times,
    regular,
    set_display_matrix,
    write_clip,
)

from vidpose.errors import InputError
from vidpose.pipeline import process_video, track
from vidpose.video import IMAGE_RATE, FileObject, VideoReader

ONE = 1 << 16
ROTATIONS = {
    90: (0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30),
    180: (-ONE, 0, 0, 0, -ONE, 0, 0, 0, 1 << 30),
    270: (0, -ONE, 0, ONE, 0, 0, 0, 0, 1 << 30),
}
REAL_CLIPS = [
    *["walk_backlit.mp4", "single_pose.mp4", "squats.mp4", "sign_language/book.mkv"],
    *["calibration_board/cam_0.mp4", "beam_two_people/cam01.mp4"],
]


def read(path: str | Path) -> tuple[VideoReader, list[float], list[int]]:
    """The exhausted reader, the times, and the mean grey levels of the frames."""
    with VideoReader(path) as reader:
        frames = [(frame.index, frame.time, round(frame.image.mean())) for frame in reader]
    assert [index for index, _, _ in frames] == list(range(len(frames)))
    return reader, [time for _, time, _ in frames], [mean for _, _, mean in frames]


def assert_levels(means: list[int], indices: list[int]) -> None:
    expected = np.array([level(index) for index in indices])
    np.testing.assert_allclose(means, expected, atol=6)


@pytest.mark.parametrize("name", REAL_CLIPS)
def test_real_clips_have_the_frames_and_times_of_plain_demuxing(
    shared_data: Path, name: str
) -> None:
    path = shared_data / "video" / name
    reader, times, _ = read(path)
    assert times == packet_times(path)
    assert (reader.corrupt_packets, reader.truncated, reader.warnings) == (0, False, [])
    assert abs((reader.info.frames or 0) - len(times)) <= 1
    assert reader.info.duration == pytest.approx(times[-1], rel=0.05)


def test_real_pixels_are_those_of_another_decoder(shared_data: Path) -> None:
    path = shared_data / "video" / "single_pose.mp4"
    capture = cv2.VideoCapture(str(path))
    with VideoReader(path) as reader:
        for frame, _ in zip(reader, range(10), strict=False):
            ok, image = capture.read()
            assert ok
            difference = np.abs(frame.image.astype(int) - image[..., ::-1])
            assert difference.mean() < 1.5


def test_describes_the_source(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", regular(60, 30), audio="aac")
    with VideoReader(path) as reader:
        info = reader.info
    assert (info.path, info.width, info.height, info.frames) == (str(path), 64, 48, 60)
    assert info.average_rate == pytest.approx(30, rel=0.05)
    assert info.duration == pytest.approx(2, rel=0.05)
    assert info.has_audio


@settings(max_examples=15)
@given(st.lists(st.integers(1, 500), min_size=1, max_size=12), st.integers(0, 5000))
def test_variable_frame_rate_is_kept(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], start: int
) -> None:
    times = [float(tick) / 1000 for tick in np.cumsum([start, *steps])]
    path = write_clip(tmp_path_factory.mktemp("vfr") / "clip.mkv", times)
    _, read_times, means = read(path)
    assert read_times == pytest.approx(times, abs=0.0005)
    assert_levels(means, list(range(len(times))))


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        *[("mp4", "libx264"), ("mp4", "libx265"), ("ts", "libx264"), ("flv", "libx264")],
        *[("avi", "mpeg4"), ("webm", "libvpx-vp9"), ("mov", "mjpeg"), ("mpg", "mpeg2video")],
    ],
)
def test_many_codecs_and_containers(tmp_path: Path, suffix: str, codec: str) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {codec} encoder")
    path = write_clip(tmp_path / f"clip.{suffix}", regular(10), codec=codec)
    reader, times, means = read(path)
    assert_levels(means, list(range(10)))
    assert (reader.info.width, reader.info.height) == (64, 48)
    assert np.diff(times) == pytest.approx(np.full(9, 1 / 30), abs=0.002)


def test_animated_gifs(tmp_path: Path) -> None:
    images = [grey(index, (48, 64))[..., 0] for index in range(10)]
    _write_gif(tmp_path / "clip.gif", images)
    _, times, means = read(tmp_path / "clip.gif")
    assert_levels(means, list(range(10)))
    assert times == pytest.approx([index / 25 for index in range(10)])


def _write_gif(path: Path, images: list[np.ndarray]) -> None:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("gif", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "gray"
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="gray")
            frame.pts = index
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def test_frames_without_time_stamps_follow_the_rate(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "raw.h264", regular(20))
    with VideoReader(path) as reader:
        rate = reader.info.average_rate
        times = [frame.time for frame in reader]
    assert rate is not None
    assert times == pytest.approx([i / rate for i in range(20)])


@pytest.mark.parametrize("angle", ROTATIONS)
def test_rotation_metadata_is_applied(tmp_path: Path, angle: int) -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    image[:16, :16] = (250, 20, 20)
    image[32:, :16] = (20, 20, 250)
    path = write_clip(tmp_path / "clip.mp4", regular(3), pictures=[image] * 3)
    set_display_matrix(path, ROTATIONS[angle])
    with VideoReader(path) as reader:
        frame = next(reader)
    height, width = frame.image.shape[:2]
    assert (reader.info.width, reader.info.height) == (width, height)
    assert (width, height) == ((48, 64) if angle in (90, 270) else (64, 48))
    turned = np.rot90(image, -angle // 90)
    assert np.abs(frame.image.astype(int) - turned).mean() < 12
    capture = cv2.VideoCapture(str(path))  # an independent reader that applies rotation too
    assert np.abs(frame.image.astype(int) - capture.read()[1][..., ::-1]).mean() < 4


def test_a_truncated_file_gives_all_frames_before_the_cut(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "clip.mp4", regular(60), container_options={"movflags": "faststart"}
    )
    data = path.read_bytes()
    times = packet_times(path)
    path.write_bytes(data[: data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2])
    reader, read_times, means = read(path)
    whole = packet_times_before_cut(path)
    assert 5 < len(read_times) < 60
    assert len(read_times) >= whole
    assert read_times == times[: len(read_times)]
    assert_levels(means, list(range(len(means))))
    assert reader.truncated
    assert len(reader.warnings) == 1
    assert "cut short" in reader.warnings[0]
    assert str(path) in reader.warnings[0]
    assert "\n" not in reader.warnings[0]


def packet_times_before_cut(path: Path) -> int:
    """How many packets lie completely in the file, by plain demuxing."""
    with av.open(str(path)) as container:
        return sum(p.size > 0 and not p.is_corrupt for p in container.demux(video=0))


@pytest.mark.parametrize(("suffix", "codec"), [("mkv", "libx264"), ("avi", "mpeg4")])
def test_other_truncated_containers_are_noticed(tmp_path: Path, suffix: str, codec: str) -> None:
    path = write_clip(tmp_path / f"clip.{suffix}", regular(60), codec=codec)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    reader, times, _ = read(path)
    assert 5 < len(times) < 60
    assert reader.truncated
    assert any("cut short" in warning for warning in reader.warnings)


def test_truncation_is_known_only_at_the_end(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mkv", regular(60))
    path.write_bytes(path.read_bytes()[:-300])
    with VideoReader(path) as reader:
        next(reader)
        assert not reader.truncated
        assert reader.warnings == []
        for _ in reader:
            pass
        assert reader.truncated


def test_damaged_packets_are_counted_and_skipped(tmp_path: Path) -> None:
    pictures = [grey(index, (48, 64)) for index in range(40)]
    path = write_clip(tmp_path / "clip.mov", regular(40), codec="png", pictures=pictures)
    times = packet_times(path)
    data = bytearray(path.read_bytes())
    starts = [match.start() for match in re.finditer(b"\x89PNG", data)]
    assert len(starts) == 40
    for number in (7, 20, 21):
        data[starts[number] : starts[number] + 60] = bytes(60)
    path.write_bytes(data)
    reader, read_times, means = read(path)
    kept = [index for index in range(40) if index not in (7, 20, 21)]
    assert read_times == [times[index] for index in kept]
    assert_levels(means, kept)
    assert reader.corrupt_packets == 3
    assert not reader.truncated
    assert reader.warnings == [
        f"{path}: damaged packets: 3; frames are missing or blurred there",
    ]


@pytest.mark.parametrize("seed", range(4))
def test_random_damage_to_a_real_clip_loses_few_frames(
    shared_data: Path, tmp_path: Path, seed: int
) -> None:
    random = np.random.default_rng(seed)
    data = bytearray((shared_data / "video" / "single_pose.mp4").read_bytes())
    for position in random.integers(5000, 90_000, 10):  # within the media data
        data[position : position + 40] = random.bytes(40)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    reader, times, _ = read(path)
    assert 110 <= len(times) <= 120
    assert reader.corrupt_packets >= 1
    assert set(times) <= set(packet_times(path))


def test_a_clock_that_starts_anew_goes_on(tmp_path: Path) -> None:
    first = write_clip(tmp_path / "a.ts", [10 + t for t in regular(20)], form="mpegts")
    second = write_clip(tmp_path / "b.ts", regular(40), form="mpegts")
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    _, times, means = read(joined)
    assert len(times) == 60
    assert_levels(means, [*range(20), *range(40)])
    assert np.diff(times).min() > 0
    assert np.diff(times)[30:] == pytest.approx(np.full(29, 1 / 30), abs=0.001)


def test_one_frame_and_one_pixel(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "one.mkv", [0.5], codec="ffv1", size=(1, 1))
    reader, times, means = read(path)
    assert times == [0.5]
    assert (reader.info.width, reader.info.height) == (1, 1)
    assert_levels(means, [0])


def test_iteration_may_stop_early(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", regular(50))
    with VideoReader(path) as reader:
        for frame in reader:
            if frame.index == 3:
                break
        assert next(reader).index == 4
    reader.close()
    with pytest.raises(InputError, match=r"clip\.mp4: this VideoReader is closed; open it anew"):
        next(reader)


def test_frames_are_there_once(tmp_path: Path) -> None:
    with VideoReader(write_clip(tmp_path / "clip.mp4", regular(5))) as reader:
        assert len(list(reader)) == 5
        assert next(reader, None) is None
        with pytest.raises(InputError, match=r"clip\.mp4: all frames have been read; open it anew"):
            list(reader)


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        (io.BytesIO(b"video"), "BytesIO; wrap an open file: vidpose.video.FileObject"),
        (b"video", "bytes; wrap a video's bytes"),
        (None, "NoneType; give a str"),
        (3, "int; give a str"),
    ],
)
def test_what_is_no_source_is_said_with_what_to_do(source: Any, hint: str) -> None:
    with pytest.raises(InputError, match=f"a source is a name, not {hint}"):
        VideoReader(source)
    with pytest.raises(InputError, match=f"a source is a name, not {hint}"):
        process_video(source, "out.jsonl")
    with pytest.raises(InputError, match=f"a source is a name, not {hint}"):
        next(track(source))


def test_what_is_no_file_object_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="v: a file object can read and seek, bytes cannot"):
        FileObject("v", b"video")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="v: a video is no text; open it with 'rb'"):
        FileObject("v", io.StringIO("video"))  # type: ignore[arg-type]


def test_frames_keep_their_pixels(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", regular(40))
    with VideoReader(path) as reader:
        images = [frame.image for frame in reader]
    assert_levels([round(image.mean()) for image in images], list(range(40)))
    assert all(image.flags.c_contiguous for image in images)


def test_a_long_video_needs_the_memory_of_a_short_one(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.avi", regular(500), size=(192, 192), codec="mpeg4")
    with VideoReader(path) as reader:
        for _ in range(100):
            next(reader)
        before = resident_bytes()
        count = sum(1 for _ in reader)
        grown = resident_bytes() - before
    assert count == 400
    assert grown < 8 << 20, "400 frames of 111 kB are 44 MB"


def resident_bytes() -> int:
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("needs /proc to measure memory")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def test_an_image_folder_in_natural_order(tmp_path: Path) -> None:
    for index in range(12):
        cv2.imwrite(str(tmp_path / f"frame_{index}.png"), grey(index, (20, 30)))
    reader, times, means = read(tmp_path)
    assert means == [level(index) for index in range(12)]
    assert times == pytest.approx([i / IMAGE_RATE for i in range(12)])
    info = reader.info
    assert (info.width, info.height, info.frames) == (30, 20, 12)
    assert (info.average_rate, info.has_audio) == (IMAGE_RATE, False)
    assert read(f"{tmp_path}/frame_*.png")[2] == means
    assert read(tmp_path / "frame_3.png")[2] == means[3:4]


def test_image_colours_are_rgb(tmp_path: Path) -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    image[:] = (10, 20, 200)  # OpenCV writes BGR: this is red
    cv2.imwrite(str(tmp_path / "red.png"), image)
    with VideoReader(tmp_path / "red.png") as reader:
        assert next(reader).image[0, 0].tolist() == [200, 20, 10]


def test_names_that_look_like_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "clip.mkv", regular(3)).rename("at 12:30.mkv")
    assert len(read("at 12:30.mkv")[1]) == 3
