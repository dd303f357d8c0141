"""Keypoint sets: names, edges, flip pairs and OKS sigmas, and the mapping between them.

Joints that mean the same have the same name in every set, so mapping goes by name. Joints that a
set lacks are built from others where that is sensible (``DERIVED``) and are missing otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vidpose.errors import SkeletonError

_MIRROR = {"left_": "right_", "right_": "left_"}


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A keypoint set of K joints.

    ``edges`` are the index pairs to draw as limbs. ``flip_pairs`` are the index pairs that change
    places when the image is mirrored; every ``left_*`` joint must be paired with its ``right_*``.
    ``sigmas`` are the per-joint constants of OKS (COCO's, so variance = (2 sigma)^2).

    Raises SkeletonError when the parts do not fit together.
    """

    name: str
    keypoints: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    flip_pairs: tuple[tuple[int, int], ...]
    sigmas: tuple[float, ...]

    def __post_init__(self) -> None:
        count = len(self.keypoints)
        if count == 0:
            raise self._error("it has no keypoints")
        if len(set(self.keypoints)) != count:
            raise self._error("keypoint names must be unique")
        if len(self.sigmas) != count:
            raise self._error(f"{count} keypoints need {count} sigmas, got {len(self.sigmas)}")
        if not all(np.isfinite(sigma) and sigma > 0 for sigma in self.sigmas):
            raise self._error("sigmas must be positive numbers")
        for what, pairs in (("edge", self.edges), ("flip pair", self.flip_pairs)):
            for a, b in pairs:
                if a == b or not (0 <= a < count and 0 <= b < count):
                    raise self._error(f"{what} ({a}, {b}) must join two of the {count} keypoints")
        self._check_flips()

    def _check_flips(self) -> None:
        flat = [index for pair in self.flip_pairs for index in pair]
        if len(set(flat)) != len(flat):
            raise self._error("a keypoint may be in one flip pair only")
        partner = dict(self.flip_pairs) | {b: a for a, b in self.flip_pairs}
        for index, name in enumerate(self.keypoints):
            side = next((side for side in _MIRROR if name.startswith(side)), None)
            if side is None:
                continue
            mirrored = _MIRROR[side] + name.removeprefix(side)
            if index not in partner or self.keypoints[partner[index]] != mirrored:
                raise self._error(f"flip_pairs must pair '{name}' with '{mirrored}'")

    def _error(self, problem: str) -> SkeletonError:
        return SkeletonError(f"skeleton '{self.name}': {problem}")

    @property
    def num_keypoints(self) -> int:
        """K, the number of joints."""
        return len(self.keypoints)

    @property
    def flip_index(self) -> tuple[int, ...]:
        """For each joint, the joint that takes its place in the mirrored image (K indices)."""
        index = list(range(self.num_keypoints))
        for a, b in self.flip_pairs:
            index[a], index[b] = b, a
        return tuple(index)

    def to_dict(self) -> dict[str, Any]:
        """The skeleton as JSON-ready lists, for files and bundles."""
        return {
            "name": self.name,
            "keypoints": list(self.keypoints),
            "edges": [list(edge) for edge in self.edges],
            "flip_pairs": [list(pair) for pair in self.flip_pairs],
            "sigmas": list(self.sigmas),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Skeleton:
        """The reverse of ``to_dict``. Raises SkeletonError when a part is missing or wrong."""
        try:
            return cls(
                name=str(value["name"]),
                keypoints=tuple(str(name) for name in value["keypoints"]),
                edges=tuple((int(a), int(b)) for a, b in value["edges"]),
                flip_pairs=tuple((int(a), int(b)) for a, b in value["flip_pairs"]),
                sigmas=tuple(float(sigma) for sigma in value["sigmas"]),
            )
        except KeyError as error:
            raise SkeletonError(f"skeleton: {error} is missing") from error
        except (TypeError, ValueError) as error:
            raise SkeletonError(f"skeleton: malformed description ({error})") from error


# COCO's official sigmas, one for both sides. The joints that COCO lacks have no official value:
# head, head_top and the neck joints take CrowdPose's (0.079 for its head top and neck), thorax
# COCO's shoulder, pelvis and belly COCO's hip.
_SIGMAS = {
    "nose": 0.026, "eye": 0.025, "ear": 0.035,
    "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062,
    "hip": 0.107, "knee": 0.087, "ankle": 0.089,
    "head": 0.079, "head_top": 0.079, "neck": 0.079, "upper_neck": 0.079, "thorax": 0.079,
    "pelvis": 0.107, "belly": 0.107,
}  # fmt: skip


def _build(name: str, keypoints: str, edges: str) -> Skeleton:
    """A skeleton from words: ``r_x`` and ``l_x`` are short for ``right_x`` and ``left_x``."""
    long = {"l": "left_", "r": "right_"}

    def full(word: str) -> str:
        return long[word[0]] + word[2:] if word[1] == "_" else word

    names = tuple(full(word) for word in keypoints.split())
    index = {joint: position for position, joint in enumerate(names)}
    ends = [[index[full(end)] for end in edge.split("-")] for edge in edges.split()]
    return Skeleton(
        name=name,
        keypoints=names,
        edges=tuple((a, b) for a, b in ends),
        flip_pairs=tuple(
            (index[joint], index["right_" + joint.removeprefix("left_")])
            for joint in names
            if joint.startswith("left_")
        ),
        sigmas=tuple(
            _SIGMAS[joint.removeprefix("left_").removeprefix("right_")] for joint in names
        ),
    )


_ARMS = "r_shoulder-r_elbow r_elbow-r_wrist l_shoulder-l_elbow l_elbow-l_wrist"
_LEGS = "r_hip-r_knee r_knee-r_ankle l_hip-l_knee l_knee-l_ankle"
_TRUNK = "l_shoulder-r_shoulder l_hip-r_hip l_shoulder-l_hip r_shoulder-r_hip"

COCO_17 = _build(
    "coco17",
    "nose l_eye r_eye l_ear r_ear l_shoulder r_shoulder l_elbow r_elbow l_wrist r_wrist "
    "l_hip r_hip l_knee r_knee l_ankle r_ankle",
    f"{_LEGS} {_TRUNK} {_ARMS} l_eye-r_eye nose-l_eye nose-r_eye l_eye-l_ear r_eye-r_ear "
    "l_ear-l_shoulder r_ear-r_shoulder",
)
LSP_14 = _build(
    "lsp14",
    "r_ankle r_knee r_hip l_hip l_knee l_ankle r_wrist r_elbow r_shoulder l_shoulder l_elbow "
    "l_wrist neck head_top",
    f"{_LEGS} {_ARMS} l_hip-r_hip r_shoulder-r_hip l_shoulder-l_hip r_shoulder-neck "
    "l_shoulder-neck neck-head_top",
)
PENN_13 = _build(
    "penn13",
    # The files' own page lists left first, but the first of each pair is the person's right:
    # of the clips labelled "front" it lies further left in the image in 96 %.
    "head r_shoulder l_shoulder r_elbow l_elbow r_wrist l_wrist r_hip l_hip r_knee l_knee "
    "r_ankle l_ankle",
    f"{_LEGS} {_TRUNK} {_ARMS} head-l_shoulder head-r_shoulder",
)
JHMDB_15 = _build(
    "jhmdb15",
    "neck belly head r_shoulder l_shoulder r_hip l_hip r_elbow l_elbow r_knee l_knee r_wrist "
    "l_wrist r_ankle l_ankle",
    f"{_LEGS} {_ARMS} head-neck neck-r_shoulder neck-l_shoulder neck-belly belly-r_hip belly-l_hip",
)
MPII_16 = _build(
    "mpii16",
    "r_ankle r_knee r_hip l_hip l_knee l_ankle pelvis thorax upper_neck head_top r_wrist "
    "r_elbow r_shoulder l_shoulder l_elbow l_wrist",
    f"{_LEGS} {_ARMS} r_hip-pelvis l_hip-pelvis pelvis-thorax thorax-r_shoulder "
    "thorax-l_shoulder thorax-upper_neck upper_neck-head_top",
)

POSETRACK_15 = _build(
    "posetrack15",
    "nose upper_neck head_top l_shoulder r_shoulder l_elbow r_elbow l_wrist r_wrist l_hip r_hip "
    "l_knee r_knee l_ankle r_ankle",
    f"{_LEGS} {_ARMS} l_hip-r_hip r_shoulder-r_hip l_shoulder-l_hip r_shoulder-upper_neck "
    "l_shoulder-upper_neck upper_neck-nose nose-head_top",
)

SkeletonName = Literal["coco17", "lsp14", "penn13", "jhmdb15", "mpii16", "posetrack15"]
"""Keys of `SKELETONS`, for recipes."""

SKELETONS: Mapping[str, Skeleton] = MappingProxyType(
    {
        skeleton.name: skeleton
        for skeleton in (COCO_17, LSP_14, PENN_13, JHMDB_15, MPII_16, POSETRACK_15)
    }
)

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
