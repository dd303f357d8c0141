"""Where to look and whom to keep."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from vidpose.errors import InputError
from vidpose.pipeline.options import differing, expected_frames, with_defaults
from vidpose.pipeline.selection import Chooser, Viewport, region_of, seconds_of
from vidpose.results import FrameResult, Person, SourceInfo

# One bright pixel is the person: its box, and its centre as the keypoint.


def find(image: NDArray[np.uint8]) -> FrameResult:
    ((y, x),) = np.argwhere(image[:, :, 0] == image.max())
    return FrameResult(0, 0.0, (Person(1, 0.9, (x, y, 1, 1), [[x, y, 1.0], [np.nan, np.nan, 0]]),))


def picture(x: int, y: int, block: int = 1) -> NDArray[np.uint8]:
    image = np.zeros((60, 80, 3), np.uint8)
    image[y : y + block, x : x + block] = 200
    return image


def test_coordinates_in_a_region_are_those_of_the_picture() -> None:
    (person,) = Viewport((10, 20, 30, 40)).apply(picture(25, 33), find).people
    assert person.box == (25, 33, 1, 1)
    assert person.keypoints[0].tolist() == [25, 33, 1]
    assert np.isnan(person.keypoints[1, :2]).all()


def test_coordinates_in_a_smaller_picture_are_those_of_the_large_one() -> None:
    """A block of 4 x 4 pixels becomes one pixel; its middle is the centre of that."""
    (person,) = Viewport(None, 20).apply(picture(24, 32, block=4), find).people
    assert person.box == (24, 32, 4, 4)
    assert person.keypoints[0].tolist() == [25.5, 33.5, 1]


def test_region_and_size_together() -> None:
    (person,) = Viewport((8, 12, 40, 40), 20).apply(picture(24, 32, block=2), find).people
    assert person.box == (24, 32, 2, 2)
    assert person.keypoints[0].tolist() == [24.5, 32.5, 1]


def test_drawing_is_smaller_and_fits() -> None:
    result = FrameResult(3, 1.0, (Person(1, 0.9, (24, 32, 4, 4), [[25.5, 33.5, 1.0]]),))
    view = Viewport(None, 20)
    image, small = view.shrink(picture(24, 32, block=4), result)
    assert image.shape == (15, 20, 3)
    assert view.drawn_size(80, 60) == (20, 15)
    assert small.people[0].box == (6, 8, 1, 1)
    assert small.people[0].keypoints[0].tolist() == [6, 8, 1]
    same, untouched = Viewport(None, 80).shrink(picture(1, 1), result)
    assert same.shape == (60, 80, 3)
    assert untouched is result


def test_a_region_beyond_the_picture_is_named() -> None:
    with pytest.raises(InputError, match=r"a\.mp4: region 60,0,30,10 reaches beyond its 80x60"):
        Viewport((60, 0, 30, 10), None, "a.mp4").apply(picture(0, 0), find)


def a_person(id: int, x: float, size: float, score: float = 0.9) -> Person:
    return Person(id, score, (x, 0, size, size), [[x, 0, 1.0]])


def kept(chooser: Chooser, *frames: list[Person], step: float = 1.0) -> list[list[int]]:
    results = (FrameResult(n, 100 + n * step, tuple(people)) for n, people in enumerate(frames))
    return [[p.id for p in chooser.keep(r, r.time - 100).people] for r in results]


def test_whom_to_keep() -> None:
    one, two, large = a_person(1, 0, 10), a_person(2, 20, 20), a_person(3, 25, 30)
    frames = [], [one, two], [two, large], [one]
    assert kept(Chooser(None, 0.0), *frames) == [[], [1, 2], [2, 3], [1]]
    assert kept(Chooser("largest", 0.0), *frames) == [[], [2], [3], [1]]
    assert kept(Chooser("first", 0.0), *frames) == [[], [1], [], [1]]
    assert kept(Chooser(2, 0.0), *frames) == [[], [2], [2], []]
    assert kept(Chooser("30,5@0:01", 0.0), *frames) == [[], [2], [2], []]
    # 2's box ends at 40, 3's at 55: the point lies in both, and nearer the middle of 2's.
    assert kept(Chooser("31,12@2", 0.0), *frames) == [[], [], [2], []]
    assert kept(Chooser("50,5@2", 0.0), *frames) == [[], [], [3], []]


def test_low_scores_are_left_out() -> None:
    frames = [a_person(1, 0, 10, 0.5), a_person(2, 20, 20, 0.51)], [a_person(1, 0, 10, 0.6)]
    assert kept(Chooser(None, 0.51), *frames) == [[2], [1]]
    assert kept(Chooser("first", 0.51), *frames) == [[2], []]


def test_a_person_who_never_comes_is_said() -> None:
    chooser = Chooser("7", 0.0)
    kept(chooser, [a_person(1, 0, 10)])
    (warning,) = chooser.warnings
    assert "'7'" in warning
    kept(chooser, [a_person(7, 0, 10)])
    assert chooser.warnings == []
    assert Chooser(None, 0.0).warnings == []


def test_who_is_in_no_frame_for_a_low_score_is_said() -> None:
    chooser = Chooser("first", 0.51)
    kept(chooser, [a_person(1, 0, 10, 0.5), a_person(2, 20, 20, 0.6), a_person(3, 50, 9, 0.2)])
    kept(chooser, [a_person(1, 0, 10, 0.7)])
    said = "left out: 1 person whose score never reached 0.51 (--min-score)"
    assert chooser.warnings == [said]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("1:30.25", 90.25), ("01:00:01.500", 3601.5), (0.5, 0.5), (3, 3)],
)
def test_times(text: str | float, seconds: float) -> None:
    assert seconds_of(text, "start") == seconds


@pytest.mark.parametrize("text", ["", "1:2:3:4", "-1", "1m", "nan", -1.0, float("inf")])
def test_what_is_no_time(text: str | float) -> None:
    with pytest.raises(InputError, match="start"):
        seconds_of(text, "start")


@pytest.mark.parametrize("text", ["1,2,3", "1,2,3,4,5", "a,0,1,1", "0,0,0,1", "-1,0,1,1", ""])
def test_what_is_no_region(text: str) -> None:
    with pytest.raises(InputError, match="region"):
        region_of(text)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"start": 2, "end": 2}, "must be after start"),
        ({"every": 0}, "every must be at least 1"),
        ({"max_side": 3}, "max_side"),
        ({"min_score": 1.5}, "min_score"),
        ({"person": "tall"}, "say largest, first"),
        ({"person": "1,2@x"}, "person 'x'"),
        ({"start": None}, "start 'None'"),
        ({"end": [1]}, "give seconds"),
        ({"every": 1.5}, "every is a whole number, got 1.5"),
        ({"every": True}, "every is a whole number"),
        ({"max_people": 1.5}, "max_people is a whole number"),
        ({"max_side": "300"}, "max_side is a whole number, got '300'"),
        ({"min_score": "x"}, "min_score is a number, got 'x'"),
        ({"min_duration": None}, "min_duration is a number"),
        ({"smooth": "no"}, "smooth is True or False, got 'no'"),
        ({"region": 5}, "region '5'"),
        ({"region": (0.5, 0, 10, 10)}, "whole pixels"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        with_defaults(options)  # type: ignore[arg-type]


def test_numbers_of_numpy_are_taken_and_written_as_ours() -> None:
    options = {"every": np.int64(2), "min_score": np.float32(0.5), "smooth": np.bool_(False),
               "start": np.float32(0.5), "region": np.array([0, 0, 8, 8])}  # fmt: skip
    full = with_defaults(options)  # type: ignore[arg-type]
    assert differing(full) == {
        "every": 2, "min_score": 0.5, "smooth": False, "start": 0.5, "region": [0, 0, 8, 8]
    }  # fmt: skip


def test_how_many_frames_there_will_be() -> None:
    info = SourceInfo("a.mp4", 80, 60, 25.0, 252, 10.0, False)
    assert expected_frames(info, {}) == 252
    assert expected_frames(info, {"start": 2, "end": "4", "every": 4}) == 13
    assert expected_frames(info, {"start": 8}) == 50
    unknown = SourceInfo("a.ts", 80, 60, None, None, None, False)
    assert expected_frames(unknown, {"start": 8}) is None
