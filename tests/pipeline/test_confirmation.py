"""Who is new is passed on only once a second of theirs has convinced."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from movements import pose
from vidpose.pipeline.confirmation import LONGEST_WAIT, Confirmation
from vidpose.results import FrameResult, Person
from vidpose.video import Frame

Score = Callable[[int], float | None]
RATE = 20


def passed_on(
    people: Mapping[int, Score],
    count: int = 80,
    shape: tuple[int, int, int] = (4, 4, 3),
    score: float = 0.6,
    duration: float = 0.0,
) -> tuple[dict[int, list[int]], list[int]]:
    """The frames in which every id is passed on, and the frame at which each frame came out."""
    hold, image = Confirmation(score, duration), np.zeros(shape, np.uint8)
    seen: dict[int, list[int]] = {id: [] for id in people}
    came: list[int] = []

    def take(pairs: list[tuple[Frame, FrameResult]], now: int) -> None:
        for frame, result in pairs:
            assert frame.index == result.index == len(came)
            came.append(now)
            for person in result.people:
                seen[person.id].append(result.index)

    for index in range(count):
        found = tuple(
            Person(id, value, (80, 5, 45, 210), pose())
            for id, at in people.items()
            if (value := at(index)) is not None
        )
        result = FrameResult(index, index / RATE, found)
        take(list(hold.push(Frame(index, index / RATE, image), result)), index)
    take(list(hold.finish()), count)
    return seen, came


def test_who_convinces_is_there_from_the_first_frame() -> None:
    seen, came = passed_on({1: lambda index: 0.9 if index >= 10 else None})
    assert seen[1] == list(range(10, 80))
    assert max(now - index for index, now in enumerate(came)) <= LONGEST_WAIT * RATE + 1


def test_who_never_convinces_is_never_there_and_disturbs_no_other() -> None:
    seen, _ = passed_on({1: lambda _: 0.9, 2: lambda index: 0.45 + 0.2 * (index % 3 == 0)})
    assert (seen[1], seen[2]) == (list(range(80)), [])


def test_who_enters_hidden_is_there_from_the_first_frame_too() -> None:
    seen, _ = passed_on({1: lambda index: None if index < 5 else 0.45 if index < 14 else 0.85})
    assert seen[1] == list(range(5, 80))


def test_who_convinces_late_is_there_from_a_while_before() -> None:
    seen, _ = passed_on({1: lambda index: 0.4 if index < 50 else 0.9})
    assert seen[1][-1] == 79
    # Half of the last second is high at frame 60, and frames wait for a second and a half.
    assert seen[1][0] == pytest.approx(60 - LONGEST_WAIT * RATE, abs=2)


def test_once_confirmed_low_scores_and_absence_do_no_harm() -> None:
    seen, _ = passed_on({1: lambda index: 0.9 if index < 20 else None if index < 30 else 0.3})
    assert seen[1] == [*range(20), *range(30, 80)]


@pytest.mark.parametrize(("last", "there"), [(3, True), (7, True)])
def test_a_short_visit_counts_by_what_there_was_of_it(last: int, there: bool) -> None:
    seen, _ = passed_on({1: lambda index: 0.9 if index <= last else None})
    assert bool(seen[1]) == there
    low, _ = passed_on({1: lambda index: 0.5 if index <= last else None})
    assert not low[1]


def test_a_visit_at_the_very_end_counts() -> None:
    seen, _ = passed_on({1: lambda index: 0.9 if index >= 78 else None})
    assert seen[1] == [78, 79]


def test_visits_shorter_than_asked_are_left_out() -> None:
    people: dict[int, Score] = {
        1: lambda index: 0.9 if 10 <= index < 25 else None,
        2: lambda index: 0.9 if 10 <= index < 45 else None,
    }
    seen, _ = passed_on(people, score=0.0, duration=1.0)
    assert (seen[1], seen[2]) == (list(range(10, 45)), []), "the one who is left out takes no id"


def test_with_both_off_every_frame_passes_at_once() -> None:
    seen, came = passed_on({1: lambda _: 0.1}, score=0.0)
    assert seen[1] == came == list(range(80))


@pytest.mark.parametrize("score", [0.6, 0.0])
def test_ids_count_those_who_are_passed_on_in_the_order_of_their_appearance(score: float) -> None:
    hold, image = Confirmation(score), np.zeros((4, 4, 3), np.uint8)
    found: list[tuple[int, ...]] = []
    for index in range(80):
        there = {5: 0.9 if index >= 20 else None, 2: 0.3, 4: 0.9 if index >= 40 else None}
        if not score:
            del there[2]
        people = [Person(id, s, (80, 5, 45, 210), pose()) for id, s in there.items() if s]
        result = FrameResult(index, index / RATE, tuple(sorted(people, key=lambda p: p.id)))
        for _, passed in hold.push(Frame(index, index / RATE, image), result):
            found.append(tuple(person.id for person in passed.people))
    found += [tuple(p.id for p in passed.people) for _, passed in hold.finish()]
    assert found == [()] * 20 + [(1,)] * 20 + [(1, 2)] * 40


def test_large_pictures_do_not_pile_up() -> None:
    _, came = passed_on({1: lambda _: 0.9}, shape=(4000, 6000, 3))
    assert max(now - index for index, now in enumerate(came)) <= 4


def test_who_is_left_out_is_said() -> None:
    """Three who never convince, one of them twice in sight; one who does at the second time, and
    two passers-by."""
    image = np.zeros((4, 4, 3), np.uint8)
    low = {3: range(80), 4: range(5, 10), 5: [*range(20), *range(70, 80)]}
    high = {1: range(80), 7: range(70, 80), 8: [2, 3], 9: range(30, 33)}
    late = {6: [*range(5), *range(50, 80)]}
    hold = Confirmation(0.6, 0.25)
    for index in range(80):
        scores = {id: 0.4 for id, seen in low.items() if index in seen}
        scores |= {id: 0.9 for id, seen in high.items() if index in seen}
        scores |= {id: 0.9 if index > 40 else 0.4 for id, seen in late.items() if index in seen}
        found = tuple(Person(id, score, (80, 5, 45, 210), pose()) for id, score in scores.items())
        result = FrameResult(index, index / RATE, found)
        list(hold.push(Frame(index, index / RATE, image), result))
    list(hold.finish())
    assert hold.warnings == [
        "left out: 2 people seen but never surely enough (a median score of 0.6 over a second; "
        "--confirm-score 0 keeps everybody)",
        "left out: 3 people seen for less than 0.25 s (--min-duration)",
    ]
    assert Confirmation(0.0).warnings == []
