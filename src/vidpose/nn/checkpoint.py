"""Checkpoints: everything that a run needs to go on as if it had never stopped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vidpose.errors import DataError
from vidpose.nn.far_end_padding import differs
from vidpose.skeleton import Skeleton

LAST = "last.pt"
_PADDING, _FAR_END = "padding", "far end"


def save_checkpoint(folder: Path, state: dict[str, Any]) -> Path:
    """Write `folder/last.pt`, complete or not at all."""
    path = folder / LAST
    temporary = folder / f".{LAST}.part"
    torch.save({**state, _PADDING: _FAR_END}, temporary)
    temporary.replace(path)
    return path


def load_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint written by `save_checkpoint`; a folder means the `last.pt` inside it."""
    path = path / LAST if path.is_dir() else path
    if not path.exists():
        raise DataError(f"{path} is missing: train its recipe first (`vidpose train RECIPE`)")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types for damaged files, and says odd things
        raise DataError(
            f"{path}: not a checkpoint of `vidpose train`, or a damaged one; give runs/NAME or its "
            f"{LAST}"
        ) from error
    if not {"step", "averaged", "recipe"} <= state.keys():
        raise DataError(f"{path}: not a checkpoint of vidpose")
    if state.get(_PADDING) != _FAR_END and _odd_levels(state):
        raise DataError(
            f"{path}: was trained with a pyramid padded on both sides, which at its size is no "
            "longer what the network does; train its recipe again"
        )
    return state


def _odd_levels(state: Mapping[str, Any]) -> bool:
    """Whether a network with a `PoseBackbone` was trained where the rules of padding differ."""
    task = state["recipe"].get("task", {})
    section = task.get("student", task)
    sides = [side for name in ("size", "step_size") for side in section.get(name) or ()]
    return differs(sides) and any(
        name.endswith("backbone.top.weight") for name in state["averaged"]
    )


def require_skeleton(path: Path, skeleton: Skeleton) -> None:
    """Raise DataError when a checkpoint's network finds the joints of another skeleton."""
    task = load_checkpoint(path)["recipe"].get("task", {})
    found = task.get("student", task).get("skeleton") or "coco17"
    name = found["name"] if isinstance(found, Mapping) else found
    if name != skeleton.name:
        raise DataError(f"{path}: its network has the joints of {name}, not {skeleton.name}")
    if isinstance(found, Mapping) and found["keypoints"] != list(skeleton.keypoints):
        raise DataError(f"{path}: {name} had other keypoints when it was trained")


def load_into(module: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Load weights that must be exactly the module's. Raises DataError naming the file if not."""
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: weights of another network ({reason})") from error


def network_weights(averaged: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The network's weights among a checkpoint's averaged ones.

    Checkpoints of version 0.1 call a distilled network's `student.network.*`, and the branch that
    OKDHP keeps lies beside the network.
    """
    named = {name.removeprefix("student."): value for name, value in averaged.items()}
    prefix = "network."
    weights = {k.removeprefix(prefix): v for k, v in named.items() if k.startswith(prefix)}
    if "chosen" in named:
        weights["chosen"] = named["chosen"]
    return weights


def load_weights(path: Path, prefix: str = "") -> dict[str, Tensor]:
    """The averaged weights of a checkpoint whose names begin with `prefix`, without it."""
    averaged: dict[str, Tensor] = load_checkpoint(path)["averaged"]
    chosen = {k[len(prefix) :]: v for k, v in averaged.items() if k.startswith(prefix)}
    if not chosen:
        raise DataError(f"{path}: no weights named {prefix}*; is it a checkpoint of that network?")
    return chosen
