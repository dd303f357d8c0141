"""When a pose is trusted, and when the initializer has to run again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from driven import new_track, pose

from vidpose.bundle import Trust
from vidpose.skeleton import COCO_17
from vidpose.tracking import TrackerSettings
from vidpose.tracking.reinit_policy import ModelTraits, ReinitPolicy, ReinitRequest

TRUST = Trust(
    min_score=0.3, start_score=0.4, patience=0.1, max_age=2.0, max_drop=0.2, max_drift=0.35
)
TRAITS = ModelTraits(0.75, 1.25, COCO_17.sigmas, TRUST, has_memory=True)


def policy(traits: ModelTraits = TRAITS) -> ReinitPolicy:
    return ReinitPolicy(traits, TrackerSettings())


@pytest.mark.parametrize(("score", "since"), [(0.3, None), (0.29, 1.0)])
def test_a_score_below_the_trust_is_noted_once(score: float, since: float | None) -> None:
    track = new_track(100)
    for time in (1.0, 1.5):
        policy().update_confidence(track, pose(100, score=score), time)
        assert track.low_score_since == since
    policy().update_confidence(track, pose(100, score=0.3), 2.0)
    assert track.low_score_since is None


@pytest.mark.parametrize(("dx", "dy"), [(1, 0), (-1, 0), (0, 1), (0, -1)])
def test_a_pose_that_left_the_middle_of_its_crop_is_not_trusted(dx: int, dy: int) -> None:
    """From 0.35 of the crop's sides on."""
    track = new_track(100)
    for part, trusted in ((0.34, True), (0.36, False)):
        moved = pose(100 + dx * part * track.region.w, 100 + dy * part * track.region.h)
        policy().update_confidence(track, moved, 1.0)
        assert (track.low_score_since is None) is trusted


def test_a_pose_lacks_confidence_when_missing_very_low_or_low_for_too_long() -> None:
    track = new_track(100)
    assert not policy().lacks_confident_pose(track, 5.0)
    track.low_score_since = 1.0
    track.observed = pose(100, score=0.2)
    assert not policy().lacks_confident_pose(track, 1.08)
    assert policy().lacks_confident_pose(track, 1.0999)  # time stamps are rounded
    track.observed = pose(100, score=0.149)  # below half of the trust
    assert policy().lacks_confident_pose(track, 1.0)
    track.observed = pose(100, score=0.151)
    assert not policy().lacks_confident_pose(track, 1.0)
    track.observed, track.low_score_since = None, None
    assert policy().lacks_confident_pose(track, 1.0)


@pytest.mark.parametrize(("shared", "limit"), [(False, 2.0), (True, 6.0)])
def test_a_memory_is_renewed_with_age_later_in_a_shared_crop(shared: bool, limit: float) -> None:
    track = new_track(100)
    track.crop_shared = shared
    assert not policy().needs_new_memory(track, limit - 0.01)
    assert policy().needs_new_memory(track, limit - 0.0005)
    without = replace(TRAITS, has_memory=False)
    assert not policy(without).needs_new_memory(track, 100.0)
    assert policy().can_defer(track, limit + 0.19)
    assert not policy().can_defer(track, limit + 0.2)


def test_a_mixed_memory_is_renewed_at_once_when_the_crop_is_the_persons_own() -> None:
    track = new_track(100)
    track.memory_mixed = True
    assert policy().needs_new_memory(track, 0.1)
    assert not policy().can_defer(track, 0.1)
    track.crop_shared = True
    assert not policy().needs_new_memory(track, 0.1)


def test_a_fallen_score_asks_for_a_new_memory_unless_others_are_in_the_way() -> None:
    """After 0.9 the limit is 0.72."""
    track = new_track(100)
    track.observed = pose(100, score=0.73)
    assert not policy().needs_new_memory(track, 0.1)
    track.observed = pose(100, score=0.71)
    assert policy().needs_new_memory(track, 0.1)
    for flag in ("crop_shared", "overlapping"):
        setattr(track, flag, True)
        assert not policy().needs_new_memory(track, 0.1)
        setattr(track, flag, False)
    track.observed = None
    assert not policy().needs_new_memory(track, 0.1)


@pytest.mark.parametrize(("overlapping", "patience"), [(False, 0.0), (True, 1.0)])
def test_a_track_behind_others_may_be_undetected(overlapping: bool, patience: float) -> None:
    """For half of the grace time of two seconds."""
    track = new_track(100)
    track.overlapping = overlapping
    assert not policy().is_undetected(track, patience)
    assert policy().is_undetected(track, patience + 0.01)


def test_only_a_trusted_pose_updates_the_track() -> None:
    track = new_track(100)
    assert policy().is_confident(track, pose(100, score=0.3))
    assert not policy().is_confident(track, pose(100, score=0.29))
    track.low_score_since = 1.0
    assert not policy().is_confident(track, pose(100))


def test_the_initializers_pose_is_compared_with_the_one_before() -> None:
    """It is taken from 0.8 of its score on; from `min_score` on where none is trusted."""
    track = new_track(100)
    refresh = ReinitRequest(track.region, track, detected=False)
    for score, taken in ((0.73, True), (0.71, False)):
        assert policy().accepts(track, pose(100, score=score), refresh) is taken
    rescue = replace(refresh, min_score=0.3)
    for score, taken in ((0.3, True), (0.29, False)):
        assert policy().accepts(track, pose(100, score=score), rescue) is taken
    track.observed = None
    assert policy().accepts(track, pose(100, score=0.0), refresh)


def test_near_others_the_initializer_must_find_the_same_person() -> None:
    track = new_track(100)
    track.overlapping = True
    own = ReinitRequest(track.region, track, detected=False)
    assert policy().accepts(track, pose(104), own)
    assert not policy().accepts(track, pose(160), own)
    assert policy().accepts(track, pose(160), replace(own, detected=True))
    track.overlapping = False
    assert policy().accepts(track, pose(160), own)


def test_a_new_person_needs_the_start_score_and_more_within_another() -> None:
    """Half way to 1 for a box of which more than half lies in a tracked person's."""
    large = pose(100, height=300)
    apart, part = pose(500), pose(140, y=150, height=100)
    for person, limit in ((apart, 0.4), (part, 0.7)):
        for change, starts in ((0.01, True), (-0.01, False)):
            scored = replace(person, score=limit + change)
            assert policy().can_start_track(scored, [large]) is starts
    x, y, w, _ = large.box
    for inside, limit in ((0.49, 0.4), (0.51, 0.7)):
        box = (x + w - inside * 50, y + 20, 50.0, 100.0)
        assert policy().can_start_track(replace(apart, box=box, score=limit), [large])
        assert not policy().can_start_track(replace(apart, box=box, score=limit - 0.01), [large])
    assert policy().can_start_track(replace(part, score=0.4), [])


def test_what_a_request_is_for() -> None:
    track = new_track(100)
    request = ReinitRequest(track.region, track, detected=False)
    assert request.is_refresh
    assert not replace(request, min_score=0.3).is_refresh
    assert not replace(request, detected=True).is_refresh
    assert not replace(request, track=None).is_refresh
    assert (ReinitRequest(track.region).track, ReinitRequest(track.region).detected) == (None, True)
