"""Scenes: where the windows lie, and what they show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vidpose.bench.scenes import (
    GREY,
    PHASE,
    SIZE,
    Window,
    back_and_forth,
    compose,
    cut,
    find_window,
    layout,
    write_scene,
)
from vidpose.results import FrameResult, Person
from vidpose.video import VideoReader


def person(number: int, *box: float) -> Person:
    return Person(number, 0.9, box, np.zeros((1, 3), np.float32))


def test_the_window_holds_the_person_seen_most_wherever_it_was() -> None:
    results = [
        FrameResult(0, 0.0, (person(1, 0, 0, 5, 5),)),
        FrameResult(1, 0.1, (person(2, 100, 50, 40, 100),)),
        FrameResult(2, 0.2, (person(2, 130, 60, 40, 100), person(1, 0, 0, 5, 5))),
        FrameResult(3, 0.3, (person(2, 120, 40, 30, 80),)),
    ]
    # x from 100 - 4 to 170 + 4, y from 40 - 10 to 160 + 10, the picture ends at 165
    assert find_window(results, (165, 400)) == Window(96, 30, 78, 135, 1, 3)
    assert find_window([FrameResult(0, 0.0)], (165, 400)) is None


@pytest.mark.parametrize("people", [1, 2, 5, 10, 23])
@pytest.mark.parametrize("size", [(720, 1280), (700, 200), (90, 600), (40, 30)])
def test_places_lie_in_the_scene_beside_each_other(people: int, size: tuple[int, int]) -> None:
    seen = np.zeros(SIZE, int)
    places = layout(people, size)
    assert len(places) == people
    for x, y, w, h in places:
        assert x >= 0
        assert y >= 0
        assert x + w <= SIZE[1]
        assert y + h <= SIZE[0]
        assert w <= size[1]
        assert h <= size[0]
        assert w / h == pytest.approx(size[1] / size[0], rel=0.05)
        seen[y : y + h, x : x + w] += 1
    assert seen.max() == 1


def test_windows_are_no_smaller_than_they_must_be() -> None:
    """Two upright ones side by side need no scaling but the gap; five small ones none at all."""
    assert [(w, h) for *_, w, h in layout(2, (720, 400))] == [(380, 684)] * 2
    assert {(w, h) for *_, w, h in layout(5, (100, 50))} == {(50, 100)}


def test_a_clip_goes_on_forwards_and_backwards() -> None:
    assert [back_and_forth(i, 4) for i in range(9)] == [0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert [back_and_forth(i, 1) for i in range(3)] == [0, 0, 0]


def test_each_copy_shows_its_own_moment() -> None:
    windows = [np.full((100, 50, 3), 10 * i, np.uint8) for i in range(20)]
    scene = compose(windows, 3, 2)
    shades = [int(scene[y + h // 2, x + w // 2, 0]) for x, y, w, h in layout(3, (100, 50))]
    assert shades == [20, 10 * (2 + PHASE), 10 * (2 + 2 * PHASE)]
    assert scene.shape == (*SIZE, 3)
    assert scene[0, 0].tolist() == [GREY] * 3


def test_scenes_are_cut_from_a_video_and_written_as_one(tmp_path: Path) -> None:
    windows = [np.full((200, 100, 3), shade, np.uint8) for shade in (40, 200)]
    write_scene(tmp_path / "scene.mp4", windows, 2, frames=3, rate=10.0)
    with VideoReader(tmp_path / "scene.mp4") as video:
        frames = list(video)
    assert [round(frame.time, 3) for frame in frames] == [0.0, 0.1, 0.2]
    (x, y, w, h), _ = layout(2, (200, 100))
    pictures = cut(tmp_path / "scene.mp4", Window(x, y, w, h, 1, 2))
    assert [picture.shape for picture in pictures] == [(200, 100, 3)] * 2
    middles = [int(picture[100, 50, 0]) for picture in pictures]
    assert middles == pytest.approx([200, 40], abs=8)
