"""The skeletons that come with vidpose: the data sets' own here, larger ones as files beside it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from vidpose.skeleton.file import SHIPPED, read_shipped
from vidpose.skeleton.sigmas import known_sigma
from vidpose.skeleton.skeleton import Skeleton


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
        sigmas=tuple(known_sigma(joint) for joint in names),
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
"""Skeletons of the data sets that recipes train on."""

SKELETONS: Mapping[str, Skeleton] = MappingProxyType(
    {
        skeleton.name: skeleton
        for skeleton in (
            *(COCO_17, LSP_14, PENN_13, JHMDB_15, MPII_16, POSETRACK_15),
            *(read_shipped(name) for name in SHIPPED),
        )
    }
)
"""All that come with vidpose, by name."""
