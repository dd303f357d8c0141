"""Networks that find everybody: decoding by hand, the way to and from the picture, the stream."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from vidpose.bundle import NetworkInput, OneStageSettings
from vidpose.inference.backends.base import Port
from vidpose.inference.one_stage import OneStageSession, decode_people, find_everybody, place

FORM = NetworkInput("float32", "nchw", "rgb")
ONE = [40.0, 30.0, 0.9, 50.0, 60.0, 0.2]  # two keypoints


def settings(form: str, size: tuple[int, int] = (64, 96), **more: object) -> OneStageSettings:
    outputs = ("out", "keypoints") if form == "rtmo" else ("out",)
    return OneStageSettings(size, FORM, form, outputs, **more)  # type: ignore[arg-type]


def test_yolo_gives_middles_and_sizes_by_column() -> None:
    table = np.zeros((1, 5 + 6, 3), np.float32)
    table[0, :, 1] = [50, 40, 20, 10, 0.7, *ONE]
    rows = decode_people([table], settings("yolo"))
    assert rows.shape == (3, 11)
    np.testing.assert_allclose(rows[1], [40, 35, 60, 45, 0.7, *ONE])


def test_yolo_of_several_classes_takes_the_first_ones_score() -> None:
    table = np.zeros((1, 4 + 3 + 6, 1), np.float32)
    table[0, :, 0] = [50, 40, 20, 10, 0.7, 0.9, 0.8, *ONE]
    rows = decode_people([table], settings("yolo", classes=3))
    np.testing.assert_allclose(rows[0], [40, 35, 60, 45, 0.7, *ONE])


def test_yolo_after_suppression_gives_corners_and_a_class() -> None:
    table = np.array([[[40, 35, 60, 45, 0.7, 0, *ONE], [1, 2, 3, 4, 0.9, 1, *ONE]]], np.float32)
    rows = decode_people([table], settings("yolo-nms"))
    np.testing.assert_allclose(rows, [[40, 35, 60, 45, 0.7, *ONE]])  # the second is no person


def test_yolo_of_two_numbers_gives_the_persons_score_as_confidence() -> None:
    row = [40.0, 35.0, 60.0, 45.0, 0.7, 0.0, 40.0, 30.0, 50.0, 60.0]
    rows = decode_people([np.array([[row]], np.float32)], settings("yolo-nms", numbers=2))
    np.testing.assert_allclose(rows, [[40, 35, 60, 45, 0.7, 40, 30, 0.7, 50, 60, 0.7]])
    table = np.array([[[50.0], [40.0], [20.0], [10.0], [0.7], *([v] for v in row[6:])]], np.float32)
    np.testing.assert_allclose(decode_people([table], settings("yolo", numbers=2)), rows)


def test_rtmo_gives_two_tables() -> None:
    boxes = np.array([[[40, 35, 60, 45, 0.7]]], np.float32)
    keypoints = np.array([[[ONE[:3], [50, 60, 1.7]]]], np.float32)
    rows = decode_people([boxes, keypoints], settings("rtmo"))
    np.testing.assert_allclose(rows, [[40, 35, 60, 45, 0.7, *ONE[:3], 50, 60, 1.0]])


def test_multipose_gives_parts_of_the_sides_y_first() -> None:
    row = [0.5, 0.25, 0.9, 0.0, 1.0, 0.3, 0.25, 0.125, 0.75, 0.5, 0.6]
    rows = decode_people([np.array([[row]], np.float32)], settings("multipose"))
    np.testing.assert_allclose(
        rows, [[12, 16, 48, 48, 0.6, 23.5, 31.5, 0.9, 95.5, -0.5, 0.3]], rtol=1e-6
    )


@pytest.mark.parametrize(
    ("form", "offset", "beside"),
    [("yolo", (0, 8), 114), ("rtmo", (0, 0), 114), ("multipose", (0, 0), 0)],
)
def test_the_picture_lies_where_the_network_was_trained_to_see_it(
    form: str, offset: tuple[int, int], beside: int
) -> None:
    image = np.full((96, 192, 3), 200, np.uint8)  # half as large it leaves 16 rows
    padded, scale, found = place(image, settings(form))
    assert padded.shape == (64, 96, 3)
    np.testing.assert_allclose(scale, 0.5)
    assert tuple(found) == offset
    top = offset[1]
    assert (padded[top : top + 48] == 200).all()
    assert (padded[:top] == beside).all()
    assert (padded[top + 48 :] == beside).all()


class Fixed:
    """A session that gives one table whatever it sees."""

    inputs = (Port("image", "float32", (1, 3, 64, 96)),)
    outputs = (Port("out", "float32", (1, None, None)),)

    def __init__(self, table: np.ndarray) -> None:
        self.table = table.astype(np.float32)

    def run(self, outputs: object, feed: object) -> list[np.ndarray]:
        return [self.table]


def test_people_come_back_to_the_picture_and_doubles_go() -> None:
    """Factor 1/2, 8 rows of grey above: x = 2 u, y = 2 (v - 8)."""
    table = np.zeros((1, 11, 6))
    table[0, :, 0] = [50, 40, 20, 10, 0.7, *ONE]
    table[0, :, 1] = [51, 40, 20, 10, 0.6, *ONE]  # the same again
    table[0, :, 2] = [20, 40, 20, 10, 0.2, *ONE]  # not sure
    table[0, :, 3] = [10, 20, 30, 10, 0.9, *ONE]  # partly outside
    table[0, :, 4] = [10, 20, np.nan, 10, 0.9, *ONE]
    table[0, :, 5] = [10, 20, 30, 10, 0.95, 1e30, *ONE[1:]]
    options = settings("yolo")
    session = OneStageSession(Fixed(table), options, 2)
    found = find_everybody(session, np.zeros((96, 192, 3), np.uint8), options)
    np.testing.assert_allclose(found.scores, [0.9, 0.7], rtol=1e-6)
    np.testing.assert_allclose(found.boxes, [[0, 14, 50, 20], [80, 54, 40, 20]], rtol=1e-6)
    np.testing.assert_allclose(found.keypoints[1], [[80, 44, 0.9], [100, 104, 0.2]], rtol=1e-6)


def test_a_picture_without_people() -> None:
    options = settings("yolo")
    session = OneStageSession(Fixed(np.zeros((1, 11, 4))), options, 2)
    found = find_everybody(session, np.zeros((96, 192, 3), np.uint8), options)
    assert found.boxes.shape == (0, 4)
    assert found.keypoints.shape == (0, 2, 3)


def test_the_session_says_its_ports() -> None:
    session = OneStageSession(cast("Any", None), settings("yolo"), joints=4)
    assert session.inputs == (Port("image", "uint8", (None, 64, 96, 3)),)
    assert session.outputs == (Port("people", "float32", (None, 17)),)


def test_confidences_are_cut_to_0_and_1() -> None:
    boxes = np.array([[[40, 35, 60, 45, 0.7], [0, 0, 9, 9, 0.5]]], np.float32)
    keypoints = np.array([[[[1, 2, -0.5], [3, 4, 0.5]], [[5, 6, 0.25], [7, 8, 1.7]]]], np.float32)
    rows = decode_people([boxes, keypoints], settings("rtmo"))
    assert rows[:, 7::3].tolist() == [[0.0, 0.5], [0.25, 1.0]]
    assert rows[:, 5].tolist() == [1.0, 5.0]


@pytest.mark.parametrize(
    ("shape", "scale", "offset"),
    [
        ((128, 64), (0.5, 0.5), (32, 0)),  # upright: half as large it leaves 64 columns
        ((32, 48), (2.0, 2.0), (0, 0)),  # small ones are made larger
        ((4, 960), (0.1, 0.25), (0, 31)),  # at least one row
    ],
)
def test_the_whole_picture_fits_whatever_its_shape(
    shape: tuple[int, int], scale: tuple[float, float], offset: tuple[int, int]
) -> None:
    image = np.full((*shape, 3), 200, np.uint8)
    padded, found_scale, found_offset = place(image, settings("yolo"))
    np.testing.assert_allclose(found_scale, scale)
    assert tuple(found_offset) == offset
    height, width = round(shape[0] * scale[1]), round(shape[1] * scale[0])
    covered = (padded == 200).all(axis=2)
    rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
    assert (rows[0], rows[-1]) == (offset[1], offset[1] + height - 1)
    assert (columns[0], columns[-1]) == (offset[0], offset[0] + width - 1)
    assert covered.sum() == height * width
