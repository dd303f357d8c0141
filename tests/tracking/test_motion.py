"""The crop that follows a body, and the prediction of where the body will be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidpose.inference.crop import CropRegion, region_around
from vidpose.tracking.motion import (
    displacement,
    extrapolate,
    follow_box,
    holding,
    side_offsets,
    spread_box,
    update_velocity,
)

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


def test_motion_by_hand() -> None:
    """Time constants of 3 s (coasting), of the given one (velocity), and 0.15 s (size)."""
    velocity = np.array([30.0, -6.0])
    assert extrapolate(velocity, 1.5) == pytest.approx(velocity * 3 * (1 - np.exp(-0.5)))
    assert extrapolate(velocity, 0.0) == pytest.approx([0, 0])
    faster = update_velocity(velocity, np.array([5.0, 1.0]), 0.1, 0.4)
    assert faster == pytest.approx([30 + 0.2 * (50 - 30), -6 + 0.2 * (10 + 6)])


@pytest.mark.parametrize(("growth", "resized"), [(1.09, False), (1.11, True), (0.89, True)])
def test_the_crops_size_follows_from_a_tenth_on(growth: float, resized: bool) -> None:
    x, y, w, h = BOX
    box = (x + w / 2 * (1 - growth), y + h / 2 * (1 - growth), w * growth, h * growth)
    region = follow_box(REGION, box, 0.15, aspect=0.75, padding=1.25)
    assert region.h == pytest.approx(REGION.h * (growth**0.5 if resized else 1.0))
    assert region.w == pytest.approx(0.75 * region.h)
    assert region.center == pytest.approx(REGION.center)


def test_the_crop_is_dragged_at_its_slack() -> None:
    x, y, w, h = BOX
    for dx, dy in ((30, 40), (-30, -40), (30, -40)):
        moved = follow_box(REGION, (x + dx, y + dy, w, h), 1 / 30, aspect=0.75, padding=1.25)
        middle_x = x + w / 2 + dx - np.sign(dx) * 0.04 * REGION.w
        middle_y = y + h / 2 + dy - np.sign(dy) * 0.04 * REGION.h
        assert moved.center == pytest.approx((middle_x, middle_y))


def test_three_keypoints_seen_in_both_tell_the_motion() -> None:
    before = np.zeros((5, 3), np.float32)
    before[:, 2] = (0.25, 0.9, 0.9, 0.9, 0.24)
    later = before.copy()
    later[:, :2] += np.array([(1, 10), (2, 20), (3, 30), (4, 40), (500, 500)])
    assert displacement(before, later) == pytest.approx(np.array([2.5, 25.0]))
    later[3, 2] = 0.1
    assert displacement(before, later) == pytest.approx(np.array([2.0, 20.0]))
    later[2, 2] = 0.1
    assert displacement(before, later) is None


def test_sides_that_head_outwards_spread_the_box() -> None:
    """Left and bottom side go on, but for 3 px that may be trembling; the top side comes nearer and
    stays. By a quarter at most."""
    moved = side_offsets((100, 50, 40, 100), (97, 53, 44, 101))
    assert moved == pytest.approx(np.array([-3, 3, 1, 4]))
    box, velocity = (97.0, 53.0, 44.0, 100.0), moved / 0.1
    assert spread_box(box, velocity, 0.2) == pytest.approx((94, 53, 47, 105))
    assert spread_box(box, velocity, 0.05) == pytest.approx(box)
    assert spread_box(box, velocity, 60) == pytest.approx((97 - 11, 53, 44 + 22, 125))


def test_the_crop_moves_to_hold_the_box_with_its_edge_and_grows_where_it_must() -> None:
    region = CropRegion(0.0, 0.0, 75.0, 100.0)
    assert holding(region, (20.0, 10.0, 40.0, 80.0), 0.75) == region
    moved = holding(region, (20.0, -20.0, 40.0, 80.0), 0.75)  # 2 % of 80 px above it
    assert (moved.x, moved.y, moved.w, moved.h) == pytest.approx((0.0, -21.6, 75.0, 100.0))
    grown = holding(region, (20.0, -20.0, 40.0, 100.0), 0.75)
    assert (grown.y, grown.h, grown.w) == pytest.approx((-22.0, 104.0, 78.0))
    assert grown.center[0] == pytest.approx(37.5)


@given(
    st.tuples(st.floats(-50, 150), st.floats(-50, 150), st.floats(1, 200), st.floats(1, 200)),
    st.sampled_from([0.6, 0.75, 1.0]),
)
def test_the_held_region_has_its_shape_and_the_box_inside(
    box: tuple[float, float, float, float], aspect: float
) -> None:
    held = holding(CropRegion(0.0, 0.0, 100.0 * aspect, 100.0), box, aspect)
    x, y, w, h = box
    assert held.w == pytest.approx(aspect * held.h)
    assert held.h >= 100
    assert held.x <= x
    assert held.y <= y
    assert held.x + held.w >= x + w
    assert held.y + held.h >= y + h
