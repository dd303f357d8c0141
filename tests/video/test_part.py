"""A part of a video holds exactly the frames that reading all of it gives there."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from video_clips import regular, write_clip

from vidpose.errors import InputError
from vidpose.video import Frame, VideoReader
from vidpose.video.part import skip_before

COUNT, RATE = 60, 30.0


def frames(path: Path, **part: float) -> list[Frame]:
    with VideoReader(path, **part) as video:
        return list(video)


def assert_same(some: list[Frame], others: list[Frame]) -> None:
    assert [(f.index, f.time) for f in some] == [(f.index, f.time) for f in others]
    for one, other in zip(some, others, strict=True):
        assert np.array_equal(one.image, other.image)


@pytest.fixture(params=["mp4", "mkv", "ts", "avi"])
def clip(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Two seconds; H.264 with its pictures out of order, or MPEG-4; key frames now and then."""
    name = tmp_path / f"clip.{request.param}"
    codec = "mpeg4" if request.param == "avi" else "libx264"
    return write_clip(name, regular(COUNT, RATE), codec=codec)


@pytest.mark.parametrize(("start", "end"), [(0.0, 0.5), (1.0, None), (0.71, 1.234), (1.96, 1.97)])
def test_the_part_is_that_of_the_whole(clip: Path, start: float, end: float | None) -> None:
    whole = frames(clip)
    origin = whole[0].time
    limit = np.inf if end is None else end
    expected = [frame for frame in whole if start <= frame.time - origin < limit]
    part = {"start": start} if end is None else {"start": start, "end": end}
    assert_same(frames(clip, **part), expected)


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
def test_what_lies_before_the_key_frame_is_not_decoded(kind: str, tmp_path: Path) -> None:
    path = write_clip(tmp_path / f"clip.{kind}", regular(600, RATE))
    skip = skip_before(path, None, 10.0)
    assert skip is not None
    assert 200 < skip.packets == skip.frames <= 300
    part = frames(path, start=10.0, end=10.2)
    assert [frame.index for frame in part] == list(range(300, 306))
    assert_same(part, frames(path)[300:306])


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("clip.mpg", "mpeg2video", {"g": "12", "bf": "2"}),
        ("clip.ts", "libx264", {"x264-params": "keyint=20:open-gop=1:bframes=3"}),
        ("clip.mp4", "libx264", {"x264-params": "keyint=20:open-gop=1:bframes=3"}),
    ],
)
def test_pictures_that_need_the_key_frame_behind_them_are_counted(
    name: str, codec: str, options: dict[str, str], tmp_path: Path
) -> None:
    """Open groups of pictures: some that are shown before a key frame are stored behind it."""
    path = tmp_path / name
    wall = np.random.default_rng(0).integers(0, 255, (96, 300, 3), dtype=np.uint8)
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for number in range(COUNT):
            image = np.ascontiguousarray(wall[:, number : number + 128])
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(stream.encode())
    whole = frames(path)
    for number in (15, 30, 45, 59):
        start = whole[number].time - whole[0].time
        skip = skip_before(path, None, start)
        assert skip is not None
        assert number < 30 or skip.packets > 0
        assert_same(frames(path, start=start), whole[number:])


def test_a_part_after_the_end_is_empty(clip: Path) -> None:
    assert frames(clip, start=100.0) == []


def test_images_have_parts_too(tmp_path: Path) -> None:
    import cv2

    for number in range(10):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((8, 8, 3), number, np.uint8))
    part = frames(tmp_path, start=0.2, end=0.5, image_rate=10)
    assert [frame.index for frame in part] == [2, 3, 4]


def test_times_of_real_clips(shared_data: Path) -> None:
    for name in ("squats.mp4", "one_by_one.mp4"):
        path = shared_data / "video" / name
        with VideoReader(path) as video:
            whole = [(frame.index, frame.time) for frame in video]
        middle = whole[len(whole) // 2][1]
        part = [(frame.index, frame.time) for frame in frames(path, start=middle - whole[0][1])]
        assert part == whole[len(whole) // 2 :]


def test_the_origin_is_the_first_frames_time(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "late.mkv", [5.0 + time for time in regular(30)])
    with VideoReader(path, start=0.5) as video:
        first = next(video)
        assert video.origin == pytest.approx(5.0, abs=1e-3)
        assert first.time == pytest.approx(5.5, abs=1e-3)


def test_a_missing_file_is_the_usual_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        VideoReader(tmp_path / "none.mp4", start=1.0)
