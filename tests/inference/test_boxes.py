"""Overlap, suppression and one-to-one matching of boxes."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vidpose.inference.boxes import (
    contained,
    grow,
    inside,
    iou,
    match,
    smaller_covered,
    suppress,
)

BOX = st.tuples(*[st.floats(-50, 50)] * 2, *[st.floats(1, 40)] * 2)


@pytest.mark.parametrize(
    ("other", "expected", "covered"),
    [
        ((0, 0, 10, 10), 1.0, 1.0),
        ((5, 0, 10, 10), 50 / 150, 0.5),
        ((0, 5, 10, 5), 0.5, 1.0),
        ((-5, -5, 30, 10), 50 / 350, 0.5),
        ((10, 0, 10, 10), 0.0, 0.0),
        ((40, 40, 1, 1), 0.0, 0.0),
    ],
)
def test_overlap_of_two_boxes(other: tuple[float, ...], expected: float, covered: float) -> None:
    boxes = np.array([(0, 0, 10, 10)], float), np.array([other], float)
    assert iou(*boxes) == pytest.approx(np.array([[expected]]))
    assert smaller_covered(*boxes) == pytest.approx(np.array([[covered]]))
    assert smaller_covered(*boxes[::-1]) == pytest.approx(np.array([[covered]]))


def test_empty_boxes_overlap_nothing() -> None:
    boxes = np.array([(5, 5, 0, 0), (0, 0, 10, 10)], float)
    for overlap in (iou, smaller_covered):
        assert overlap(boxes, boxes).tolist() == [[0.0, 0.0], [0.0, 1.0]]


@given(st.lists(BOX, max_size=5), st.lists(BOX, max_size=5))
def test_overlap_is_symmetric_and_in_range(a: list[object], b: list[object]) -> None:
    first, second = np.array(a, float).reshape(-1, 4), np.array(b, float).reshape(-1, 4)
    overlap = iou(first, second)
    assert overlap.shape == (len(a), len(b))
    assert ((overlap >= 0) & (overlap <= 1 + 1e-9)).all()
    assert np.allclose(overlap, iou(second, first).T)


def test_growing_keeps_the_middle() -> None:
    grown = grow(np.array([[10.0, 20.0, 4.0, 8.0]]), np.array([0.25]))
    assert grown.tolist() == [[9.0, 18.0, 6.0, 12.0]]


def test_suppression_keeps_the_best_of_each_heap() -> None:
    boxes = np.array([(0, 0, 10, 10), (1, 0, 10, 10), (50, 0, 10, 10), (2, 0, 10, 10)], float)
    scores = np.array([0.6, 0.9, 0.5, 0.7])
    assert suppress(boxes, scores, 0.5).tolist() == [1, 2]


def test_a_suppressed_box_suppresses_nothing() -> None:
    """The third box overlaps only the second, which the first has removed."""
    boxes = np.array([(0, 0, 10, 10), (4, 0, 10, 10), (8, 0, 10, 10)], float)
    assert suppress(boxes, np.array([0.9, 0.8, 0.7]), 0.4).tolist() == [0, 2]


@given(st.lists(st.tuples(BOX, st.floats(0, 1)), max_size=12), st.floats(0.1, 0.9))
def test_suppression_leaves_no_overlap_and_nothing_else_out(
    items: list[tuple[object, float]], threshold: float
) -> None:
    boxes = np.array([box for box, _ in items], float).reshape(-1, 4)
    scores = np.array([score for _, score in items], float)
    kept = suppress(boxes, scores, threshold)
    overlap = iou(boxes, boxes)
    assert all(overlap[a, b] <= threshold for a in kept for b in kept if a != b)
    for index in set(range(len(items))) - set(kept.tolist()):
        better = [k for k in kept if scores[k] >= scores[index]]
        assert any(overlap[index, k] > threshold for k in better)


@given(arrays(float, (3, 3), elements=st.integers(0, 10).map(lambda n: n / 10)))
def test_matching_has_the_greatest_total(similarity: np.ndarray) -> None:
    pairs = match(similarity, 0.35)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert all(similarity[pair] > 0.35 for pair in pairs)
    useful = np.where(similarity > 0.35, similarity, 0)
    best = max(sum(useful[row, order[row]] for row in range(3)) for order in permutations(range(3)))
    assert sum(similarity[pair] for pair in pairs) == pytest.approx(best)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_matching_no_boxes(shape: tuple[int, int]) -> None:
    assert match(np.zeros(shape), 0.1) == []


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((2, 3, 4, 5), (2, 3, 4, 5)),
        ((-2, -3, 4, 5), (0, 0, 2, 2)),
        ((28, 15, 10, 10), (28, 15, 2, 5)),
        ((-5, -5, 99, 99), (0, 0, 30, 20)),
        ((40, 5, 10, 10), (30, 5, 0, 10)),
        ((-40, 50, 10, 10), (0, 20, 0, 0)),
    ],
)
def test_the_part_of_a_box_inside_an_image(
    box: tuple[float, ...], expected: tuple[float, ...]
) -> None:
    assert inside(box, (20, 30)) == expected


@pytest.mark.parametrize(
    ("other", "part"),
    [
        ((0, 0, 10, 20), 1.0),
        ((2, 0, 10, 20), 0.8),
        ((-3, 0, 10, 20), 0.7),
        ((0, 5, 10, 20), 0.75),
        ((0, -4, 10, 20), 0.8),
        ((2, 5, 4, 5), 0.1),
        ((20, 0, 5, 5), 0.0),
    ],
)
def test_the_part_of_a_box_that_lies_in_another(other: tuple[float, ...], part: float) -> None:
    shift = np.array([3.0, 7.0, 0, 0])
    box, around = np.array([0.0, 0, 10, 20]) + shift, np.array([other], float) + shift
    assert contained(tuple(box), around) == pytest.approx([part])
