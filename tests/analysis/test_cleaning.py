from __future__ import annotations

import numpy as np
import pytest

from movements import frames, person, pose, shifted
from vidpose.analysis import (
    fill_gaps,
    find_merges,
    keypoint_speeds,
    lowpass,
    merge_ids,
    person_trajectories,
    without_short_visits,
)
from vidpose.analysis.filtering import short_stretches
from vidpose.errors import VidposeError
from vidpose.results import FrameResult


def moving(x: np.ndarray, y: np.ndarray | None = None) -> list[np.ndarray]:
    """The upright pose moved by x, y in each frame."""
    y = np.zeros_like(x) if y is None else y
    return [shifted(pose(), dx, dy) for dx, dy in zip(x, y, strict=True)]


def nose_x(found: list[FrameResult], id: int = 1) -> np.ndarray:
    return person_trajectories(found)[id].keypoints[:, 0, 0]


def test_a_short_absence_is_filled_on_the_persons_way_and_a_long_one_stays() -> None:
    times = np.arange(20) / 10
    points: list[np.ndarray | None] = [*moving(30 * times)]
    points[3:6] = [None] * 3  # away for .4 s
    points[10:17] = [None] * 7  # for .8 s
    found = fill_gaps(frames(times, {1: points}), 0.5)
    np.testing.assert_allclose(nose_x(found)[:10], 104 + 30 * times[:10], atol=1e-3)
    assert [len(frame.people) for frame in found[10:17]] == [0] * 7
    box = np.array(found[4].people[0].box)
    np.testing.assert_allclose(
        box, np.array(found[2].people[0].box) + np.array((6, 0, 0, 0)), atol=1e-3
    )


def test_a_gap_is_as_long_as_the_time_between_its_ends() -> None:
    times = np.array([0.0, 0.1, 0.2, 0.3])
    points: list[np.ndarray | None] = [*moving(times)]
    points[1] = points[2] = None
    assert all(frame.people for frame in fill_gaps(frames(times, {1: points}), 0.31))
    assert not fill_gaps(frames(times, {1: points}), 0.29)[1].people


def test_keypoints_are_filled_one_by_one_with_the_lower_confidence() -> None:
    times = np.arange(5) / 10
    points = moving(times * 100)
    points[1][0, 2], points[3][0, 2] = 0.5, 0.7
    points[2][0] = (np.nan, np.nan, 0)
    found = fill_gaps(frames(times, {1: points}), 1)[2].people[0].keypoints
    assert found[0] == pytest.approx((124, 20, 0.5))
    np.testing.assert_allclose(found[1:], points[2][1:], rtol=1e-6)


def test_unsure_keypoints_count_as_missing_on_request() -> None:
    times = np.arange(5) / 10
    points = moving(times)
    points[2][0] = (500, 500, 0.05)
    found = fill_gaps(frames(times, {1: points}), 1, min_confidence=0.2)
    assert nose_x(found)[2] == pytest.approx(104.2, abs=0.01)
    assert nose_x(fill_gaps(frames(times, {1: points}), 1))[2] == 500


def test_nothing_is_filled_before_the_first_and_after_the_last_time() -> None:
    times = np.arange(6) / 10
    points: list[np.ndarray | None] = [None, None, *moving(times[2:4]), None, None]
    found = fill_gaps(frames(times, {1: points}), 9)
    assert [len(frame.people) for frame in found] == [0, 0, 1, 1, 0, 0]


@pytest.mark.parametrize("rate", [30.0, 120.0])
def test_half_the_power_is_left_at_the_cutoff(rate: float) -> None:
    times = np.arange(0, 20, 1 / rate)
    wave = 10 * np.sin(2 * np.pi * 5 * times)
    smooth = nose_x(lowpass(frames(times, {1: moving(wave)}), cutoff=5, order=4)) - 104
    middle = slice(len(times) // 4, 3 * len(times) // 4)
    assert smooth[middle].std() / wave[middle].std() == pytest.approx(0.5**0.5, abs=0.01)


def test_slow_movement_passes_without_delay_and_fast_noise_does_not() -> None:
    times = np.arange(0, 10, 1 / 60)
    slow, noise = 50 * np.sin(2 * np.pi * 0.5 * times), 5 * np.sin(2 * np.pi * 20 * times)
    smooth = nose_x(lowpass(frames(times, {1: moving(slow + noise)}), cutoff=4)) - 104
    middle = slice(60, -60)
    assert np.abs(smooth - slow)[middle].max() < 0.3


def test_uneven_times_are_filtered_by_their_true_times() -> None:
    generator = np.random.default_rng(3)
    times = np.cumsum(generator.uniform(0.02, 0.05, 300))
    slow = 50 * np.sin(2 * np.pi * 0.5 * times)
    noisy = slow + generator.normal(0, 3, 300)
    smooth = nose_x(lowpass(frames(times, {1: moving(noisy)}), cutoff=3)) - 104
    middle = slice(20, -20)
    assert np.abs(smooth - slow)[middle].std() < 0.5 * np.abs(noisy - slow)[middle].std()
    # read by the frame's number, the same wave would be somewhere else
    assert np.corrcoef(smooth[middle], slow[middle])[0, 1] > 0.998


def test_gaps_are_not_filtered_over() -> None:
    times = np.arange(60) / 30
    x = np.where(np.arange(60) < 30, 0.0, 1000.0)
    points: list[np.ndarray | None] = [*moving(x)]
    points[29] = points[30] = None
    smooth = nose_x(lowpass(frames(times, {1: points})))
    np.testing.assert_allclose(smooth[:29], 104, atol=1e-3)
    np.testing.assert_allclose(smooth[31:], 1104, atol=1e-3)


def test_confidences_and_boxes_without_movement_stay() -> None:
    times = np.arange(30) / 30
    before = frames(times, {1: moving(0 * times)})
    after = lowpass(before)
    for old, new in zip(before, after, strict=True):
        np.testing.assert_allclose(new.people[0].keypoints, old.people[0].keypoints, rtol=1e-5)
        assert new.people[0].box == pytest.approx(old.people[0].box, rel=1e-5)


@pytest.mark.parametrize(("cutoff", "order"), [(15.0, 4), (-1, 4), (6, 3), (6, 0)])
def test_filters_that_cannot_be_are_refused(cutoff: float, order: int) -> None:
    times = np.arange(30) / 30
    with pytest.raises(VidposeError, match=r"cutoff|order"):
        lowpass(frames(times, {1: moving(times)}), cutoff, order)


def test_short_stretches_are_counted_and_their_cutoff_is_checked_too() -> None:
    times = np.arange(20) / 30
    points: list[np.ndarray | None] = [*moving(times)]
    points[4] = None  # 4 frames, then 15 without those of one wrist
    for index in (10, 12):
        each = points[index]
        assert each is not None
        each[9] = np.nan, np.nan, 0
    found = frames(times, {1: points, 2: [*moving(times)][:3] + [None] * 17})
    assert short_stretches(found) == 1 + 2 + 1
    assert short_stretches(frames(times, {1: moving(times)})) == 0
    brief = frames(times[:5], {1: moving(times[:5])})
    assert nose_x(lowpass(brief, 14)).tolist() == nose_x(brief).tolist()
    with pytest.raises(VidposeError, match=r"cutoff 16 Hz must be below half of the frame rate"):
        lowpass(brief, 16)


def test_speed_is_distance_by_true_time() -> None:
    times = np.array([0, 0.1, 0.15, 0.35, 0.4])
    track = person_trajectories(frames(times, {1: moving(30 * times, 40 * times)}))[1]
    np.testing.assert_allclose(keypoint_speeds(track), 50, rtol=1e-3)


def test_ids_are_merged_along_chains() -> None:
    times = np.arange(3) / 10
    found = frames(
        times, {i: [pose() if at == i - 1 else None for at in range(3)] for i in (1, 2, 3)}
    )
    merged = merge_ids(found, {3: 2, 2: 1})
    assert [[each.id for each in frame.people] for frame in merged] == [[1], [1], [1]]


@pytest.mark.parametrize(
    ("merges", "message"), [({2: 1}, "both are in frame 0"), ({7: 1}, "no frame has a person 7")]
)
def test_merges_that_cannot_be_are_refused(merges: dict[int, int], message: str) -> None:
    found = frames([0.0], {1: [pose()], 2: [shifted(pose(), 300, 0)]})
    with pytest.raises(VidposeError, match=message):
        merge_ids(found, merges)


def test_a_circle_of_merges_is_refused() -> None:
    found = frames([0.0, 1.0], {1: [pose(), None], 2: [None, pose()]})
    with pytest.raises(VidposeError, match="become itself"):
        merge_ids(found, {1: 2, 2: 1})


@pytest.mark.parametrize(
    ("gap", "shift", "size", "merged"),
    [(0.5, 10, 1.0, True), (3.0, 10, 1.0, False), (0.5, 150, 1.0, False), (0.5, 10, 1.6, False)],
)
def test_the_rule_joins_what_is_near_in_time_place_and_size(
    gap: float, shift: float, size: float, merged: bool
) -> None:
    later = pose()
    later[:, :2] = (later[:, :2] - (100, 110)) * size + (100 + shift, 110)
    found = [
        FrameResult(0, 0.0, (person(4, pose()),)),
        FrameResult(1, gap, (person(7, later),)),
    ]
    assert find_merges(found) == ({7: 4} if merged else {})


def test_each_id_has_one_successor() -> None:
    near, far = shifted(pose(), 5, 0), shifted(pose(), 60, 0)
    found = [
        FrameResult(0, 0.0, (person(1, pose()),)),
        FrameResult(1, 0.4, (person(2, near),)),
        FrameResult(2, 0.8, (person(3, far),)),
    ]
    assert find_merges(found) == {2: 1, 3: 2}


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([FrameResult(0, 0.0, ()), FrameResult(1, 0.0, ())], "times must rise"),
        ([FrameResult(0, 0.0, (person(1, pose()), person(1, pose())))], "comes twice"),
    ],
)
def test_results_that_are_no_trajectories_are_refused(
    found: list[FrameResult], message: str
) -> None:
    with pytest.raises(VidposeError, match=message):
        person_trajectories(found)


def test_short_visits_are_left_out() -> None:
    people = {1: [pose()] * 5, 2: [None, pose(), None, pose(), None], 3: [pose(), *[None] * 4]}
    found = without_short_visits(frames([0, 0.1, 0.2, 0.3, 0.4], people), 0.2)
    assert [[each.id for each in frame.people] for frame in found] == [
        [1],
        [1, 2],
        [1],
        [1, 2],
        [1],
    ]
    with pytest.raises(VidposeError, match="at least 0"):
        without_short_visits(found, -1)
