"""People on whom two detectors agree."""

from __future__ import annotations

import numpy as np
import pytest

from vidpose.data.pseudo_labels.agreement import merge_detections


def _found(*rows: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    table = np.array(rows, np.float64).reshape(-1, 5)
    return table[:, :4], table[:, 4]


@pytest.mark.parametrize(
    ("first", "second", "people", "ignored"),
    [
        (((10, 10, 20, 50, 0.4),), ((11, 10, 20, 50, 0.35),), 1, 0),  # both
        (((10, 10, 20, 50, 0.7),), (), 1, 0),  # one, surely
        (((10, 10, 20, 50, 0.4),), (), 0, 1),  # one, uncertainly
        (((10, 10, 20, 50, 0.15),), ((11, 10, 20, 50, 0.13),), 0, 1),  # both, faintly
        (((10, 10, 20, 50, 0.15),), (), 0, 0),  # noise
        (((10, 10, 20, 50, 0.4),), ((60, 10, 20, 50, 0.4),), 0, 2),  # they disagree
        (((10, 10, 20, 50, 0.9), (12, 12, 10, 20, 0.4)), (), 1, 0),  # a part of a person
        (((10, 10, 0, 50, 0.9),), (), 0, 0),  # no box at all
        ((), (), 0, 0),
    ],
)
def test_two_teachers_make_a_person_one_makes_an_uncertain_box(
    first: tuple[tuple[float, ...], ...],
    second: tuple[tuple[float, ...], ...],
    people: int,
    ignored: int,
) -> None:
    boxes, ignore = merge_detections([_found(*first), _found(*second)])
    assert (len(boxes), len(ignore)) == (people, ignored)


def test_a_labelled_person_is_kept_whatever_the_teachers_say() -> None:
    person = np.array([15, 15, 50, 90], np.float32)
    boxes, _ = merge_detections([_found(), _found()], person)
    np.testing.assert_allclose(boxes, person[None])
    part = _found((25, 25, 20, 30, 0.9))
    boxes, _ = merge_detections([part, part], person)
    np.testing.assert_allclose(boxes, person[None])
    unsure, _ = merge_detections([_found((17, 15, 45, 90, 0.3)), _found()], person)
    np.testing.assert_allclose(unsure, [[17, 15, 45, 90]])
