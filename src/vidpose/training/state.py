"""What a checkpoint of a training holds, and going on from one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from vidpose.errors import RecipeError
from vidpose.nn.checkpoint import LAST, load_checkpoint, network_weights, save_checkpoint
from vidpose.training.moving_average import MovingAverage
from vidpose.training.recipe import Recipe
from vidpose.training.task import Task

_NETWORK = "network."
_FORMER = ("calls", "done", "chosen", "student.done", "student.chosen")
"""States of tasks of version 0.1 that follow from the step now."""
_ADDED = ("network.chosen", "student.network.chosen", "chosen")
"""States that version 0.1 kept elsewhere: an evaluation sets them anew."""


def save(
    folder: Path,
    recipe: Recipe,
    task: Task,
    average: MovingAverage,
    optimizer: torch.optim.Optimizer,
    step: int,
    seconds: float,
) -> None:
    """Write the folder's checkpoint after `step` steps and `seconds` of training."""
    averaged = {f"{_NETWORK}{k}": v for k, v in average.network.state_dict().items()}
    state = {
        "step": step,
        "seconds": seconds,
        "recipe": recipe.model_dump(mode="json"),
        "task": _without(task.frozen, task.state_dict()),
        "averaged": _without(task.frozen, averaged),
        "averaged_updates": average.updates,
        "optimizer": optimizer.state_dict(),
    }
    save_checkpoint(folder, state)


def resume(
    folder: Path,
    recipe: Recipe,
    task: Task,
    average: MovingAverage,
    optimizer: torch.optim.Optimizer,
) -> tuple[int, float]:
    """Load the folder's checkpoint, if any; returns the steps and seconds already done.

    Raises RecipeError where it is of another task, optimiser or network.
    """
    if not (folder / LAST).exists():
        return 0, 0.0
    state = load_checkpoint(folder / LAST)
    had = state["recipe"]
    for what, then, now in (
        ("task", had["task"]["kind"], recipe.task.kind),
        ("optimizer", had.get("optimizer", "adamw"), recipe.optimizer),
    ):
        if then != now:
            raise RecipeError(
                f"{folder}: holds a run of another {what} ({then}); "
                f"move it away or give this recipe another name"
            )
    frozen = tuple(name.removeprefix(_NETWORK) for name in task.frozen)
    try:
        _load(task, state["task"], task.frozen)
        _load(average.network, network_weights(state["averaged"]), frozen)
        optimizer.load_state_dict(state["optimizer"])
    except (RuntimeError, ValueError) as error:
        raise RecipeError(
            f"{folder}: holds a run of another network (other sizes, or another skeleton); "
            f"move it away or give this recipe another name"
        ) from error
    average.updates = int(state["averaged_updates"])
    return int(state["step"]), float(state.get("seconds", 0.0))


def _load(module: nn.Module, state: Mapping[str, Tensor], frozen: tuple[str, ...]) -> None:
    """Load a state that lacks the frozen parts."""
    own = module.state_dict()
    outside = (*frozen, *_ADDED)
    kept = {name: value for name, value in own.items() if name.startswith(outside)}
    module.load_state_dict({**kept, **{k: v for k, v in state.items() if k not in _FORMER}})


def _without(frozen: tuple[str, ...], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if not name.startswith(frozen)}
