"""Motion carried over to stills."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vidpose.data.synthesis.limb_motion import LIMBS, Motion, random_motion
from vidpose.data.synthesis.retarget import blame, retarget
from vidpose.skeleton import COCO_17

NAMES = COCO_17.keypoints
STANDING = np.array(
    [[50, 10], [53, 7], [47, 7], [57, 9], [43, 9], [65, 30], [35, 30], [75, 55], [25, 55],
     [80, 80], [20, 80], [58, 80], [42, 80], [60, 115], [40, 115], [60, 150], [40, 150]], float,
)  # fmt: skip


def person(**weights: float) -> np.ndarray:
    keypoints = np.column_stack([STANDING, np.ones(17)]).astype(np.float32)
    for name, weight in weights.items():
        keypoints[NAMES.index(name), 2] = weight
    return keypoints


def turning(limb: str, angle: float) -> Motion:
    """Two frames; in the second one limb has turned."""
    angles = np.zeros((2, len(LIMBS)))
    angles[1, LIMBS.index(limb)] = angle
    return Motion(angles, np.zeros_like(angles), np.zeros((2, 2)))


def at(points: np.ndarray, name: str) -> complex:
    return complex(points[NAMES.index(name)])


STILL = STANDING @ [1, 1j]


def test_a_turning_forearm_moves_the_wrist_alone() -> None:
    controls = retarget(person(), turning("left_forearm", np.pi / 2))
    np.testing.assert_allclose(controls.joints[0], STILL)
    moved = np.flatnonzero(np.abs(controls.joints[1] - STILL) > 1e-6)
    assert [NAMES[joint] for joint in moved] == ["left_wrist"]
    forearm = at(controls.joints[1], "left_wrist") - at(STILL, "left_elbow")
    np.testing.assert_allclose(forearm, 1j * (at(STILL, "left_wrist") - at(STILL, "left_elbow")))


def test_a_turning_thigh_carries_the_shin_along() -> None:
    joints = retarget(person(), turning("right_thigh", 0.5)).joints[1]
    shin = at(joints, "right_ankle") - at(joints, "right_knee")
    np.testing.assert_allclose(shin, at(STILL, "right_ankle") - at(STILL, "right_knee"))
    assert abs(at(joints, "right_knee") - at(STILL, "right_knee")) > 10


def test_a_turning_torso_keeps_its_centre() -> None:
    joints = retarget(person(), turning("torso", 0.3)).joints[1]
    corners = [
        NAMES.index(f"{side}_{part}") for side in ("left", "right") for part in ("shoulder", "hip")
    ]
    np.testing.assert_allclose(joints[corners].mean(), STILL[corners].mean())
    assert abs(at(joints, "nose") - at(STILL, "nose")) > 5


def test_a_missing_elbow_leaves_the_wrist_on_the_shoulder() -> None:
    keypoints = person(left_elbow=0)
    joints = retarget(keypoints, turning("left_forearm", 0.4)).joints[1]
    arm = at(joints, "left_wrist") - at(STILL, "left_shoulder")
    expected = np.exp(0.4j) * (at(STILL, "left_wrist") - at(STILL, "left_shoulder"))
    np.testing.assert_allclose(arm, expected)


@given(seed=st.integers(0, 10_000), weights=st.lists(st.booleans(), min_size=17, max_size=17))
def test_turning_keeps_limb_lengths_whatever_is_known(seed: int, weights: list[bool]) -> None:
    keypoints = person()
    keypoints[:, 2] = weights
    motion = random_motion(np.random.default_rng(seed), 5)
    motion = Motion(motion.angles, np.zeros_like(motion.stretches), motion.path)
    controls = retarget(keypoints, motion)
    assert np.isfinite(controls.target).all()
    assert controls.target.shape == (5, len(controls.source)) == (5, len(controls.limbs))
    chains = ("shoulder elbow", "elbow wrist", "hip knee", "knee ankle")
    for inner, outer in (chain.split() for chain in chains):
        for side in ("left", "right"):
            a, b = NAMES.index(f"{side}_{inner}"), NAMES.index(f"{side}_{outer}")
            if weights[a] and weights[b]:
                length = np.abs(controls.joints[:, a] - controls.joints[:, b])
                np.testing.assert_allclose(length, abs(STILL[a] - STILL[b]))


def test_controls_lie_on_the_still_where_nothing_has_moved() -> None:
    motion = random_motion(np.random.default_rng(0), 6)
    reference = int(np.abs(motion.angles).sum(axis=1).argmin())
    controls = retarget(person(), motion)
    np.testing.assert_allclose(controls.target[reference], controls.source)


def test_the_head_is_carried_also_without_face_joints() -> None:
    face = dict.fromkeys(("nose", "left_eye", "right_eye", "left_ear", "right_ear"), 0.0)
    controls = retarget(person(**face), turning("head", 0.5))
    head = controls.limbs == LIMBS.index("head")
    assert head.sum() == 2
    assert (controls.source[head].imag < 30).all()  # above the shoulders
    assert (np.abs(controls.target[1] - controls.source)[head] > 3).all()


def test_blame_goes_to_the_nearest_limb_and_spares_the_others() -> None:
    controls = retarget(person(), turning("left_forearm", 0.2))
    factors = blame(controls, np.array([1]), controls.joints[1, [NAMES.index("left_wrist")]])
    assert factors[LIMBS.index("left_forearm")] == 0.5
    assert 0.5 < factors[LIMBS.index("left_upper_arm")] < 1
    assert factors[LIMBS.index("right_forearm")] == factors[LIMBS.index("left_shin")] == 1
