"""Keypoint sets: names, edges, flip pairs and OKS sigmas, files of them, and mapping between them.

`SKELETONS` holds those that come with vidpose; `find_skeleton` takes their names and the paths of
files (the format is in `vidpose.skeleton.file`).
"""

from vidpose.skeleton.find import find_skeleton
from vidpose.skeleton.known import (
    COCO_17,
    JHMDB_15,
    LSP_14,
    MPII_16,
    PENN_13,
    POSETRACK_15,
    SKELETONS,
    SkeletonName,
)
from vidpose.skeleton.mapping import DERIVED, joint_sources, map_keypoints
from vidpose.skeleton.skeleton import FINE_GROUPS, Skeleton

__all__ = [
    "COCO_17",
    "DERIVED",
    "FINE_GROUPS",
    "JHMDB_15",
    "LSP_14",
    "MPII_16",
    "PENN_13",
    "POSETRACK_15",
    "SKELETONS",
    "Skeleton",
    "SkeletonName",
    "find_skeleton",
    "joint_sources",
    "map_keypoints",
]
