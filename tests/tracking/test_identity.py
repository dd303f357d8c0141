"""Ids for trackers that find people anew in every frame."""

from __future__ import annotations

import pytest
from driven import pose

from vidpose.bundle import Trust
from vidpose.skeleton import COCO_17
from vidpose.tracking import SmoothingSettings, TrackerSettings
from vidpose.tracking.base import TrackerSetup
from vidpose.tracking.identity import IdentityAssigner
from vidpose.tracking.reinit_policy import ModelTraits

TRAITS = ModelTraits(
    0.75, 1.25, COCO_17.sigmas, Trust(min_score=0.3, start_score=0.4), has_memory=False
)
LEFT, MIDDLE, RIGHT = pose(0, score=0.6), pose(200, score=0.8), pose(400, score=0.7)


def assigner(max_people: int | None = None) -> IdentityAssigner:
    return IdentityAssigner(
        TrackerSetup(TRAITS, TrackerSettings(), SmoothingSettings(), max_people)
    )


def test_ids_are_counted_from_1_best_pose_first() -> None:
    assert assigner().assign([LEFT, MIDDLE, RIGHT], [None, None, None]) == [3, 1, 2]


def test_known_ids_stand_and_are_never_given_again() -> None:
    ids = assigner()
    ids.assign([LEFT], [None])
    assert ids.assign([LEFT, MIDDLE], [1, None]) == [1, 2]
    assert ids.assign([RIGHT, LEFT], [None, 1]) == [3, 1]


@pytest.mark.parametrize(("score", "expected"), [(0.39, None), (0.41, 1)])
def test_a_new_person_must_be_good_enough(score: float, expected: int | None) -> None:
    assert assigner().assign([pose(0, score=score)], [None]) == [expected]


def test_a_part_of_a_reported_person_is_not_a_new_one() -> None:
    large, part = pose(0, height=400), pose(50, y=150, height=100, score=0.6)
    ids = assigner()
    assert ids.assign([large, part], [None, None]) == [1, None]
    assert ids.assign([part, large], [None, 1]) == [None, 1]


def test_beyond_the_most_people_those_of_the_previous_frame_stay() -> None:
    ids = assigner(max_people=2)
    assert ids.assign([LEFT, MIDDLE, RIGHT], [None, None, None]) == [None, 1, 2]
    assert ids.assign([RIGHT], [2]) == [2]
    assert ids.assign([LEFT, RIGHT], [None, 2]) == [3, 2]
    # 1 was there before 3, but not in the previous frame.
    assert ids.assign([MIDDLE, LEFT, RIGHT], [1, 3, 2]) == [None, 3, 2]


def test_reported_poses_come_with_their_own_filters() -> None:
    ids = assigner()
    given = ids.assign([LEFT, MIDDLE], [None, None])
    first = {each.id: each for each in ids.tracked_poses([LEFT, MIDDLE], given)}
    assert first[1].pose is MIDDLE
    assert first[2].pose is LEFT
    assert first[1].smoother is not first[2].smoother
    (again,) = ids.tracked_poses([MIDDLE, RIGHT], [1, None])
    assert again.smoother is first[1].smoother


def test_filters_are_kept_for_who_may_come_back() -> None:
    ids = assigner()
    ids.assign([LEFT, MIDDLE, RIGHT], [None, None, None])
    ids.assign([LEFT], [3])
    ids.retain({2})
    assert [each.id for each in ids.tracked_poses([LEFT, RIGHT], [3, 2])] == [3, 2]
    with pytest.raises(KeyError):
        ids.tracked_poses([MIDDLE], [1])
