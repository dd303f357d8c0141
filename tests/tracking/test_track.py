"""What a track keeps of its person: pose, velocity, and keypoints that are out of sight."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from driven import new_track, pose

from vidpose.inference.crop import region_around
from vidpose.inference.pose import Pose
from vidpose.tracking.track import Track


def test_a_new_track_is_observed_and_rests() -> None:
    person = pose(100, score=0.8)
    track = Track(1, 2.0, person, 2.5, region_around(person.box), None)  # type: ignore[arg-type]
    assert track.observed is track.predicted is track.current is person
    assert (track.detected_time, track.lost_time, track.init_time) == (2.5, 2.5, 2.5)
    assert track.init_score == person.score
    assert track.velocity.tolist() == [0.0, 0.0]
    flags = (track.overlapping, track.crop_shared, track.memory_mixed)
    assert flags == (False, False, False)
    assert track.low_score_since is track.duplicate_since is None


@pytest.mark.parametrize(("overlapping", "constant"), [(False, 0.25), (True, 1.0)])
def test_velocity_follows_with_a_time_constant(overlapping: bool, constant: float) -> None:
    """10 px in 0.1 s are 100 px/s; less certain while another person is close."""
    track = new_track(100)
    track.overlapping = overlapping
    track.update(pose(110), 0.1)
    expected = 100 * 0.1 / (0.1 + constant)
    assert track.velocity == pytest.approx(np.array([expected, 0.0]), abs=1e-4)
    assert track.pose_time == 0.1
    assert track.pose.keypoints[0, 0] == pytest.approx(160)


def test_a_pose_at_the_same_time_tells_no_velocity() -> None:
    track = new_track(100)
    track.update(pose(110), 0.0)
    assert track.velocity.tolist() == [0.0, 0.0]
    assert track.pose.keypoints[0, 0] == pytest.approx(160)


def test_the_prediction_moves_on_and_nothing_is_observed() -> None:
    track = new_track(100)
    track.velocity = np.array([30.0, -60.0])
    track.predict(0.5)
    way = 3.0 * (1 - math.exp(-0.5 / 3.0))
    moved = track.predicted.keypoints[0, :2] - track.pose.keypoints[0, :2]
    assert moved == pytest.approx([30 * way, -60 * way], abs=1e-4)
    assert track.observed is None
    assert track.current is track.predicted


def test_the_crop_follows_the_prediction() -> None:
    track = new_track(100)
    before = track.region
    track.velocity = np.array([300.0, 0.0])
    track.predict(1.0)
    track.move_crop(1.0, 0.75, 1.25)
    x, y, w, h = track.predicted.box
    assert track.region.center[0] == pytest.approx(x + w / 2 - 0.04 * track.region.w)
    assert track.region.center[1] == pytest.approx(y + h / 2)
    assert track.region.h == pytest.approx(before.h)


def test_keypoints_out_of_sight_are_carried_by_the_body_and_forgotten() -> None:
    """Three keypoints disappear while the body moves by 20 px; their confidence decays by e in
    a second, and below a quarter the new place is taken."""
    track = new_track(100)
    hidden = pose(120)
    hidden.keypoints[:3] = (7.0, 8.0, 0.1)
    track.update(hidden, 0.5)
    kept = track.pose.keypoints
    assert kept[0, :2] == pytest.approx(pose(120).keypoints[0, :2], abs=1e-4)
    assert kept[0, 2] == pytest.approx(0.9 * math.exp(-0.5))
    assert kept[3:, 2].min() == pytest.approx(0.9)
    assert track.pose.box == pytest.approx(pose(120).box, abs=1e-3)
    track.update(hidden, 1.8)  # 0.9 exp(-1.8) is below a quarter
    assert track.pose.keypoints[0] == pytest.approx([7.0, 8.0, 0.1])


def test_who_is_hidden_moves_on_by_the_velocity() -> None:
    """With fewer than three keypoints in both frames the velocity carries what is not seen."""
    track = new_track(100)
    track.velocity = np.array([40.0, 0.0])
    hidden = pose(500)
    hidden.keypoints[2:, 2] = 0.1
    track.update(hidden, 0.5)
    way = 40 * 3.0 * (1 - math.exp(-0.5 / 3.0))
    assert track.pose.keypoints[5, 0] == pytest.approx(pose(100).keypoints[5, 0] + way, abs=1e-3)
    assert track.pose.keypoints[0, 0] == pytest.approx(pose(500).keypoints[0, 0])
    assert track.velocity.tolist() == [40.0, 0.0]


def test_a_pose_seen_in_full_is_kept_as_it_is() -> None:
    track, found = new_track(100), pose(120)
    found.keypoints[0, 2] = 0.25
    track.update(found, 0.1)
    assert track.pose is found


def test_the_crop_grows_before_the_body_that_it_would_cut_off() -> None:
    """A person comes nearer, at 10 frames/s: the head goes on up, and the crop has it already."""
    track = new_track(100)
    before, nearer = track.pose.box, pose(100)
    nearer.keypoints[nearer.keypoints[:, 1].argmin(), 1] -= 60
    nearer = Pose.of(nearer.keypoints)
    track.update(nearer, 0.1)
    track.predict(0.2)
    track.move_crop(0.1, 0.75, 1.1)
    rise = before[1] - track.pose.box[1]
    assert rise > 50
    heading = rise / 2 - 0.03 * track.predicted.box[3]  # half: of a tenth of a second in 0.1 s
    assert track.region.y < track.predicted.box[1] - heading
    assert track.region.y + track.region.h > track.predicted.box[1] + track.predicted.box[3]


def test_the_memory_has_a_quarter_of_the_last_look() -> None:
    track = new_track(100)
    track.look = np.full((17, 2, 3, 3), 8.0, np.float32)
    track.pose = replace(track.pose, kernels=np.zeros((17, 2, 3, 3), np.float32))
    assert track.memory is not None
    assert track.memory == pytest.approx(2.0)
    track.pose = replace(track.pose, kernels=np.ones((2, 5, 5), np.float32))  # factorised
    assert track.memory is track.pose.kernels


def test_a_new_track_looks_back_at_its_first_pose() -> None:
    found = replace(pose(100), kernels=np.ones((17, 1, 1, 1), np.float32))
    track = Track(1, 0.0, found, 0.0, region_around(found.box), None)  # type: ignore[arg-type]
    assert track.look is found.kernels


def test_the_size_is_the_greatest_of_the_last_seconds() -> None:
    """Who bends may stand up again; who goes away gets smaller for good."""
    track = new_track(100)
    tall = track.size
    assert tall == max(pose(100).box[2:])
    track.update(pose(100, height=100), 0.3)
    assert track.size == pytest.approx(tall * math.exp(-0.1))
    track.update(pose(100, height=100), 30.0)
    assert track.size == max(pose(100, height=100).box[2:])
    track.update(pose(100, height=300), 30.1)
    assert track.size == max(pose(100, height=300).box[2:])
