"""A result drawn on its video once more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from movements import frames, pose, shifted
from vidpose.errors import InputError, OutputError
from vidpose.io import Results
from vidpose.pipeline import draw_video
from vidpose.results import FrameResult, ResultHeader, SourceInfo
from vidpose.skeleton import COCO_17
from vidpose.video import VideoReader
from vidpose.video.drawing import DrawStyle

SIZE = (240, 320)
HEADER = ResultHeader("1", "m", COCO_17, SourceInfo("a.mp4", *SIZE, 10.0, 12, 1.2, False))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """12 grey frames, ten a second."""
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        picture = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)
        for _ in range(12):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def walk(count: int = 12) -> list[FrameResult]:
    """A person who goes to the right."""
    steps = [shifted(pose(), 5.0 * index) for index in range(count)]
    return frames([0.1 * index for index in range(count)], {1: steps})


def changed(path: Path) -> list[float]:
    """Of each frame the middle of the columns that are not grey any more."""
    with VideoReader(path) as reader:
        images = [frame.image.astype(int) for frame in reader]
    columns = [np.flatnonzero((abs(image - 128) > 40).any(axis=(0, 2))) for image in images]
    return [float(each.mean()) if each.size else np.nan for each in columns]


def test_every_frame_shows_its_people(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "new/out.mp4"
    style = DrawStyle(on_black=False)
    assert draw_video(Results(HEADER, walk()), clip, out, style=style) == 12
    middles = changed(out)
    assert len(middles) == 12
    assert np.diff(middles) == pytest.approx([5] * 11, abs=3)


def test_frames_that_the_result_has_not_are_left_out(clip: Path, tmp_path: Path) -> None:
    assert draw_video(Results(HEADER, walk()[4:8]), clip, tmp_path / "out.mp4") == 4
    assert len(changed(tmp_path / "out.mp4")) == 4


def test_another_video_is_refused_and_leaves_nothing(clip: Path, tmp_path: Path) -> None:
    late = [replace(frame, time=frame.time * 1.4) for frame in walk()]
    for found, message in ((walk(14), "12 of its 14 frames"), (late, r"frame 2 is at 0\.200 s")):
        with pytest.raises(InputError, match=rf"not the video of this result: .*{message}"):
            draw_video(Results(HEADER, found), clip, tmp_path / "out.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_what_cannot_be_drawn_is_refused(clip: Path, tmp_path: Path) -> None:
    results = Results(HEADER, walk())
    with pytest.raises(InputError, match="does not name its keypoints"):
        draw_video(Results(None, walk()), clip, tmp_path / "out.mp4")
    with pytest.raises(InputError, match="no frames to draw"):
        draw_video(Results(HEADER, []), clip, tmp_path / "out.mp4")
    with pytest.raises(OutputError, match="no kind of picture"):
        draw_video(results, clip, tmp_path / "out.csv")
    with pytest.raises(OutputError, match="this is the video itself"):
        draw_video(results, clip, clip, overwrite=True)
    (tmp_path / "there.mp4").write_bytes(b"older")
    with pytest.raises(OutputError, match="exists"):
        draw_video(results, clip, tmp_path / "there.mp4")
    assert (tmp_path / "there.mp4").read_bytes() == b"older"
