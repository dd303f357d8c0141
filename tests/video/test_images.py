"""Images as a source: stacks and animations whole, deep pictures bright, damaged ones numbered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from vidpose.data.samples import read_image
from vidpose.errors import InputError
from vidpose.video import Frame, VideoReader
from vidpose.video.image_files import Levels, read_pictures

GREYS = [0, 60, 120, 180, 240]
MILLISECONDS = [40, 80, 40, 120, 40]
STARTS = [0, 0.04, 0.12, 0.16, 0.28]


def grey(value: int, size: tuple[int, int] = (40, 60)) -> np.ndarray:
    return np.full((*size, 3), value, np.uint8)


def read(source: str | Path, **options: Any) -> tuple[list[Frame], VideoReader]:
    with VideoReader(source, **options) as reader:
        return list(reader), reader


def save(path: Path, **options: Any) -> Path:
    first, *rest = [Image.fromarray(grey(value)) for value in GREYS]
    first.save(path, save_all=True, append_images=rest, **options)
    return path


def means(frames: list[Frame]) -> list[float]:
    return [round(float(frame.image.mean())) for frame in frames]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.png", {"duration": MILLISECONDS}),
        ("a.webp", {"duration": MILLISECONDS, "lossless": True}),
        ("gif.png", {"duration": MILLISECONDS, "format": "GIF"}),  # by content, not by name
    ],
)
def test_an_animation_gives_all_its_pictures_at_their_own_times(
    tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    frames, reader = read(save(tmp_path / name, **options))
    assert means(frames) == GREYS
    assert [frame.index for frame in frames] == list(range(5))
    assert [frame.time for frame in frames] == pytest.approx(STARTS)
    assert (reader.info.frames, reader.info.average_rate, reader.warnings) == (5, None, [])
    assert [f.time for f in read(tmp_path / name, image_rate=10)[0]] == pytest.approx(
        [0, 0.1, 0.2, 0.3, 0.4]
    )


def test_a_stand_in_for_programs_that_do_not_animate_is_no_frame(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", duration=40, default_image=True)
    assert means(read(path)[0]) == GREYS[1:]


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "jpeg"])
def test_a_stack_gives_all_its_pages(tmp_path: Path, compression: str | None) -> None:
    frames, reader = read(save(tmp_path / "a.tif", compression=compression), image_rate=25)
    assert np.abs(np.array(means(frames)) - GREYS).max() <= 1
    assert [frame.time for frame in frames] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])
    assert (reader.info.frames, reader.info.average_rate) == (5, 25)


def test_stacks_among_images_keep_the_order(tmp_path: Path) -> None:
    save(tmp_path / "1.tif")
    cv2.imwrite(str(tmp_path / "0.png"), grey(10))
    cv2.imwrite(str(tmp_path / "2.png"), grey(250))
    frames, reader = read(tmp_path)
    assert means(frames) == [10, *GREYS, 250]
    assert reader.info.frames == 7


def test_previews_in_a_stack_are_no_frames(tmp_path: Path) -> None:
    from PIL import TiffImagePlugin

    preview = TiffImagePlugin.ImageFileDirectory_v2()
    preview[254] = 1
    with TiffImagePlugin.AppendingTiffWriter(str(tmp_path / "a.tif"), True) as file:
        for image, tags in (
            (grey(90), None),
            (grey(90, (4, 6)), preview),
            (grey(200), None),
        ):
            Image.fromarray(image).save(file, format="TIFF", tiffinfo=tags or {})
            file.newFrame()
    assert means(read(tmp_path / "a.tif")[0]) == [90, 200]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_twelve_bits_in_sixteen_are_not_black(tmp_path: Path, suffix: str, channels: int) -> None:
    for number, value in enumerate((0, 2048, 4095)):
        image = np.full((20, 30, channels), value, np.uint16)
        image[:, 15:] = 4095 if number == 2 else 100
        cv2.imwrite(str(tmp_path / f"{number}{suffix}"), image.squeeze())
    frames, reader = read(tmp_path)
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [0, 128, 255]
    assert [int(frame.image[0, 20, 1]) for frame in frames] == [6, 6, 255]  # one range for all
    (warning,) = reader.warnings
    assert warning.endswith("its numbers from 0 to 4,095 became black to white")


def test_a_deep_stack_is_read_in_colour_with_the_range_of_all_its_pages(tmp_path: Path) -> None:
    pages = [np.full((20, 30, 3), (10, 20, 100 * k + 50), np.uint16) for k in range(11)]
    cv2.imwritemulti(str(tmp_path / "a.tif"), pages)  # OpenCV writes BGR
    frames, _ = read(tmp_path / "a.tif")
    assert len(frames) == 11
    expected = [round((100 * k + 50) * 255 / 2047) for k in range(10)]
    assert [int(frame.image[0, 0, 0]) for frame in frames[:10]] == expected
    assert frames[0].image[0, 0].tolist() == [6, 2, 1]


def test_all_sixteen_bits_are_scaled_without_a_word(tmp_path: Path) -> None:
    cv2.imwrite(
        str(tmp_path / "a.png"), np.linspace(0, 65535, 600).astype(np.uint16).reshape(20, 30)
    )
    frames, reader = read(tmp_path / "a.png")
    assert (int(frames[0].image.min()), int(frames[0].image.max())) == (0, 255)
    assert reader.warnings == []


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [
        (0, 1, np.float32),
        (0, 255, np.float32),
        (-3, 8, np.float32),
        (0, 1, np.float64),
        (200, 90_000, np.int32),
    ],
)
def test_other_numbers_use_their_range(
    tmp_path: Path, low: float, high: float, dtype: type[np.generic]
) -> None:
    ramp = np.linspace(low, high, 5000).reshape(50, 100).astype(dtype)
    cv2.imwrite(str(tmp_path / "a.tif"), ramp)
    frames, _ = read(tmp_path / "a.tif")
    image = frames[0].image.astype(float)
    assert image[0, 0, 0] <= 1
    assert image[-1, -1, 0] >= 254
    assert image[25, 0, 0] == pytest.approx(127.5, abs=1.5)


def test_not_a_number_is_black() -> None:
    raw = np.array([[np.nan, 0.5, 1.0]], np.float32)
    levels = Levels.of([raw])
    assert levels is not None
    assert levels.to_rgb(raw)[0, :, 0].tolist() == [0, 128, 255]


def png(value: int) -> bytes:
    return cv2.imencode(".png", grey(value))[1].tobytes()


def noisy(suffix: str) -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    return cv2.imencode(suffix, noise)[1].tobytes()


@pytest.mark.parametrize(
    "content",
    [b"no image", b"", *(noisy(s)[: len(noisy(s)) * 2 // 3] for s in (".jpg", ".png", ".tif"))],
    ids=["text", "empty", "half a JPEG", "half a PNG", "half a TIFF"],
)
def test_a_damaged_image_keeps_its_number_and_is_named(
    tmp_path: Path, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    for index in range(4):
        (tmp_path / f"{index}.png").write_bytes(png(50 * index))
    (tmp_path / "2.png").write_bytes(content)
    frames, reader = read(tmp_path)
    assert [(frame.index, frame.damaged) for frame in frames] == [
        (0, False), (1, False), (2, True), (3, False),
    ]  # fmt: skip
    assert means(frames) == [0, 50, 0, 150]
    assert [frame.time for frame in frames] == pytest.approx([0, 1 / 30, 2 / 30, 3 / 30])
    assert reader.corrupt_packets == 1
    (warning,) = reader.warnings
    assert warning.startswith(f"{tmp_path / '2.png'}: cannot be read; its frame 2 is recorded")
    said = capfd.readouterr().err.splitlines()  # no lines of the decoders, but OpenCV 4's libpng
    assert [line for line in said if not line.startswith("libpng error")] == []


def test_many_damaged_images_are_counted(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(png(9))
    for index in range(1, 9):
        (tmp_path / f"{index}.png").write_bytes(b"no")
    frames, reader = read(tmp_path)
    assert len(frames) == 9
    assert reader.warnings[-1].endswith("3 more images could not be read")
    assert len(reader.warnings) == 6


def test_a_damaged_page_keeps_its_number(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", compression="tiff_deflate")
    with Image.open(path) as image:
        image.seek(2)
        (place, *_), (size, *_) = image.tag_v2[273], image.tag_v2[279]  # type: ignore[attr-defined]
    content = bytearray(path.read_bytes())
    content[place : place + size] = b"\xff" * size
    path.write_bytes(content)
    frames, reader = read(path)
    assert [frame.damaged for frame in frames] == [False, False, True, False, False]
    assert "a.tif, picture 3: cannot be read; its frame 2" in reader.warnings[0]


def test_images_that_vanish_keep_what_was_read(tmp_path: Path) -> None:
    for index in range(5):
        (tmp_path / f"{index}.png").write_bytes(png(index))
    with VideoReader(tmp_path) as reader:
        seen = [next(reader), next(reader)]
        for path in tmp_path.iterdir():
            path.unlink()
        seen += list(reader)
    assert [frame.index for frame in seen] == [0, 1]
    assert reader.truncated
    assert "2.png and all images after it vanished" in reader.warnings[0]


def test_one_image_that_vanishes_is_a_damaged_one(tmp_path: Path) -> None:
    for index in range(3):
        (tmp_path / f"{index}.png").write_bytes(png(index))
    with VideoReader(tmp_path) as reader:
        (tmp_path / "1.png").unlink()
        assert [frame.damaged for frame in reader] == [False, True, False]


def test_each_image_has_its_own_shape(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(png(1))
    cv2.imwrite(str(tmp_path / "1.png"), grey(2, (70, 30)))
    assert [f.image.shape for f in read(tmp_path)[0]] == [(40, 60, 3), (70, 30, 3)]


def test_rates(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(png(1))
    for rate in (0, -1, float("nan"), 1e9):
        with pytest.raises(InputError, match="frames a second; give a rate above 0"):
            VideoReader(tmp_path, image_rate=rate)


def test_orientation_tags_are_applied_in_every_format(tmp_path: Path) -> None:
    image = grey(0)
    image[:5] = 255  # at the top as stored
    exif = Image.Exif()
    exif[274] = 6  # to be turned clockwise
    for name in ("a.jpg", "a.png", "a.tif"):
        Image.fromarray(image).save(tmp_path / name, exif=exif)
        (picture,) = read_pictures(tmp_path / name)
        assert picture.raw is not None
        assert picture.raw.shape == (60, 40, 3), name
        assert picture.raw[30, -1, 0] > 200, name


def test_data_sets_read_images_likewise(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((4, 4), 4095, np.uint16))
    assert read_image(tmp_path / "a.png").tolist() == [[[255] * 3] * 4] * 4


def test_the_animation_at_hand(shared_dir: Path) -> None:
    path = shared_dir / "faults" / "anim_10.webp"
    if not path.exists():
        pytest.skip(f"no {path}")
    frames, _ = read(path)
    assert len(frames) == 10
    times = [frame.time for frame in frames]
    assert times == pytest.approx([0, *np.cumsum([33, 33, 34, 33, 33, 34, 33, 33, 34]) / 1000])
