"""Outputs that show the video: animations, contact sheets, numbered pictures, styles."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import vidpose
from vidpose.errors import OutputError
from vidpose.inference import PoseModel
from vidpose.video.drawing import DrawStyle


class NoPeople:
    def detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros((0, 4)), np.zeros(0)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(6):
            picture = np.full((48, 64, 3), 40 * number, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def run(clip: Path, *outs: Path, model: PoseModel, **options: object) -> vidpose.Outcome:
    return vidpose.process_video(clip, outs, model=model, detector=NoPeople(), **options)  # type: ignore[arg-type]


def test_every_kind_of_picture_is_written(
    clip: Path, tmp_path: Path, frame_model: PoseModel
) -> None:
    names = ("a.gif", "a.webp", "a.jpg", "f/*.png")
    run(clip, *(tmp_path / name for name in names), model=frame_model)
    assert Image.open(tmp_path / "a.gif").n_frames == 6
    assert Image.open(tmp_path / "a.webp").n_frames == 6
    assert Image.open(tmp_path / "a.jpg").size[0] > 64
    found = sorted(path.name for path in (tmp_path / "f").glob("*.png"))
    assert found == [f"{index:06d}.png" for index in range(6)]
    brightness = [np.asarray(Image.open(tmp_path / "f" / name)).mean() for name in found]
    assert brightness == pytest.approx([40 * index for index in range(6)], abs=8)


def test_nothing_is_left_of_pictures_after_an_error(
    clip: Path, tmp_path: Path, frame_model: PoseModel
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("stop")

    outs = [tmp_path / "o" / name for name in ("a.gif", "a.jpg")]
    with pytest.raises(RuntimeError):
        run(clip, *outs, model=frame_model, on_frame=fail)
    assert list((tmp_path / "o").iterdir()) == []


def test_pictures_are_kept_if_style_and_all_else_are_the_same(
    clip: Path, tmp_path: Path, frame_model: PoseModel
) -> None:
    outs = [tmp_path / "o" / name for name in ("a.gif", "a.jsonl", "a.mp4")]
    run(clip, *outs, model=frame_model)
    again = run(clip, *outs, model=frame_model, overwrite=False)
    assert again.kept == tuple(outs)
    table = run(clip, outs[1], model=frame_model, overwrite=False, style=DrawStyle(on_black=True))
    assert table.kept == (outs[1],)  # a table shows nothing
    for path in (outs[0], outs[2]):
        with pytest.raises(OutputError, match=r"other options \(on_black\)"):
            run(clip, path, model=frame_model, overwrite=False, style=DrawStyle(on_black=True))


def test_numbered_pictures_are_not_replaced_unasked(
    clip: Path, tmp_path: Path, frame_model: PoseModel
) -> None:
    pattern = tmp_path / "f" / "x_*.png"
    run(clip, pattern, model=frame_model)
    with pytest.raises(OutputError, match="such pictures exist"):
        run(clip, pattern, model=frame_model, overwrite=False)


def test_on_black_shows_nothing_of_a_video_without_people(
    clip: Path, tmp_path: Path, frame_model: PoseModel
) -> None:
    run(clip, tmp_path / "f_*.png", model=frame_model, style=DrawStyle(on_black=True))
    assert np.asarray(Image.open(tmp_path / "f_000005.png")).max() == 0
