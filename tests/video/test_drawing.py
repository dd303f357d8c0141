"""Styles of drawing, blurred faces, and pictures as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from movements import pose, shifted
from vidpose.errors import OutputError, VidposeError
from vidpose.results import FrameResult, Person
from vidpose.skeleton import COCO_17, JHMDB_15
from vidpose.video.draw import colour_of
from vidpose.video.drawing import Drawer, DrawStyle
from vidpose.video.faces import blur_faces, head_circle
from vidpose.video.pictures import Animation, ContactSheet, NumberedPictures

Pixels = NDArray[np.uint8]


def noise(height: int = 240, width: int = 320) -> Pixels:
    return np.random.default_rng(1).integers(0, 255, (height, width, 3), dtype=np.uint8)


def result(points: NDArray[np.float64], time: float = 0.0, id: int = 1) -> FrameResult:
    return FrameResult(round(time * 10), time, (Person(id, 0.9, (80, 5, 45, 210), points),))


def grey() -> Pixels:
    return np.full((240, 320, 3), 128, np.uint8)


def test_the_style_without_choices_is_todays() -> None:
    from vidpose.video import draw_result

    image = noise()
    drawn = Drawer(COCO_17).draw(image, result(pose()))
    np.testing.assert_array_equal(drawn, draw_result(image, result(pose()), COCO_17))


def test_unsure_joints_are_hidden_on_request() -> None:
    points = pose()
    points[:, 2] = 0.35
    hidden = Drawer(COCO_17, DrawStyle(min_confidence=0.5)).draw(grey(), result(points))
    boxes = Drawer(COCO_17, DrawStyle(ids_only=True)).draw(grey(), result(points))
    np.testing.assert_array_equal(hidden, boxes)
    shown = Drawer(COCO_17, DrawStyle(min_confidence=0.3)).draw(grey(), result(points))
    assert (shown != hidden).any()


def test_on_black_nothing_of_the_picture_is_left() -> None:
    drawn = Drawer(COCO_17, DrawStyle(on_black=True)).draw(noise(), result(pose()))
    assert (drawn[:, 200:] == 0).all()
    assert drawn.any()


def test_trails_show_the_way_of_the_last_seconds_in_the_ids_colour() -> None:
    drawer = Drawer(COCO_17, DrawStyle(trails=0.5, ids_only=True))
    for step in range(16):
        drawn = drawer.draw(grey(), result(shifted(pose(), 10.0 * step), 0.1 * step, id=3))
    trail = (drawn[110] == colour_of(3)).all(axis=1)
    columns = np.flatnonzero(trail)
    columns = columns[columns > 130]  # the box is elsewhere
    assert columns.max() == pytest.approx(250, abs=3)
    assert columns.min() == pytest.approx(200, abs=3)


def test_a_trail_ends_when_its_time_is_over() -> None:
    drawer = Drawer(COCO_17, DrawStyle(trails=0.5))
    drawer.draw(grey(), result(pose(), 0.0))
    drawer.draw(grey(), result(shifted(pose(), 100), 0.1))
    later = drawer.draw(grey(), FrameResult(9, 2.0))
    np.testing.assert_array_equal(later, grey())


@pytest.mark.parametrize("style", [{"min_confidence": 1.5}, {"trails": -1.0}])
def test_styles_that_cannot_be_are_refused(style: dict[str, float]) -> None:
    with pytest.raises(VidposeError, match=r"confidence|trails"):
        DrawStyle(**style)  # type: ignore[arg-type]


def detail(image: Pixels, x: float, y: float, radius: int = 8) -> float:
    patch = image[round(y) - radius : round(y) + radius, round(x) - radius : round(x) + radius]
    return float(np.abs(np.diff(patch.astype(float), axis=1)).mean())


@pytest.mark.parametrize("seen", ["face", "unsure", "no face", "without a face's keypoints"])
def test_a_blurred_face_has_no_detail_left_and_all_else_has(seen: str) -> None:
    skeleton = COCO_17
    points = pose()
    if seen == "unsure":
        points[:5, 2] = 0.03
    if seen == "no face":
        points[:5] = (np.nan, np.nan, 0)
    if seen == "without a face's keypoints":
        skeleton = JHMDB_15
        known = {name: pose()[index] for index, name in enumerate(COCO_17.keypoints)}
        missing = (np.nan, np.nan, 0.0)
        points = np.array([known.get(name, missing) for name in skeleton.keypoints])
    image = noise()
    before = image.copy()
    blur_faces(image, result(points), skeleton)
    assert detail(image, 102, 22) < 0.2 * detail(before, 102, 22)
    np.testing.assert_array_equal(image[70:], before[70:])
    np.testing.assert_array_equal(image[:, :60], before[:, :60])


def test_the_head_grows_with_the_person() -> None:
    small, large = (
        head_circle(Person(1, 0.9, (0, 0, 45 * s, 210 * s), pose() * (s, s, 1)), COCO_17)
        for s in (1.0, 3.0)
    )
    assert small is not None
    assert large is not None
    assert large[2] == pytest.approx(3 * small[2])


def test_an_unknown_pose_has_no_head() -> None:
    points = pose()
    points[:13] = (np.nan, np.nan, 0)
    assert head_circle(Person(1, 0.9, (80, 5, 45, 210), points), COCO_17) is None


def test_faces_at_the_border_and_outside_do_no_harm() -> None:
    image = noise()
    for x, y in ((-100, -20), (300, 0), (220, 240), (-900, -900)):
        blur_faces(image, result(shifted(pose(), x, y)), COCO_17)


def test_faces_are_blurred_before_anything_is_drawn() -> None:
    drawn = Drawer(COCO_17, DrawStyle(blur_faces=True)).draw(noise(), result(pose()))
    dots = (drawn == colour_of(1)).all(axis=2)
    assert dots[10:30, 95:110].any()


def test_numbered_pictures_have_the_frames_numbers(tmp_path: Path) -> None:
    pictures = NumberedPictures(tmp_path / "f_*.png")
    for index in (0, 7):
        pictures.add(np.full((9, 12, 3), index, np.uint8), index)
    pictures.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f_000000.png", "f_000007.png"]
    assert (np.asarray(Image.open(tmp_path / "f_000007.png")) == 7).all()


@pytest.mark.parametrize("name", ["a.gif", "a.webp"])
def test_an_animation_keeps_the_true_times(tmp_path: Path, name: str) -> None:
    animation = Animation(tmp_path / name)
    for step, time in enumerate((0.0, 0.04, 0.1, 0.2, 0.5)):
        animation.add(np.full((60, 1000, 3), 40 * step, np.uint8), time)
    animation.close()
    found = Image.open(tmp_path / name)
    assert found.size == (480, 29)
    durations = []
    for index in range(found.n_frames):
        found.seek(index)
        found.load()
        durations.append(found.info["duration"])
    assert durations == [100, 100, 300, 300]  # the frame at .04 s comes too early


def test_an_animation_ends_after_a_minute(tmp_path: Path) -> None:
    animation = Animation(tmp_path / "a.gif")
    for second in range(0, 90, 10):
        animation.add(np.full((8, 8, 3), second, np.uint8), float(second))
    animation.close()
    assert animation.cut
    assert Image.open(tmp_path / "a.gif").n_frames == 7


@pytest.mark.parametrize("count", [2, 5, 16, 33, 1000])
def test_a_contact_sheet_spans_the_video(tmp_path: Path, count: int) -> None:
    sheet = ContactSheet(tmp_path / "s.png")
    for index in range(count):
        sheet.add(np.full((30, 40, 3), 50 + 200 * index // count, np.uint8), 0.1 * index)
    assert len(sheet._kept) <= 33
    sheet.close()
    picture = np.asarray(Image.open(tmp_path / "s.png"))
    cells = [
        picture[top + 2, left + 20, 0]
        for top in range(0, picture.shape[0], 34)
        for left in range(0, picture.shape[1], 44)
    ]
    cells = [int(cell) for cell in cells if cell]
    assert len(cells) == min(count, 16)
    assert cells == sorted(cells)
    assert cells[0] == 50
    assert cells[-1] > 50 + 200 * (count - 1) / count - 15


def test_a_single_frame_is_no_sheet(tmp_path: Path) -> None:
    sheet = ContactSheet(tmp_path / "s.png")
    picture = np.random.default_rng(1).integers(0, 256, (30, 900, 3)).astype(np.uint8)
    sheet.add(picture, 0.0)
    sheet.close()
    assert np.array_equal(np.asarray(Image.open(tmp_path / "s.png")), picture)


@pytest.mark.parametrize("kind", [Animation, ContactSheet])
def test_no_frames_give_no_picture(tmp_path: Path, kind: type[Animation | ContactSheet]) -> None:
    with pytest.raises(OutputError, match="there are no frames"):
        kind(tmp_path / "a.gif").close()
    assert list(tmp_path.iterdir()) == []
