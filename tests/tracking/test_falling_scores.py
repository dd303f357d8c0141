"""A memory is made anew when the score has fallen too far since it was made (`max_drop`)."""

from __future__ import annotations

import pytest
from driven import World, pose


def inits(world: World, score: float, seen: float, frames: int, start: int = 1) -> list[int]:
    """Initialisations in each frame: one person, the step's score, the initializer's."""
    counts = []
    for index in range(start, start + frames):
        before = world.inits
        world.frame(index / 30, {1: pose(100, score=score)}, seen=[pose(100, score=seen)])
        counts.append(world.inits - before)
    return counts


@pytest.mark.parametrize(("score", "expected"), [(0.82, 0), (0.80, 1)])
def test_a_fall_by_a_tenth_asks_for_an_initialisation(score: float, expected: int) -> None:
    """0.9 at first: the limit is 0.81. The initializer's pose is taken."""
    world = World(max_drop=0.1)
    world.frame(0.0, seen=[pose(100, score=0.9)])
    people = world.frame(1 / 30, {1: pose(100, score=score)}, seen=[pose(102, score=0.9)])
    assert world.inits == 1 + expected
    assert people[1].keypoints[0, 0] == pytest.approx(150 + 2 * expected)


def test_by_default_no_fall_is_too_far() -> None:
    world = World()
    world.frame(0.0, seen=[pose(100, score=0.9)])
    assert sum(inits(world, 0.31, 0.9, frames=60)) == 0


@pytest.mark.parametrize("seen", [0.6, 0.4], ids=["taken", "refused"])
def test_a_person_hard_for_the_initializer_too_is_initialised_once(seen: float) -> None:
    """The score is compared with the outcome of the last initialisation, taken or refused."""
    world = World(max_drop=0.1)
    world.frame(0.0, seen=[pose(100, score=0.9)])
    assert inits(world, 0.6, seen, frames=60) == [1] + [0] * 59


def test_where_the_initializer_is_surer_it_runs_again_but_in_the_detectors_frames() -> None:
    world = World(max_drop=0.1)
    world.frame(0.0, seen=[pose(100, score=0.9)])
    assert inits(world, 0.6, 0.9, frames=60) == [int(index % 15 != 0) for index in range(1, 61)]
    assert inits(world, 0.85, 0.9, frames=60, start=61) == [0] * 60


def test_a_crowd_is_initialised_in_turn() -> None:
    """The initializer is surer of all four: one a frame, everyone as often."""
    world = World(max_drop=0.1)
    sure, unsure = ([pose(20.0 + 150 * n, score=s) for n in range(4)] for s in (0.9, 0.6))
    world.frame(0.0, seen=sure)
    found = [0] * 4
    for index in range(1, 61):
        before = world.inits
        people = world.frame(index / 30, dict(enumerate(unsure, 1)), seen=sure)
        assert world.inits - before == (0 if index % 15 == 0 else 1)
        for number in range(4):
            found[number] += people[number + 1].score > 0.8
    assert sum(found) == 56
    assert max(found) - min(found) <= 1


def test_no_one_is_initialised_for_a_fall_while_others_are_in_the_way() -> None:
    world = World(max_drop=0.1)
    people = [pose(100, score=0.9), pose(160, score=0.9)]
    world.frame(0.0, seen=people)
    fallen = {1: pose(100, score=0.6), 2: pose(160, score=0.6)}
    world.frame(1 / 30, {1: people[0], 2: people[1]}, seen=people)
    before = world.inits
    for index in range(2, 14):
        world.frame(index / 30, fallen, seen=people)
    assert all(track.overlapping for track in world.tracker.live)
    assert world.inits == before


def test_a_person_found_again_starts_anew() -> None:
    """Lost with 0.9, back with 0.6: that is no fall."""
    world = World(max_drop=0.1)
    world.frame(0.0, seen=[pose(100, score=0.9)])
    world.frame(1 / 30, {1: pose(100, score=0.05)})
    assert world.tracker.live == []
    assert list(world.frame(0.2, seen=[pose(100, score=0.6)])) == [1]
    assert sum(inits(world, 0.58, 0.6, frames=12, start=7)) == 0
    assert sum(inits(world, 0.5, 0.6, frames=1, start=19)) == 1


def test_without_memory_there_is_nothing_to_make_anew() -> None:
    world = World(memory=False, max_drop=0.1)
    world.frame(0.0, seen=[pose(100, score=0.9)])
    assert sum(inits(world, 0.6, 0.9, frames=14)) == 0
