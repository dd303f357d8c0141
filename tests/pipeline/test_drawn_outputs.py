"""Outputs that show the video: animations, contact sheets, numbered pictures, styles."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import vidpose
from vidpose.errors import InputError, OutputError
from vidpose.inference import PoseModel
from vidpose.video import VideoReader, expand_sources
from vidpose.video.drawing import DrawStyle
from vidpose.video.tag import is_drawn


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


@pytest.mark.parametrize("out", ["a.mp4", "a.gif", "a.webp", "a.jpg", "a.jpeg", "a.png", "*.png"])
def test_what_was_drawn_is_known_by_its_content(
    out: str, clip: Path, tmp_path: Path, frame_model: PoseModel
) -> None:
    """Moved away from the notes beside it, too, and of all styles."""
    run(clip, tmp_path / "o" / out, model=frame_model, style=DrawStyle(on_black=True))
    drawn = sorted(path for path in (tmp_path / "o").iterdir() if path.is_file())
    assert drawn
    for number, path in enumerate(drawn):
        moved = path.rename(tmp_path / f"moved{number}{path.suffix}")
        assert is_drawn(moved)
    assert not is_drawn(clip)


@pytest.mark.parametrize("kind", ["png", "jpg", "gif", "webp"])
def test_pictures_of_others_are_not_taken_for_drawn_ones(kind: str, tmp_path: Path) -> None:
    """Nor are their notes beside them looked at, which may be an older picture's."""
    path = tmp_path / f"a.{kind}"
    Image.effect_noise((64, 48), 90).save(path)
    (tmp_path / ".vidpose").mkdir()
    (tmp_path / ".vidpose" / f"{path.name}.json").write_text("{}")
    assert not is_drawn(path)
    path.write_bytes(b"")
    assert not is_drawn(path)
    assert not is_drawn(tmp_path / f"none.{kind}")


def test_images_that_were_drawn_are_passed_over(tmp_path: Path, frame_model: PoseModel) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(3):
        Image.new("RGB", (64, 48)).save(folder / f"{index}.png")
    run(folder, folder / "0_pose.png", folder / "all_pose.mp4", model=frame_model)
    assert expand_sources([str(folder)]) == [folder]
    for spec in (folder, f"{folder}/*"):
        with VideoReader(spec) as reader:
            assert reader.info.frames == 3
    run(folder, tmp_path / "drawn/*.png", model=frame_model)
    for spec in ("drawn", "drawn/*.png", "drawn/000001.png"):
        with pytest.raises(InputError, match="vidpose drew"):
            expand_sources([f"{tmp_path}/{spec}"])
    with VideoReader(tmp_path / "drawn") as reader:  # to look at, they are pictures like others
        assert reader.info.frames == 3
