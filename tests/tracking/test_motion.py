"""The crop that follows a body, and the prediction of where the body will be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidpose.inference.crop import region_around
from vidpose.tracking.motion import displacement, extrapolate, follow_box, update_velocity

BOX = (100.0, 50.0, 40.0, 100.0)
REGION = region_around(BOX, aspect=0.75, padding=1.25)


def after(box: tuple[float, float, float, float], seconds: float = 1 / 30) -> object:
    return follow_box(REGION, box, seconds, aspect=0.75, padding=1.25)


def test_the_crop_rests_while_the_body_trembles() -> None:
    assert after((102.0, 47.0, 41.0, 96.0)) == REGION


@given(st.floats(-300, 300), st.floats(-300, 300))
def test_the_crop_never_lags_more_than_its_slack(dx: float, dy: float) -> None:
    x, y, w, h = BOX
    moved = follow_box(REGION, (x + dx, y + dy, w, h), 1 / 30, aspect=0.75, padding=1.25)
    assert abs(moved.center[0] - (x + dx + w / 2)) <= 0.04 * moved.w + 1e-6
    assert abs(moved.center[1] - (y + dy + h / 2)) <= 0.04 * moved.h + 1e-6


@pytest.mark.parametrize("rate", [6, 30, 120])
def test_the_crop_grows_with_the_body_at_the_same_pace_at_any_rate(rate: int) -> None:
    region, target = REGION, (90.0, 0.0, 80.0, 200.0)
    for _ in range(rate):
        region = follow_box(region, target, 1 / rate, aspect=0.75, padding=1.25)
    assert region.h == pytest.approx(250.0, rel=0.12)
    assert region.w / region.h == pytest.approx(0.75)


def test_velocity_is_learnt_at_any_rate() -> None:
    for rate in (5, 30, 120):
        velocity = np.zeros(2)
        for _ in range(rate):
            velocity = update_velocity(velocity, np.array([60.0, -30.0]) / rate, 1 / rate, 0.25)
        assert velocity == pytest.approx(np.array([60.0, -30.0]), rel=0.06)


def test_a_person_unseen_is_thought_to_slow_down() -> None:
    velocity = np.array([60.0, 0.0])
    assert extrapolate(velocity, 0.1)[0] == pytest.approx(6.0, rel=0.05)
    assert 60.0 < extrapolate(velocity, 2.0)[0] < 120.0
    assert extrapolate(velocity, 1000.0)[0] < 1000.0


def test_a_swinging_arm_does_not_move_the_body() -> None:
    before = np.zeros((7, 3), np.float32)
    before[:, 2] = 0.9
    later = before.copy()
    later[:, :2] += (3.0, 1.0)
    later[5:, :2] += (40.0, -40.0)
    assert displacement(before, later) == pytest.approx(np.array([3.0, 1.0]))


def test_too_few_keypoints_tell_no_motion() -> None:
    before = np.zeros((7, 3), np.float32)
    before[:2, 2] = 0.9
    assert displacement(before, before) is None
