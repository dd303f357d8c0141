"""From one keypoint set to another, by the joints' names.

Joints that mean the same have the same name in every set. Joints that a set lacks are built from
others where that is sensible (``DERIVED``) and are missing otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidpose.errors import SkeletonError
from vidpose.skeleton.skeleton import Skeleton

_SHOULDERS = ("left_shoulder", "right_shoulder")
_HIPS = ("left_hip", "right_hip")

DERIVED: Mapping[str, tuple[tuple[str, ...], ...]] = MappingProxyType(
    {
        # LSP and JHMDB mark one neck, MPII two: the upper one is what LSP marks.
        "neck": (("upper_neck",), _SHOULDERS),
        "upper_neck": (("neck",),),
        "thorax": (_SHOULDERS,),
        "pelvis": (_HIPS,),
        # JHMDB's belly lies at 0.43 of the way from mid-shoulders to mid-hips (median, one clip).
        "belly": ((*_SHOULDERS, *_HIPS),),
        # Penn and JHMDB mark the middle of the head.
        "head": (("left_ear", "right_ear"), ("head_top", "neck"), ("head_top", "upper_neck")),
        # Human3.6M's spine lies half-way between pelvis and thorax, its jaw in the lower face.
        "spine": (("belly",), (*_SHOULDERS, *_HIPS)),
        "jaw": (("nose",),),
    }
    # BlazePose marks the toe's tip, knuckles and corners that COCO-WholeBody has too.
    | {
        f"{side}_{joint}": ((same,),)
        for side, inner, outer, corner in (("left", 42, 45, 54), ("right", 39, 36, 48))
        for joint, same in (
            ("foot_index", f"{side}_big_toe"),
            ("big_toe", f"{side}_foot_index"),
            ("pinky", f"{side}_pinky_finger_1"),
            ("index", f"{side}_forefinger_1"),
            ("thumb", f"{side}_thumb_2"),
            ("hand_root", f"{side}_wrist"),
            ("eye_inner", f"face_{inner}"),
            ("eye_outer", f"face_{outer}"),
            ("mouth", f"face_{corner}"),
        )
    }
)
"""For a joint that the source lacks: the joints whose mean stands in for it, best choice first."""


def map_keypoints(
    keypoints: NDArray[Any], source: Skeleton, target: Skeleton
) -> NDArray[np.floating[Any]]:
    """Rewrite keypoints of one skeleton in the order of another.

    ``keypoints`` is (..., K, 2) or (..., K, 3) with x, y and a confidence. Joints with the same
    name are copied; joints in ``DERIVED`` are the mean of their parts, with the least of the
    parts' confidences; the others are missing: NaN coordinates and confidence 0. The result is
    (..., K', 2 or 3) of the same floating type (float64 for integers), and always a new array.

    Raises SkeletonError when the array does not have the source's shape.
    """
    points = np.asarray(keypoints)
    if (
        points.ndim < 2
        or points.shape[-2] != source.num_keypoints
        or points.shape[-1] not in (2, 3)
    ):
        raise SkeletonError(
            f"keypoints of '{source.name}' must be (..., {source.num_keypoints}, 2 or 3), "
            f"got {points.shape}"
        )
    dtype = points.dtype if np.issubdtype(points.dtype, np.floating) else np.dtype(np.float64)
    mapped = np.full((*points.shape[:-2], target.num_keypoints, points.shape[-1]), np.nan, dtype)
    mapped[..., 2:] = 0
    for position, joint in enumerate(target.keypoints):
        parts = _parts(joint, source.keypoints)
        if parts:
            mapped[..., position, :2] = points[..., parts, :2].mean(axis=-2)
            mapped[..., position, 2:] = points[..., parts, 2:].min(axis=-2)
    return mapped


def joint_sources(source: Skeleton, target: Skeleton) -> dict[str, tuple[str, ...]]:
    """For each joint of ``target`` the joints of ``source`` that ``map_keypoints`` makes it of.

    A joint that is copied has its own name there, one that the source cannot give has nothing.
    """
    names = source.keypoints
    return {joint: tuple(names[i] for i in _parts(joint, names)) for joint in target.keypoints}


def _parts(joint: str, available: Sequence[str]) -> list[int]:
    """Indices of the source joints whose mean is ``joint``; empty when there is none."""
    for names in ((joint,), *DERIVED.get(joint, ())):
        if all(name in available for name in names):
            return [available.index(name) for name in names]
    return []
