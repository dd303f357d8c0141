"""Carries motion over to the keypoints of a still: where each joint and each control point goes.

Points of the plane are complex numbers here, x + iy, in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidpose.data.synthesis.limb_motion import LIMBS, PARENTS, Motion
from vidpose.skeleton import COCO_17

Points = NDArray[np.complex128]

_JOINT = {name: index for index, name in enumerate(COCO_17.keypoints)}
_LIMB = {name: index for index, name in enumerate(LIMBS)}
_FACE = [_JOINT[name] for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear")]
_NECK = [_JOINT["left_shoulder"], _JOINT["right_shoulder"]]
_PELVIS = [_JOINT["left_hip"], _JOINT["right_hip"]]
# outer joint, its inner joint, the limb between them; inner limbs come first
_CHAIN = tuple(
    (_JOINT[f"{side}_{outer}"], _JOINT[f"{side}_{inner}"], _LIMB[f"{side}_{limb}"])
    for inner, outer, limb in (
        ("shoulder", "elbow", "upper_arm"),
        ("elbow", "wrist", "forearm"),
        ("hip", "knee", "thigh"),
        ("knee", "ankle", "shin"),
    )
    for side in ("left", "right")
)
_INNER = {outer: inner for outer, inner, _ in _CHAIN}
_LIMB_OF = (
    dict.fromkeys(_FACE, _LIMB["head"])
    | dict.fromkeys(_NECK, _LIMB["shoulders"])
    | dict.fromkeys(_PELVIS, _LIMB["hips"])
    | {outer: limb for outer, _, limb in _CHAIN}
)
_JOINT_LIMB = np.array([_LIMB_OF[joint] for joint in range(len(_JOINT))])
_ALONG = (1 / 3, 2 / 3)  # where on a limb its control points lie
# control points between two joints: where from, where to, how far along, moved by which limb
_LINES = [(inner, outer, share, limb) for outer, inner, limb in _CHAIN for share in _ALONG]
_LINES += [(a, b, 0.5, _LIMB["torso"]) for a, b in zip(_NECK, _PELVIS, strict=True)]
_FROM, _TO, _LIMB_BETWEEN = (np.array([line[i] for line in _LINES]) for i in (0, 1, 3))
_SHARE = np.array([line[2] for line in _LINES])
_HEAD = (0.3, 0.55)  # the same for a head without face joints, in torso lengths from the neck


@dataclass(frozen=True, slots=True)
class Controls:
    """Points of a still and where they are in each of T frames.

    Attributes:
        joints: (T, 17): the joints' positions; meaningless for unknown joints.
        source: (N,): control points in the still: the known joints and points on limbs.
        target: (T, N): the control points in each frame.
        limbs: (N,): the index in `LIMBS` of the limb that moves each control point.
    """

    joints: Points
    source: Points
    target: Points
    limbs: NDArray[np.intp]


def retarget(keypoints: NDArray[np.float32], motion: Motion) -> Controls:
    """Move a still's keypoints by the limbs' motion (its path is left to the camera).

    Args:
        keypoints: (17, 3) COCO joints: x, y, weight; weight 0 marks unknown joints, which do not
            move anything. The torso's centre stays, or what is known of it.
    """
    known = keypoints[:, 2] > 0
    still = np.asarray(keypoints[:, 0] + 1j * keypoints[:, 1], dtype=np.complex128)
    turn = np.exp(motion.stretches + 1j * motion.angles)
    moved = np.tile(still, (len(motion), 1))
    neck, pelvis = _middle(still, known, _NECK), _middle(still, known, _PELVIS)
    half = (neck - pelvis) / 2 if neck is not None and pelvis is not None else 0j
    drift = (turn[:, _LIMB["torso"]] - 1) * half  # of the neck; the pelvis goes the other way
    spin = np.exp(1j * motion.angles[:, _LIMB["head"]])[:, None]
    if neck is not None:
        place = (neck + drift)[:, None]
        moved[:, _NECK] = place + turn[:, [_LIMB["shoulders"]]] * (still[_NECK] - neck)
        moved[:, _FACE] = place + spin * (still[_FACE] - neck)
    if pelvis is not None:
        place = (pelvis - drift)[:, None]
        moved[:, _PELVIS] = place + turn[:, [_LIMB["hips"]]] * (still[_PELVIS] - pelvis)
    _move_limbs(still, known, turn, moved)

    joints = np.flatnonzero(known)
    there = known[_FROM] & known[_TO]
    start, end, share = _FROM[there], _TO[there], _SHARE[there]
    source = [still[joints], still[start] * (1 - share) + still[end] * share]
    target = [moved[:, joints], moved[:, start] * (1 - share) + moved[:, end] * share]
    limbs = [_JOINT_LIMB[joints], _LIMB_BETWEEN[there]]
    if neck is not None and half != 0 and not known[_FACE].any():
        head = 2 * half * np.array(_HEAD)
        source.append(neck + head)
        target.append((neck + drift)[:, None] + spin * head)
        limbs.append(np.full(len(_HEAD), _LIMB["head"]))
    return Controls(
        moved, np.concatenate(source), np.concatenate(target, axis=1), np.concatenate(limbs)
    )


def blame(controls: Controls, frames: NDArray[np.intp], places: Points) -> NDArray[np.float64]:
    """How to weaken the limbs (12,) whose control points are nearest to faulty places.

    Args:
        frames: (M,) the frames of the faults.
        places: (M,) their places in the plane of `controls.target`.

    Returns:
        Factors for `Motion.weakened`: a half for the limbs of the two nearest control points, and
        something less drastic for the limbs that carry them.
    """
    distance = np.abs(controls.target[frames] - places[:, None])
    nearest = np.argsort(distance, axis=1)[:, :2]
    factors = np.ones(len(LIMBS))
    for limb in np.unique(controls.limbs[nearest]):
        factors[limb] = 0.5
        parent = PARENTS[limb]
        while parent >= 0:
            factors[parent] = min(factors[parent], 0.75)
            parent = PARENTS[parent]
    return factors


def _middle(still: Points, known: NDArray[np.bool_], pair: list[int]) -> complex | None:
    """The middle of a left and right joint, or the only known one of them."""
    there = [joint for joint in pair if known[joint]]
    return complex(still[there].mean()) if there else None


def _move_limbs(still: Points, known: NDArray[np.bool_], turn: Points, moved: Points) -> None:
    """Hang the limbs on the moved shoulders and hips, in place; unknown joints are skipped."""
    for outer, inner, limb in _CHAIN:
        base: int | None = inner
        while base is not None and not known[base]:
            base = _INNER.get(base)
        if known[outer] and base is not None:
            moved[:, outer] = moved[:, base] + turn[:, limb] * (still[outer] - still[base])
