"""Carries motion over to the keypoints of a still: where each joint and each control point goes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidpose.data.motion import LIMBS, Motion
from vidpose.skeleton import COCO_17

_JOINT = {name: index for index, name in enumerate(COCO_17.keypoints)}
_LIMB = {name: index for index, name in enumerate(LIMBS)}
_FACE = tuple(_JOINT[name] for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear"))
# outer joint, its inner joint, the limb between them; inner joints come first
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
_PAIRS = (("shoulder", "shoulders"), ("hip", "hips"))
_ALONG = (1 / 3, 2 / 3)  # where on a limb its control points lie
_HEAD = (0.3, 0.55)  # the same for the head, in torso lengths from the neck


@dataclass(frozen=True, slots=True)
class Controls:
    """Points of a still and where they are in each of T frames.

    Attributes:
        joints: float64 (T, 17, 2): the joints' positions; meaningless for unknown joints.
        source: float64 (N, 2): control points in the still; the known joints and points on limbs.
        target: float64 (T, N, 2): the control points in each frame.
    """

    joints: NDArray[np.float64]
    source: NDArray[np.float64]
    target: NDArray[np.float64]


def retarget(keypoints: NDArray[np.float32], motion: Motion) -> Controls:
    """Move a still's keypoints by the limbs' motion (its path is left to the camera).

    Args:
        keypoints: (17, 3) COCO joints: x, y, weight; weight 0 marks unknown joints, which do not
            move anything. The torso's centre stays, or what is known of it.
    """
    known = keypoints[:, 2] > 0
    still = keypoints[:, 0].astype(np.float64) + 1j * keypoints[:, 1]
    turn = np.exp(motion.stretches + 1j * motion.angles)
    moved = np.tile(still, (len(motion), 1))
    neck, pelvis = (_middle(still, known, name) for name, _ in _PAIRS)
    neck_moved, pelvis_moved = _move_torso(neck, pelvis, turn[:, _LIMB["torso"]], len(motion))
    for (name, limb), center, center_moved in zip(
        _PAIRS, (neck, pelvis), (neck_moved, pelvis_moved), strict=True
    ):
        for joint in (_JOINT[f"left_{name}"], _JOINT[f"right_{name}"]):
            if known[joint] and center is not None and center_moved is not None:
                moved[:, joint] = center_moved + turn[:, _LIMB[limb]] * (still[joint] - center)
    spin = np.exp(1j * motion.angles[:, _LIMB["head"]])
    if neck is not None and neck_moved is not None:
        for joint in _FACE:
            moved[:, joint] = neck_moved + spin * (still[joint] - neck)
    _move_limbs(still, known, turn, moved)

    source, target = [still[known]], [moved[:, known]]

    def add(start: int, end: int, shares: tuple[float, ...]) -> None:
        for share in shares:
            if known[start] and known[end]:
                source.append(still[[start]] * (1 - share) + still[[end]] * share)
                target.append(moved[:, [start]] * (1 - share) + moved[:, [end]] * share)

    for outer, inner, _ in _CHAIN:
        add(inner, outer, _ALONG)
    for side in ("left", "right"):
        add(_JOINT[f"{side}_shoulder"], _JOINT[f"{side}_hip"], (0.5,))
    if neck is not None and pelvis is not None and neck_moved is not None:
        for share in _HEAD if not known[list(_FACE)].any() else ():
            source.append(np.array([neck + share * (neck - pelvis)]))
            target.append((neck_moved + spin * share * (neck - pelvis))[:, None])
    return Controls(
        joints=_xy(moved),
        source=_xy(np.concatenate(source)),
        target=_xy(np.concatenate(target, axis=1)),
    )


def _xy(points: NDArray[np.complex128]) -> NDArray[np.float64]:
    return np.stack([points.real, points.imag], axis=-1)


def _middle(
    still: NDArray[np.complex128], known: NDArray[np.bool_], name: str
) -> np.complex128 | None:
    """The middle of a left and right joint, or the only known one of them."""
    pair = [joint for joint in (_JOINT[f"left_{name}"], _JOINT[f"right_{name}"]) if known[joint]]
    return np.complex128(still[pair].mean()) if pair else None


def _move_torso(
    neck: np.complex128 | None,
    pelvis: np.complex128 | None,
    turn: NDArray[np.complex128],
    frames: int,
) -> tuple[NDArray[np.complex128] | None, NDArray[np.complex128] | None]:
    """Paths (T,) of neck and pelvis about their common centre."""
    if neck is None or pelvis is None:
        still = [None if end is None else np.full(frames, end) for end in (neck, pelvis)]
        return still[0], still[1]
    half = turn * (neck - pelvis) / 2
    center = (neck + pelvis) / 2
    return center + half, center - half


def _move_limbs(
    still: NDArray[np.complex128],
    known: NDArray[np.bool_],
    turn: NDArray[np.complex128],
    moved: NDArray[np.complex128],
) -> None:
    """Hang the limbs on the moved shoulders and hips, in place."""
    inner_of = {outer: inner for outer, inner, _ in _CHAIN}
    for outer, inner, limb in _CHAIN:
        anchor: int | None = inner
        while anchor is not None and not known[anchor]:
            anchor = inner_of.get(anchor)
        if known[outer] and anchor is not None:
            moved[:, outer] = moved[:, anchor] + turn[:, limb] * (still[outer] - still[anchor])
