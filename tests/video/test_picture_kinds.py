"""Pixels that are not square, pictures that turn, colours beyond the ordinary."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from av.video.reformatter import Colorspace
from odd_clips import HLG, PQ, untagged, write_hdr, write_square
from video_clips import grey, level, regular, write_clip

from vidpose.video import VideoReader, VideoWriter
from vidpose.video.letterbox import fitted


def square_sides(image: np.ndarray) -> tuple[int, int]:
    """Width and height in pixels of what is bright."""
    bright = image.mean(axis=2) > 128
    return int(bright.any(axis=0).sum()), int(bright.any(axis=1).sum())


@pytest.mark.parametrize(
    ("aspect", "suffix"),
    [
        (Fraction(2, 1), "mp4"),
        (Fraction(16, 11), "mkv"),
        (Fraction(10, 11), "ts"),
        (Fraction(1, 2), "mov"),
    ],
)
def test_pixels_are_made_square(tmp_path: Path, aspect: Fraction, suffix: str) -> None:
    path = write_square(tmp_path / f"clip.{suffix}", aspect=aspect)
    with VideoReader(path) as reader:
        image = next(reader).image
        assert image.shape[:2] == (reader.info.height, reader.info.width)
    assert image.shape[:2] == (96, round(128 * aspect))
    width, height = square_sides(image)
    assert (width, height) == (pytest.approx(32 * aspect, abs=2), pytest.approx(32, abs=2))


def test_a_pixel_shape_beyond_belief_is_ignored(tmp_path: Path) -> None:
    path = write_square(tmp_path / "clip.mp4", aspect=Fraction(200, 1))
    with VideoReader(path) as reader:
        assert next(reader).image.shape == (96, 128, 3)


def turning(folder: Path) -> Path:
    """Ten frames of 64x48, ten of 48x64, ten of 64x48 again, in one transport stream."""
    parts = [
        write_clip(
            folder / f"{number}.ts",
            [number * 0.5 + time for time in regular(10)],
            size=size,
            pictures=[grey(number, size)] * 10,
            form="mpegts",
        )
        for number, size in enumerate([(48, 64), (64, 48), (48, 64)])
    ]
    joined = folder / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    return joined


def test_every_frame_keeps_its_own_shape(tmp_path: Path) -> None:
    with VideoReader(turning(tmp_path)) as reader:
        assert (reader.info.width, reader.info.height) == (64, 48)
        shapes = [frame.image.shape[:2] for frame in reader]
    assert shapes == [(48, 64)] * 10 + [(64, 48)] * 10 + [(48, 64)] * 10
    (warning,) = [warning for warning in reader.warnings if "shape changes at" in warning]
    assert "48x64" in warning


def test_the_drawn_video_has_borders_where_the_shape_is_another(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    with (
        VideoReader(turning(tmp_path)) as reader,
        VideoWriter(out, width=64, height=48) as writer,
    ):
        for frame in reader:
            writer.write(frame.image, frame.time)
    with VideoReader(tmp_path / "out.mp4") as drawn:
        images = [frame.image for frame in drawn]
    assert len(images) == 30
    turned = images[15]
    assert turned.shape == (48, 64, 3)
    assert turned[:, :12].mean() < 10, "black at the left"
    assert turned[:, -12:].mean() < 10
    assert turned[4:44, 18:46].mean() == pytest.approx(level(1), abs=8)
    assert images[25].mean() == pytest.approx(level(2), abs=6)


def test_fitting_keeps_the_aspect() -> None:
    image = np.full((100, 50, 3), 200, np.uint8)
    canvas = fitted(image, (50, 100))
    assert canvas.shape == (50, 100, 3)
    filled = np.flatnonzero(canvas[25, :, 0])
    assert (filled[0], filled[-1]) == (37, 61)
    assert fitted(image, (100, 50)) is image


def colour_chart(size: tuple[int, int] = (64, 128)) -> np.ndarray:
    """Eight vertical bars: greys and muted colours."""
    bars = [
        *[(16, 16, 16), (70, 70, 70), (128, 128, 128), (190, 190, 190)],
        *[(170, 80, 70), (70, 140, 80), (60, 80, 160), (200, 160, 130)],
    ]
    return np.repeat(np.array(bars, np.uint8)[None], size[0], 0).repeat(size[1] // 8, 1)


def bar_colours(image: np.ndarray) -> np.ndarray:
    width = image.shape[1] // 8
    return np.array(
        [image[16:48, i * width + 6 : (i + 1) * width - 6].mean((0, 1)) for i in range(8)]
    )


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize(("codec", "suffix"), [("libx265", "mp4"), ("ffv1", "mkv")])
def test_high_dynamic_range_looks_like_the_ordinary_picture(
    tmp_path: Path, transfer: int, codec: str, suffix: str
) -> None:
    chart = colour_chart()
    path = write_hdr(tmp_path / f"hdr.{suffix}", [chart] * 3, transfer, codec=codec)
    with VideoReader(path) as reader:
        images = [frame.image for frame in reader]
    assert len(images) == 3
    np.testing.assert_allclose(bar_colours(images[-1]), bar_colours(chart), atol=9)


def test_highlights_are_softened_and_not_cut_off(tmp_path: Path) -> None:
    from vidpose.video.tone_mapping import colour_table

    table = colour_table(PQ, wide=True).reshape(33, 33, 33, 3)
    greys = np.array([table[i, i, i] for i in range(33)])
    assert np.abs(greys - greys[:, :1]).max() < 0.01, "grey stays grey"
    assert np.diff(greys[:, 0]).min() >= 0
    assert greys[19, 0] < greys[24, 0] < 1.0, "300 and 1000 nits differ"


@pytest.mark.parametrize(
    ("size", "matrix"),
    [
        ((720, 1280), Colorspace.ITU709),
        ((1280, 720), Colorspace.ITU709),
        ((480, 640), Colorspace.ITU601),
        ((576, 720), Colorspace.ITU601),
    ],
)
def test_untagged_pictures_are_read_by_their_size(
    tmp_path: Path, size: tuple[int, int], matrix: Colorspace
) -> None:
    image = np.zeros((*size, 3), np.uint8)
    image[:] = (200, 60, 40)
    path = untagged(tmp_path / "clip.mkv", image, matrix)
    with VideoReader(path) as reader:
        assert next(reader).image[9, 9].tolist() == pytest.approx([200, 60, 40], abs=3)
