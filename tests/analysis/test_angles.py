from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from movements import UPRIGHT, frames, pose, turned
from vidpose.analysis import AngleColumns, angle_names, person_angles
from vidpose.analysis.angles import FacingSide, facing_direction, facing_signs
from vidpose.errors import InputError
from vidpose.skeleton import COCO_17, JHMDB_15, Skeleton

FEET = Skeleton(
    "feet",
    (*COCO_17.keypoints, "left_heel", "right_heel", "left_big_toe", "right_big_toe"),
    (),
    (*COCO_17.flip_pairs, (17, 18), (19, 20)),
    (*COCO_17.sigmas, 0.1, 0.1, 0.1, 0.1),
)


def angles(points: np.ndarray, skeleton: Skeleton = COCO_17, facing: float = 1) -> dict[str, float]:
    found = person_angles(points, skeleton, facing)
    return dict(zip(angle_names(skeleton), found.tolist(), strict=True))


def mirrored(points: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    return (points * (-1, 1, 1) + (400, 0, 0))[list(skeleton.flip_index)]


def test_who_stands_upright_has_zero_in_every_joint() -> None:
    points = pose(FEET, {"left_big_toe": (120, 216), "left_heel": (98, 216)})
    found = angles(points, FEET)
    for name in angle_names(FEET):
        if name.endswith("flexion"):
            assert found[name] == pytest.approx(0, abs=1e-6), name
    assert found["trunk_angle"] == found["left_thigh_angle"] == found["right_shank_angle"] == 90
    assert found["left_foot_angle"] == 0


@pytest.mark.parametrize("degrees", [25, 90, 140])
@pytest.mark.parametrize(
    ("name", "joint", "moved", "sign"),
    [
        ("knee_flexion", "knee", "ankle", -1),  # backwards is clockwise for who faces right
        ("hip_flexion", "hip", "knee", 1),
        ("shoulder_flexion", "shoulder", "elbow", 1),
        ("elbow_flexion", "elbow", "wrist", 1),
    ],
)
def test_a_bent_joint_has_its_angle_whichever_way_the_person_faces(
    name: str, joint: str, moved: str, sign: int, degrees: float
) -> None:
    points = pose(moved={f"right_{moved}": turned(UPRIGHT[joint], 50, sign * degrees)})
    assert angles(points)[f"right_{name}"] == pytest.approx(degrees, abs=1e-4)
    assert angles(points)[f"left_{name}"] == pytest.approx(0, abs=1e-4)
    other = mirrored(points, COCO_17)
    assert angles(other, facing=-1)[f"left_{name}"] == pytest.approx(degrees, abs=1e-4)


def test_an_arm_overhead_is_at_180_degrees() -> None:
    points = pose(moved={"left_elbow": (100, 20), "left_wrist": (100, -10)})
    assert angles(points)["left_shoulder_flexion"] == pytest.approx(180)


@pytest.mark.parametrize(("toe", "degrees"), [((98 + 20, 216 - 20), 45), ((98, 236), -90)])
def test_dorsiflexion_is_positive_with_raised_toes(
    toe: tuple[float, float], degrees: float
) -> None:
    points = pose(FEET, {"right_big_toe": toe})
    assert angles(points, FEET)["right_ankle_dorsiflexion"] == pytest.approx(degrees)


def test_segment_angles_are_anticlockwise_from_the_horizontal() -> None:
    leaning = pose(moved={"left_shoulder": (160, 50), "right_shoulder": (160, 50)})
    assert angles(leaning)["trunk_angle"] == pytest.approx(45)
    tilted = pose(moved={"left_hip": (80, 110), "right_hip": (120, 90)})
    assert angles(tilted)["pelvis_angle"] == pytest.approx(np.degrees(np.arctan2(20, 40)))


def test_missing_and_unsure_keypoints_have_no_angle() -> None:
    points = pose()
    points[COCO_17.keypoints.index("left_ankle")] = (np.nan, np.nan, 0)
    points[COCO_17.keypoints.index("right_wrist"), 2] = 0.2
    found = angles(points)
    assert np.isnan(found["left_knee_flexion"])
    assert np.isnan(found["right_elbow_flexion"])
    assert found["left_hip_flexion"] == pytest.approx(0, abs=1e-6)


def test_only_angles_that_a_skeleton_allows_are_named() -> None:
    assert "left_ankle_dorsiflexion" not in angle_names(COCO_17)
    assert "left_ankle_dorsiflexion" in angle_names(FEET)
    assert "left_knee_flexion" in angle_names(JHMDB_15)


@pytest.mark.parametrize("skeleton", [COCO_17, FEET])
def test_direction_is_the_noses_or_the_feets(skeleton: Skeleton) -> None:
    points = pose(skeleton)
    assert facing_direction(points, skeleton) > 0
    assert facing_direction(mirrored(points, skeleton), skeleton) < 0


def test_direction_without_a_head_is_that_of_the_knees() -> None:
    points = pose(moved={"left_knee": (120, 160), "right_knee": (120, 160)})
    points[:5, 2] = 0
    assert facing_direction(points, COCO_17) > 0


def test_many_frames_at_once_are_each_frame_alone() -> None:
    bent = [
        pose(moved={"right_ankle": turned(UPRIGHT["knee"], 50, -10 * step)}) for step in range(9)
    ]
    bent[4][:, 0] = 200 - bent[4][:, 0]
    times = np.arange(9) / 10
    signs = facing_signs(times, np.array(bent), COCO_17)
    assert signs.tolist() == [1.0] * 9
    together = person_angles(np.array(bent), COCO_17, signs)
    alone = AngleColumns(COCO_17)
    rows = [alone.rows(frame)[0] for frame in frames(times.tolist(), {1: bent})]
    np.testing.assert_allclose(together, rows, atol=1e-4)


def test_the_side_changes_only_where_it_is_clear() -> None:
    """Right, then seen from behind with the nose a little to either side, then left."""
    from_behind = [0.05, -0.05] * 20
    swings = [0.06] * 20 + [-0.06] * 20
    directions = [0.2] * 10 + from_behind + swings + [-0.2] * 20
    side = FacingSide()
    signs = [side.add(index / 20, direction) for index, direction in enumerate(directions)]
    assert signs[:90] == [1.0] * 90
    assert signs[-10:] == [-1.0] * 10
    assert sum(a != b for a, b in pairwise(signs)) == 1
    assert FacingSide().add(0.0, -0.01) == -1.0  # the first hint counts until there is a clear one
    assert FacingSide().add(0.0, float("nan")) == 1.0


def test_direction_does_not_change_with_one_frame() -> None:
    bent = pose(moved={"right_ankle": turned(UPRIGHT["knee"], 50, -60)})
    glance = bent.copy()
    glance[0, 0] = 97  # for one frame the nose is behind the ears
    times = [0.04 * index for index in range(10)]
    columns = AngleColumns(COCO_17)
    rows = [
        columns.rows(frame)[0]
        for frame in frames(times, {1: [glance if index == 6 else bent for index in range(10)]})
    ]
    at = columns.names.index("right_knee_flexion")
    assert [row[at] for row in rows] == pytest.approx([60] * 10, abs=1e-3)


def test_keypoints_of_another_skeleton_are_refused() -> None:
    keypoints = np.ones((4, 15, 3), np.float32)
    with pytest.raises(InputError, match=r"\(4, 15, 3\) are not of skeleton coco17, which has 17"):
        person_angles(keypoints, COCO_17, 1.0)
    with pytest.raises(InputError, match="coco17"):
        facing_signs(np.arange(4.0), keypoints, COCO_17)
