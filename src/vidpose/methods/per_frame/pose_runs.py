"""Checkpoints of `kind: pose`, as parts of other trainings."""

from __future__ import annotations

from pathlib import Path

from vidpose.errors import DataError
from vidpose.nn.checkpoint import load_checkpoint, load_into, load_weights, require_skeleton
from vidpose.nn.movenet import PoseNet, width_of
from vidpose.skeleton import Skeleton


def load_pose_network(checkpoint: Path, skeleton: Skeleton) -> PoseNet:
    """The trained network of a checkpoint of `kind: pose`.

    Raises DataError for a checkpoint of another task or with the joints of another skeleton.
    """
    require_skeleton(checkpoint, skeleton)
    weights = load_weights(checkpoint, prefix="network.")
    network = PoseNet(skeleton.num_keypoints, width_of(weights))
    load_into(network, weights, checkpoint)
    return network


def trained_size(checkpoint: Path) -> tuple[int, int]:
    """(H, W) of the crops that a checkpoint of `kind: pose` learnt from."""
    section = load_checkpoint(checkpoint)["recipe"].get("task", {})
    if section.get("kind") != "pose" or "size" not in section:
        raise DataError(f"{checkpoint}: not a checkpoint of a recipe with `kind: pose`")
    height, width = section["size"]
    return int(height), int(width)
