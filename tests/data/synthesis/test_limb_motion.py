"""Motion taken from joint tracks, and random motion."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from vidpose.data.datasets.penn_action import JOINTS, PennTrack
from vidpose.data.synthesis.limb_motion import LIMBS, PARENTS, Motion, MotionBank, random_motion
from vidpose.errors import DataError

FOREARM = LIMBS.index("left_forearm")
STANDING = np.array(
    [[0, -60], [-15, -40], [15, -40], [-25, -15], [25, -15], [-30, 10], [30, 10],
     [-10, 0], [10, 0], [-12, 40], [12, 40], [-12, 80], [12, 80]], float,
)  # fmt: skip


def track(points: np.ndarray, labelled: np.ndarray | None = None) -> PennTrack:
    """A track with joints at points (T, 13, 2) and a box 100 pixels high."""
    frames = len(points)
    known = np.ones((frames, 13), bool) if labelled is None else labelled
    keypoints = np.dstack([points, known]).astype(np.float32)
    boxes = np.tile(np.float32([0, 0, 60, 100]), (frames, 1))
    return PennTrack("0001", "golf_swing", "front", True, keypoints, known, boxes)


def waving(frames: int, rate: float) -> np.ndarray:
    """A person who turns the left forearm by `rate` radians a frame and walks 2 pixels a frame."""
    points = np.tile(STANDING, (frames, 1, 1))
    elbow, wrist = JOINTS.index("left_elbow"), JOINTS.index("left_wrist")
    turn = np.exp(1j * rate * np.arange(frames))
    arm = (STANDING[wrist] - STANDING[elbow]) @ [1, 1j] * turn
    points[:, wrist] = STANDING[elbow] + np.stack([arm.real, arm.imag], axis=-1)
    points[..., 0] += 2 * np.arange(frames)[:, None] + 200
    points[..., 1] += 200
    return points


def test_a_limbs_rate_of_turn_is_taken_over() -> None:
    bank = MotionBank([track(waving(40, 0.1))])
    for seed in range(20):
        motion = bank.sample(np.random.default_rng(seed), 8, stride=2)
        turns = np.diff(motion.angles, axis=0)
        moving = np.flatnonzero(np.abs(turns).max(axis=0) > 1e-3)
        assert len(moving) == 1
        assert moving[0] in (FOREARM, LIMBS.index("right_forearm"))  # the right one when mirrored
        # the track's first and last frames are smoothed towards themselves
        np.testing.assert_allclose(np.median(np.abs(turns[:, moving])), 0.2, rtol=0.02)
        np.testing.assert_allclose(motion.stretches, 0, atol=0.05)


def test_the_path_is_in_sizes_of_the_person() -> None:
    motion = MotionBank([track(waving(40, 0.0))]).sample(np.random.default_rng(1), 6)
    steps = np.diff(motion.path, axis=0)
    np.testing.assert_allclose(np.median(np.abs(steps), axis=0), [0.02, 0], atol=1e-6)


def test_nothing_has_moved_in_one_frame_of_each_window() -> None:
    bank = MotionBank([track(waving(40, 0.1))])
    references = set()
    for seed in range(30):
        motion = bank.sample(np.random.default_rng(seed), 5)
        rest = np.abs(motion.angles).max(axis=1) + np.abs(motion.path).max(axis=1)
        assert rest.min() == 0
        references.add(int(rest.argmin()))
    assert references == set(range(5))


def test_limbs_with_unknown_joints_follow_their_parent() -> None:
    points = waving(40, 0.1)
    labelled = np.ones((40, 13), bool)
    labelled[:, JOINTS.index("left_wrist")] = False
    points[~labelled] = 1.0
    bank = MotionBank([track(points, labelled)])
    for seed in range(10):
        motion = bank.sample(np.random.default_rng(seed), 8)
        np.testing.assert_allclose(motion.angles, 0, atol=1e-3)


def test_a_limb_that_points_at_the_camera_gives_no_angle() -> None:
    points = waving(60, 0.0)
    elbow, wrist = JOINTS.index("left_elbow"), JOINTS.index("left_wrist")
    noise = np.random.default_rng(0).normal(size=(20, 2))
    points[20:40, wrist] = points[20:40, elbow] + noise
    bank = MotionBank([track(points)])
    for seed in range(40):
        motion = bank.sample(np.random.default_rng(seed), 4)
        assert np.abs(motion.angles).max() < 0.5


def test_windows_stay_within_one_track() -> None:
    """Two still people at different places: a window across both would leap."""
    far = waving(12, 0.0) * 0 + STANDING * 2 + 900
    near = waving(12, 0.0) * 0 + STANDING + 200
    bank = MotionBank([track(near), track(far)])
    for seed in range(60):
        motion = bank.sample(np.random.default_rng(seed), 6, stride=2)
        np.testing.assert_allclose(motion.path, 0, atol=1e-6)
        np.testing.assert_allclose(motion.stretches, 0, atol=1e-6)


def test_short_tracks_lower_the_stride_and_at_last_refuse() -> None:
    bank = MotionBank([track(waving(10, 0.1))])
    assert len(bank.sample(np.random.default_rng(0), 10, stride=3)) == 10
    with pytest.raises(DataError, match="11 frames; the longest has 10"):
        bank.sample(np.random.default_rng(0), 11)
    with pytest.raises(DataError, match="no tracks"):
        MotionBank([])


def test_same_state_same_motion_also_after_pickling() -> None:
    bank = MotionBank([track(waving(40, 0.1))])
    one = bank.sample(np.random.default_rng(3), 8)
    other = pickle.loads(pickle.dumps(bank)).sample(np.random.default_rng(3), 8)
    np.testing.assert_array_equal(one.angles, other.angles)
    np.testing.assert_array_equal(one.path, other.path)


def test_without_strength_the_body_is_rigid_and_half_strength_halves() -> None:
    motion = random_motion(np.random.default_rng(0), 8)
    rigid = motion.weakened(np.zeros(len(LIMBS)))
    assert not rigid.angles.any()
    assert not rigid.stretches.any()
    np.testing.assert_array_equal(rigid.path, motion.path)
    half = motion.weakened(np.full(len(LIMBS), 0.5))
    np.testing.assert_allclose(half.angles, motion.angles / 2)


def test_a_limb_without_own_strength_turns_with_its_parent() -> None:
    motion = random_motion(np.random.default_rng(0), 8)
    strengths = np.ones(len(LIMBS))
    strengths[FOREARM] = 0.0
    angles = motion.weakened(strengths).angles
    np.testing.assert_allclose(angles[:, FOREARM], angles[:, PARENTS[FOREARM]])


def test_mirroring_twice_is_nothing() -> None:
    motion = random_motion(np.random.default_rng(0), 8)
    twice = motion.mirrored().mirrored()
    np.testing.assert_array_equal(twice.angles, motion.angles)
    np.testing.assert_array_equal(twice.path, motion.path)
    assert (motion.mirrored().path[:, 0] == -motion.path[:, 0]).all()


def test_random_motion_is_smooth_and_faster_with_a_stride() -> None:
    def speed(stride: int) -> float:
        motions: list[Motion] = [
            random_motion(np.random.default_rng(seed), 8, stride=stride) for seed in range(40)
        ]
        return float(np.mean([np.abs(np.diff(motion.angles, axis=0)).mean() for motion in motions]))

    assert 1.8 < speed(3) / speed(1) < 3.1
    motion = random_motion(np.random.default_rng(0), 30)
    steps, bends = (np.abs(np.diff(motion.angles, n, axis=0)).mean() for n in (1, 2))
    assert bends < 0.3 * steps
