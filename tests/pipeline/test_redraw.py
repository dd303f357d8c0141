"""A result drawn on its video once more."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from movements import frames, pose, shifted
from vidpose.errors import InputError, OutputError
from vidpose.io import Results
from vidpose.pipeline import draw_video
from vidpose.pipeline.provenance import why_anew
from vidpose.report import write_report
from vidpose.report.video_data import embedded_video
from vidpose.results import FrameResult, Provenance, ResultHeader, SourceInfo
from vidpose.skeleton import COCO_17
from vidpose.video import FileObject, VideoReader
from vidpose.video.digest import source_digest
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
    for refused in (lambda given: draw_video(given, clip, tmp_path / "out.mp4"),
                    lambda given: write_report(given, tmp_path / "out.html")):  # fmt: skip
        with pytest.raises(InputError, match=r"results are what read_results gives, got str"):
            refused("a.jsonl")
    with pytest.raises(InputError, match=r"DrawStyle, got dict"):
        draw_video(results, clip, tmp_path / "out.mp4", style={"trails": 1})  # type: ignore[arg-type]
    with pytest.raises(OutputError, match="no output to draw to"):
        draw_video(results, clip, [])
    with pytest.raises(OutputError, match="no kind of picture"):
        draw_video(results, clip, tmp_path / "out.csv")
    with pytest.raises(OutputError, match="this is the source"):
        draw_video(results, clip, clip, overwrite=True)
    (tmp_path / "there.mp4").write_bytes(b"older")
    with pytest.raises(OutputError, match="exists"):
        draw_video(results, clip, tmp_path / "there.mp4")
    assert (tmp_path / "there.mp4").read_bytes() == b"older"


def images(folder: Path, count: int = 12, side: int = 64) -> Path:
    """A folder of grey images."""
    folder.mkdir()
    for index in range(count):
        Image.new("RGB", (side, side), (128, 128, 128)).save(folder / f"{index:06d}.png")
    return folder


def made_with(size: tuple[int, int], digest: str | None = None, **options: object) -> ResultHeader:
    made_from = Provenance("there.mp4", digest, "m", "", "", options)
    return replace(HEADER, source=replace(HEADER.source, width=size[0], height=size[1]),
                   provenance=made_from)  # fmt: skip


def test_images_are_read_at_the_rate_of_the_result(clip: Path, tmp_path: Path) -> None:
    folder = images(tmp_path / "images")
    header = made_with((64, 64), image_rate=10.0)
    assert draw_video(Results(header, walk()), folder, tmp_path / "a.mp4") == 12
    assert embedded_video(folder, header, walk())
    # A video that was made of them has times of its own.
    header = made_with(SIZE, image_rate=10.0)
    assert draw_video(Results(header, walk()), clip, tmp_path / "b.mp4") == 12


def test_the_track_and_the_start_are_those_of_the_result(clip: Path, tmp_path: Path) -> None:
    results = Results(made_with(SIZE, video_track=2), walk())
    with pytest.raises(InputError, match="no video track 2"):
        draw_video(results, clip, tmp_path / "a.mp4")
    with pytest.raises(InputError, match="no video track 2"):
        embedded_video(clip, made_with(SIZE, video_track=2), walk())
    part = Results(made_with(SIZE, start=0.4, video_track="x"), walk()[4:8])
    assert draw_video(part, clip, tmp_path / "part.mp4") == 4


def test_a_video_of_another_size_is_refused(clip: Path, tmp_path: Path) -> None:
    header = made_with((2 * SIZE[0], SIZE[1]))
    message = "not the video of this result: its pictures have 240x320 pixels, not 480x320"
    with pytest.raises(InputError, match=message):
        draw_video(Results(header, walk()), clip, tmp_path / "a.mp4")
    with pytest.raises(InputError, match=message):
        embedded_video(clip, header, walk())


def test_another_file_with_the_same_frames_is_drawn_and_noted(
    clip: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number, digest in enumerate((source_digest(clip), None, "another")):
        assert not caplog.messages
        header = made_with(SIZE, digest)
        assert draw_video(Results(header, walk()), clip, tmp_path / f"{number}.mp4") == 12
    assert "clip.mp4: its content is not that of there.mp4" in caplog.messages[0]


def test_images_are_never_replaced_by_what_is_drawn_on_them(tmp_path: Path) -> None:
    folder = images(tmp_path / "images", 12)
    results = Results(made_with((64, 64), image_rate=10.0), walk())
    before = [path.read_bytes() for path in sorted(folder.iterdir())]
    for out in ("*.png", "000003.png"):
        with pytest.raises(OutputError, match="this is the source"):
            draw_video(results, folder, folder / out, overwrite=True)
    assert [path.read_bytes() for path in sorted(folder.iterdir())] == before
    with pytest.raises(OutputError, match="give it once"):
        draw_video(results, folder, [tmp_path / "a.gif", tmp_path / "images/../a.gif"])
    draw_video(results, folder, tmp_path / "new/*.png")
    with pytest.raises(OutputError, match="such pictures exist"):
        draw_video(results, folder, tmp_path / "new/*.png")
    assert draw_video(results, folder, tmp_path / "new/*.png", overwrite=True) == 12


def test_what_was_drawn_of_a_result_is_not_taken_for_what_a_run_makes(
    clip: Path, tmp_path: Path
) -> None:
    header = made_with(SIZE, source_digest(clip))
    made_from = header.provenance
    assert made_from is not None
    for name in ("a.mp4", "a.gif", "a.png"):
        out = tmp_path / name
        draw_video(Results(header, walk()), clip, out, style=DrawStyle(ids_only=True))
        assert why_anew(out, made_from) == "it was made with other options (draw, ids_only)"


def test_a_video_in_memory_is_drawn_and_shown(clip: Path, tmp_path: Path) -> None:
    source = FileObject("clip.mp4", io.BytesIO(clip.read_bytes()))
    assert draw_video(Results(HEADER, walk()), source, tmp_path / "a.mp4") == 12
    write_report(Results(HEADER, walk()), tmp_path / "a.html", source)
    assert "data:video/mp4" in (tmp_path / "a.html").read_text()
