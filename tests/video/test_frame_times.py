from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidpose.video.times import MAX_WAITING, strictly_increasing

INTERVAL = 0.04
stamps = st.lists(
    st.none() | st.integers(-50, 200).map(lambda number: number / 30), min_size=0, max_size=60
)


def fill(given_stamps: list[float | None]) -> list[float]:
    timed = list(strictly_increasing(zip(given_stamps, range(1000), strict=False), INTERVAL))
    assert [item for _, item in timed] == list(range(len(given_stamps)))
    return [time for time, _ in timed]


@given(stamps)
def test_every_item_has_a_later_time_than_the_one_before(given_stamps: list[float | None]) -> None:
    times = fill(given_stamps)
    assert all(b > a for a, b in pairwise(times))


@given(st.lists(st.integers(-1000, 10_000), unique=True, max_size=50).map(sorted))
def test_increasing_stamps_are_kept_exactly(ticks: list[int]) -> None:
    given_stamps: list[float | None] = [tick / 90000 for tick in ticks]
    assert fill(given_stamps) == given_stamps


def test_missing_stamps_are_interpolated() -> None:
    assert fill([1.0, None, None, 1.6]) == pytest.approx([1.0, 1.2, 1.4, 1.6])


def test_a_duplicate_and_a_step_back_are_interpolated() -> None:
    assert fill([1.0, 1.0, 1.2]) == pytest.approx([1.0, 1.1, 1.2])
    assert fill([1.0, 0.5, 1.0, 1.3]) == pytest.approx([1.0, 1.1, 1.2, 1.3])


def test_missing_stamps_at_either_end_follow_the_interval() -> None:
    assert fill([None, None, 1.0]) == pytest.approx([0.92, 0.96, 1.0])
    assert fill([1.0, None, None]) == pytest.approx([1.0, 1.04, 1.08])


def test_without_any_stamp_times_start_at_zero() -> None:
    count = 3 * MAX_WAITING + 1
    assert fill([None] * count) == pytest.approx([i * INTERVAL for i in range(count)])


def test_a_clock_that_starts_anew_is_continued() -> None:
    first = [10 + i * 0.1 for i in range(5)]
    second = [i * 0.1 for i in range(30)]
    times = fill([*first, *second])
    assert times[:5] == first
    steps = [b - a for a, b in pairwise(times)]
    assert steps[4 + MAX_WAITING :] == pytest.approx([0.1] * len(steps[4 + MAX_WAITING :]))
    assert steps[4 : 4 + MAX_WAITING] == pytest.approx([INTERVAL] * MAX_WAITING)


def test_few_items_wait() -> None:
    def stream() -> object:
        for number in range(1000):
            nonlocal taken
            taken = number
            yield None, number

    taken = 0
    for number, _ in enumerate(strictly_increasing(stream(), INTERVAL)):  # type: ignore[arg-type]
        assert taken - number <= MAX_WAITING
