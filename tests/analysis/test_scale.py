from __future__ import annotations

import numpy as np
import pytest

from movements import frames, pose, shifted
from vidpose.analysis import (
    Floor,
    MetreColumns,
    find_floor,
    metres_per_pixel,
    person_trajectories,
)
from vidpose.errors import VidposeError
from vidpose.skeleton import COCO_17, JHMDB_15

STANDING_PIXELS = 160 / 0.779  # ankle to shoulder is .779 of the height
SCALE = 1.8 / STANDING_PIXELS


def test_a_standing_person_gives_the_scale() -> None:
    found = frames([0.0, 0.1], {1: [pose(), pose()]})
    assert metres_per_pixel(found, COCO_17, 1.8) == pytest.approx(SCALE, rel=1e-3)


def test_limbs_that_point_at_the_camera_do_not_shrink_the_person() -> None:
    short = pose(moved={"left_ankle": (100, 170), "right_ankle": (100, 170)})
    found = frames([0, 0.1, 0.2, 0.3], {1: [pose(), pose(), short, short]})
    assert metres_per_pixel(found, COCO_17, 1.8) == pytest.approx(SCALE, rel=1e-3)


def test_the_person_is_whoever_is_seen_longest_or_the_one_asked_for() -> None:
    small = pose() * (0.5, 0.5, 1)
    found = frames([0, 0.1, 0.2], {1: [pose()] * 3, 2: [small, small, None]})
    assert metres_per_pixel(found, COCO_17, 1.8) == pytest.approx(SCALE, rel=1e-3)
    assert metres_per_pixel(found, COCO_17, 1.8, person=2) == pytest.approx(2 * SCALE, rel=1e-3)


def test_the_floor_is_under_resting_feet_also_when_the_camera_is_tilted() -> None:
    slope, generator = 0.1, np.random.default_rng(0)
    points = []
    for step in range(40):
        x = 20.0 * (step // 4)  # stands for four frames, then stands further on
        moved = shifted(pose(), x, slope * (x + 100))
        moved[:, :2] += generator.normal(0, 0.1, (17, 2))
        points.append(moved)
    track = person_trajectories(frames([0.1 * step for step in range(40)], {1: points}))[1]
    floor = find_floor(track, COCO_17, SCALE)
    assert floor.slope == pytest.approx(slope, abs=0.01)
    ankle_drop = 0.039 * 1.7 / SCALE
    assert floor.y == pytest.approx(210 + ankle_drop, abs=2)


def test_who_stands_still_gives_a_level_floor() -> None:
    track = person_trajectories(frames([0, 0.1, 0.2], {1: [pose()] * 3}))[1]
    assert find_floor(track, COCO_17, SCALE).slope == 0


def test_metres_run_along_the_floor_and_upwards() -> None:
    floor = Floor(200, 0)
    np.testing.assert_allclose(floor.to_metres(np.array([[50.0, 100.0]]), 0.01), [[0.5, 1.0]])
    tilted = Floor(0, 1)  # the floor falls to the right by 45 degrees
    along = tilted.to_metres(np.array([[10.0, 10.0]]), 1)
    np.testing.assert_allclose(along, [[200**0.5, 0]], atol=1e-9)


def test_columns_have_metres_and_the_speed_of_the_hips() -> None:
    times = np.arange(10) / 10
    found = frames(times, {1: [shifted(pose(), 100 * time, 0) for time in times]})
    columns = MetreColumns(found, COCO_17, 1.8)
    row = dict(zip(columns.names, columns.rows(found[5])[0], strict=True))
    assert row["hips_speed_m_s"] == pytest.approx(100 * SCALE, rel=1e-3)
    assert row["left_hip_x_m"] - row["left_ankle_x_m"] == pytest.approx(0, abs=1e-6)
    assert row["left_hip_y_m"] - row["left_ankle_y_m"] == pytest.approx(100 * SCALE, rel=1e-3)
    assert row["left_ankle_y_m"] == pytest.approx(0.039 * 1.7, rel=0.05)


@pytest.mark.parametrize(
    ("height", "person", "message"),
    [(0, None, "between 0 and 3"), (180, None, "between 0 and 3"), (1.8, 9, "no person 9")],
)
def test_what_gives_no_scale_is_refused(height: float, person: int | None, message: str) -> None:
    with pytest.raises(VidposeError, match=message):
        metres_per_pixel(frames([0.0], {1: [pose()]}), COCO_17, height, person)


def test_no_person_and_no_legs_give_no_scale() -> None:
    with pytest.raises(VidposeError, match="no people"):
        metres_per_pixel(frames([0.0], {}), COCO_17, 1.8)
    hidden = pose()
    hidden[13:] = (np.nan, np.nan, 0)
    with pytest.raises(VidposeError, match="in view"):
        metres_per_pixel(frames([0.0], {1: [hidden]}), COCO_17, 1.8)


def test_people_of_another_skeleton_are_refused() -> None:
    people = frames([0.1 * n for n in range(5)], {1: [pose()] * 5})
    for measure in (
        lambda: metres_per_pixel(people, JHMDB_15, 1.7),
        lambda: find_floor(person_trajectories(people)[1], JHMDB_15, 0.01),
    ):
        with pytest.raises(VidposeError, match=r"\(5, 17, 3\) are not of skeleton jhmdb15"):
            measure()
