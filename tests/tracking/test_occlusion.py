"""People who occlude each other: overlaps, duplicates, and keypoints that jump to the neighbour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from driven import new_track, pose

from vidpose.inference.crop import CropRegion
from vidpose.skeleton import COCO_17
from vidpose.tracking import TrackerSettings
from vidpose.tracking.occlusion import OcclusionResult, resolve_occlusions
from vidpose.tracking.track import Track

# A standing person's box is 100 x 190 and a margin; people 80 px apart overlap by an IoU of 0.17.


def resolve(tracks: list[Track], time: float = 5.0) -> OcclusionResult:
    return resolve_occlusions(tracks, time, COCO_17.sigmas, TrackerSettings())


def place(track: Track, x: float, score: float = 0.9) -> None:
    track.observed = pose(x, score=score)


def pair(distance: float) -> tuple[Track, Track]:
    """Two who have been tracked since long, that far apart."""
    left, right = new_track(100, id=1), new_track(100 + distance, id=2)
    for track in (left, right):
        track.pose_time = 4.9
    return left, right


def test_people_close_together_overlap_and_share_crops() -> None:
    """Overlap from an IoU of 0.1 of the bodies, as observed or as predicted; crops from 0.2."""
    left, right = pair(80)
    resolve([left, right])
    assert left.overlapping
    assert right.overlapping
    assert left.crop_shared
    far_left, far_right = pair(95)
    resolve([far_left, far_right])
    assert not far_left.overlapping
    assert far_left.crop_shared
    place(far_right, 150)
    resolve([far_left, far_right])
    assert far_left.overlapping
    place(far_right, 195)
    far_right.predicted = pose(150)
    resolve([far_left, far_right])
    assert far_left.overlapping
    alone = new_track(100)
    resolve([alone])
    assert not alone.overlapping


@pytest.mark.parametrize(("distance", "shared"), [(65, True), (68, False)])
def test_crops_are_shared_from_a_fifth(distance: float, shared: bool) -> None:
    left, right = pair(400)
    left.region, right.region = CropRegion(0, 0, 100, 100), CropRegion(distance, 0, 100, 100)
    resolve([left, right])
    assert left.crop_shared is right.crop_shared is shared


def test_a_memory_is_mixed_when_people_part() -> None:
    left, right = pair(60)
    resolve([left, right])
    assert not left.memory_mixed
    place(right, 400)
    right.predicted = pose(400)
    resolve([left, right])
    assert left.memory_mixed
    assert right.memory_mixed
    assert not left.overlapping
    resolve([left, right])
    assert left.memory_mixed  # until it is made anew


def test_of_two_on_one_person_the_one_that_jumped_is_hidden_then_lost() -> None:
    left, right = pair(80)
    place(left, 180)
    assert resolve([left, right], 5.0) == OcclusionResult()
    assert left.observed is None
    assert right.observed is not None
    assert (left.duplicate_since, right.duplicate_since) == (5.0, None)
    place(left, 180)
    assert resolve([left, right], 5.19) == OcclusionResult()
    place(left, 180)
    assert resolve([left, right], 5.2) == OcclusionResult(lost=[left])


def test_one_that_did_not_jump_stays_until_the_time_is_over() -> None:
    """Two predicted at one place: the weaker one is reported for a moment, then lost."""
    left, right = pair(20)
    place(left, 110, score=0.6)
    place(right, 110)
    assert resolve([left, right], 5.0) == OcclusionResult()
    assert left.observed is not None
    assert left.duplicate_since == 5.0
    assert resolve([left, right], 5.25).lost == [left]


def test_a_duplicate_that_walks_away_is_none() -> None:
    left, right = pair(80)
    place(left, 180)
    resolve([left, right], 5.0)
    place(left, 110)
    resolve([left, right], 5.1)
    assert left.duplicate_since is None


@pytest.mark.parametrize(("start", "false"), [(4.3, True), (3.7, False)])
def test_a_young_track_on_another_person_was_a_false_positive(start: float, false: bool) -> None:
    """Younger than a second when the 0.2 s of the collapse began; else it keeps its id."""
    old, young = pair(20)
    young.start_time = start
    old.observed = young.observed = pose(110)
    resolve([old, young], 5.0)
    result = resolve([old, young], 5.2)
    assert (result.false_positives, result.lost) == (([young], []) if false else ([], [young]))


def test_the_newcomer_goes_even_where_it_fits_better() -> None:
    """It began more than a second after the other, and has been confident for less than one."""
    for start, confident, expected in ((1.1, 2.0, 2), (0.9, 1.8, 1), (1.1, 2.2, 1)):
        old, young = pair(20)
        young.start_time, young.pose_time = start, confident
        place(old, 120)  # where the newcomer is predicted
        place(young, 120)
        resolve([old, young])
        (duplicate,) = [track.id for track in (old, young) if track.duplicate_since is not None]
        assert duplicate == expected


def test_the_decision_stands_while_they_stay_together() -> None:
    left, right = pair(20)
    left.duplicate_since = 4.95
    place(left, 100)
    place(right, 100)  # now the other fits its prediction less
    resolve([left, right])
    assert (left.duplicate_since, right.duplicate_since) == (4.95, None)


def test_unlike_poses_are_no_duplicates() -> None:
    left, right = pair(30)
    resolve([left, right])
    assert left.duplicate_since is right.duplicate_since is None


def test_a_keypoint_that_jumped_to_the_neighbour_is_hidden() -> None:
    """It is nearer than 0.08 of the size to the neighbour's own, and has moved by more than that
    and by more than twice as far as the neighbour's."""
    behind, front = pair(60)
    assert behind.observed is not None
    reach = 0.08 * max(behind.observed.box[2:])
    place(front, 160)
    for joint, offset in ((9, 0.9 * reach), (10, 1.1 * reach)):
        behind.observed.keypoints[joint, :2] = pose(160).keypoints[joint, :2] + (0, offset)
    behind.pose = replace(behind.pose, kernels=np.zeros((17, 1, 1, 1), np.float32))
    behind.observed = replace(behind.observed, kernels=np.ones((17, 1, 1, 1), np.float32))
    resolve([behind, front])
    assert behind.observed.keypoints[9, 2] == 0.0
    assert behind.observed.keypoints[10, 2] == pytest.approx(0.9)
    assert np.count_nonzero(behind.observed.keypoints[:, 2]) == 16
    assert behind.observed.kernels is not None
    assert behind.observed.kernels.ravel().tolist() == [1.0] * 9 + [0.0] + [1.0] * 7
    assert front.observed is not None
    assert front.observed.keypoints[:, 2].min() == pytest.approx(0.9)


@pytest.mark.parametrize(("count", "seen"), [(16, True), (17, False)])
def test_of_whom_all_has_jumped_to_the_neighbour_is_not_seen(count: int, seen: bool) -> None:
    behind, front = pair(60)
    assert behind.observed is not None
    reach = 0.08 * max(behind.observed.box[2:])
    place(front, 160)
    behind.observed.keypoints[:count, :2] = pose(160).keypoints[:count, :2] + (0, 0.9 * reach)
    apart = TrackerSettings(collapse_oks=0.9)  # so that the two are not the same pose
    resolve_occlusions([behind, front], 5.0, COCO_17.sigmas, apart)
    assert (behind.observed is not None) == seen
    assert behind.duplicate_since is None


def test_a_keypoint_stays_where_the_neighbours_jumped_as_well() -> None:
    """Both have moved to the place in the middle, neither twice as far as the other."""
    behind, front = pair(60)
    assert behind.observed is not None
    assert front.observed is not None
    middle = (behind.observed.keypoints[9, :2] + front.observed.keypoints[9, :2]) / 2
    behind.observed.keypoints[9, :2] = front.observed.keypoints[9, :2] = middle
    resolve([behind, front])
    assert behind.observed.keypoints[9, 2] == pytest.approx(0.9)
    assert front.observed.keypoints[9, 2] == pytest.approx(0.9)


def test_a_keypoint_that_was_there_before_stays() -> None:
    """People whose hands touch: nothing has jumped."""
    left, right = pair(60)
    for track in (left, right):
        for known in (track.observed, track.predicted):
            assert known is not None
            known.keypoints[9, :2] = (150.0, 200.0)
    resolve([left, right])
    assert left.observed is not None
    assert left.observed.keypoints[9, 2] == pytest.approx(0.9)


def test_who_is_not_observed_hides_nothing() -> None:
    left, right = pair(60)
    right.observed = None
    assert resolve([left, right]) == OcclusionResult()
    assert left.overlapping  # by where the other is predicted
    assert left.observed is not None
    assert left.observed.keypoints[:, 2].min() == pytest.approx(0.9)
