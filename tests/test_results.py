"""Values of results: equality, precision, and what they refuse."""

from __future__ import annotations

import dataclasses
import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidpose.errors import InputError, VidposeError
from vidpose.results import FrameResult, Person, Provenance, ResultHeader, SourceInfo, single
from vidpose.skeleton import PENN_13

SOURCE = SourceInfo("a.mp4", 640, 480, 29.97, None, 3.5, True)


def person(**change: Any) -> Person:
    values = {"id": 1, "score": 0.97, "box": (1, 2, 3.3, 4), "keypoints": np.ones((13, 3))}
    return Person(**{**values, **change})


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_single_keeps_float32_and_repeats(value: float) -> None:
    assert np.float32(single(value)) == np.float32(value)
    assert single(single(value)) == single(value)
    assert repr(single(value)) == repr(float(str(np.float32(value))))


@given(st.floats(-1e30, 1e30))
def test_single_of_any_float_repeats(value: float) -> None:
    assert single(single(value)) == single(value)


def test_numbers_look_as_given() -> None:
    assert person(score=np.float32(0.97)).score == 0.97
    assert person().box == (1.0, 2.0, 3.3, 4.0)


def test_keypoints_are_a_read_only_copy() -> None:
    points = np.ones((13, 3))
    one = person(keypoints=points)
    points[0] = 5
    assert one.keypoints.dtype == np.float32
    assert (one.keypoints == 1).all()
    with pytest.raises(ValueError, match="read-only"):
        one.keypoints[0, 0] = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.id = 2  # type: ignore[misc]


def test_equality() -> None:
    missing = np.ones((13, 3))
    missing[4] = np.nan, np.nan, 0
    assert person() == person()
    assert person(keypoints=missing) == person(keypoints=missing)
    moved = np.ones((13, 3))
    moved[12, 1] = np.nextafter(np.float32(1), np.float32(2))
    for change in (
        {"id": 2}, {"score": 0.98}, {"box": (1, 2, 3.3, 5)}, {"keypoints": missing},
        {"keypoints": moved}, {"keypoints": np.ones((14, 3))},
    ):  # fmt: skip
        assert person() != person(**change)
    assert person() != "person"


def test_timings_are_no_part_of_equality() -> None:
    assert FrameResult(1, 0.5, (), {"decode": 2.0}) == FrameResult(1, 0.5)
    assert FrameResult(1, 0.5) != FrameResult(1, 0.5, (person(),))


def test_values_travel_between_processes() -> None:
    frame = FrameResult(1, 0.5, (person(),), {"decode": 2.0})
    copy = pickle.loads(pickle.dumps(frame))
    assert copy == frame
    assert copy.timings == {"decode": 2.0}


def test_frames_hold_plain_numbers() -> None:
    frame = FrameResult(np.int64(3), np.float64(0.5), [person()])  # type: ignore[arg-type]
    assert (type(frame.index), type(frame.time), type(frame.people)) == (int, float, tuple)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keypoints": np.ones((13, 2))}, r"must be \(K, 3\), got \(13, 2\)"),
        ({"keypoints": np.ones(39)}, r"must be \(K, 3\)"),
        ({"keypoints": [[1, 2], [3]]}, "malformed"),
        ({"keypoints": np.full((13, 3), np.inf)}, "must be finite"),
        ({"keypoints": np.full((13, 3), np.nan)}, r"\(NaN, NaN, 0\)"),
        ({"keypoints": [[np.nan, 1, 0]]}, r"\(NaN, NaN, 0\)"),
        ({"keypoints": [[np.nan, np.nan, 0.5]]}, r"\(NaN, NaN, 0\)"),
        ({"box": (1, 2, 3)}, "malformed"),
        ({"box": (1, 2, 3, math.nan)}, "box must be finite"),
        ({"score": math.inf}, "score and box must be finite"),
        ({"score": "high"}, "malformed"),
        ({"score": None}, "malformed"),
        ({"score": "0.5"}, "malformed"),
        ({"score": True}, "malformed"),
        ({"score": 5}, "its score is 5.0; scores lie in 0 to 1"),
        ({"score": -0.1}, "its score is -0.1"),
        ({"box": (1, 2, "3", 4)}, "malformed"),
        ({"box": (1, 2, 1e30, 4)}, "its box lies 1e[+]30 pixels away"),
        ({"keypoints": [["1", 2, 0.5]]}, "malformed"),
        ({"keypoints": [[1, 2, True], [None, None, 0]]}, "malformed"),
        ({"keypoints": [[1, 2, 97]]}, "a confidence is 97.0"),
        ({"keypoints": [[1, 2, -1]]}, "a confidence is -1.0"),
        ({"keypoints": [[1, -1.1e6, 0.5]]}, r"a keypoint lies 1.1e[+]06 pixels away"),
        ({"keypoints": [[1, 1e300, 0.5]]}, "must be finite"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_bad_people_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        person(**change)
    assert str(caught.value).startswith("person 1: ")


@pytest.mark.parametrize("id", [-1, True, 1.5, "2", None, math.nan])
def test_ids_that_are_none_are_refused(id: object) -> None:
    with pytest.raises(InputError, match="a person's id must be"):
        person(id=id)


def test_the_farthest_place_is_still_one() -> None:
    assert person(keypoints=[[-1e6, 1e6, 1]], box=(-1e6, 0, 1e6, 1), id=0, score=0).id == 0


@pytest.mark.parametrize(("index", "time"), [(-1, 0.0), (0, math.nan), (0, math.inf)])
def test_bad_frames_are_refused(index: int, time: float) -> None:
    with pytest.raises(InputError, match=r"at least 0, got -1|must be a finite number"):
        FrameResult(index, time)


@pytest.mark.parametrize("size", [(0, 480), ("640", 480), (640.5, 480), (True, 480)])
def test_sizes_that_are_none_are_refused(size: tuple[Any, Any]) -> None:
    with pytest.raises(InputError, match="width"):
        SourceInfo("a.mp4", *size, None, None, None, False)
    with pytest.raises(InputError, match="frame 3: a side of its picture must be"):
        FrameResult(3, 0.5, size=size)


@pytest.mark.parametrize("name", ["average_rate", "frames", "duration"])
@pytest.mark.parametrize("value", ["25", math.nan, math.inf, True])
def test_facts_that_are_no_numbers_are_refused(name: str, value: object) -> None:
    with pytest.raises(InputError, match=f"the video's {name} must be a finite number"):
        dataclasses.replace(SOURCE, **{name: value})


def test_header_round_trip() -> None:
    header = ResultHeader("0.1", "dkd", PENN_13, SOURCE)
    assert ResultHeader.from_dict(header.to_dict()) == header


def test_header_of_a_later_version_is_read() -> None:
    value = ResultHeader("0.1", "dkd", PENN_13, SOURCE).to_dict()
    value["source"]["colour"] = "bt709"
    assert ResultHeader.from_dict(value | {"more": 1}).source == SOURCE


@pytest.mark.parametrize("part", ["vidpose", "model", "skeleton", "source"])
def test_incomplete_header_is_refused(part: str) -> None:
    value = ResultHeader("0.1", "dkd", PENN_13, SOURCE).to_dict()
    del value[part]
    with pytest.raises(VidposeError, match=f"'{part}' is missing"):
        ResultHeader.from_dict(value)


def test_malformed_source_is_refused() -> None:
    value = ResultHeader("0.1", "dkd", PENN_13, SOURCE).to_dict()
    with pytest.raises(VidposeError, match="malformed source"):
        ResultHeader.from_dict(value | {"source": None})


def test_a_header_whose_options_are_none_is_refused() -> None:
    made_from = Provenance("a.mp4", None, "m", "", "", {"every": 2})
    value = ResultHeader("1", "m", PENN_13, SOURCE, made_from).to_dict()
    assert ResultHeader.from_dict(value).provenance == made_from
    value["provenance"]["options"] = [1]
    with pytest.raises(VidposeError, match=r"malformed provenance \(its options are \[1\]\)"):
        ResultHeader.from_dict(value)
