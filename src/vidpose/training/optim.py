"""Optimisers and learning rates, as a recipe names them."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from vidpose.training.recipe import Recipe, StepSchedule

_ADAMW_BETAS = (0.9, 0.99)
_ADAMW_DECAY = 0.01
_MOMENTUM = 0.9


def build_optimizer(recipe: Recipe, task: nn.Module) -> torch.optim.Optimizer:
    """The recipe's optimiser of the task's trainable parameters; norms and biases do not decay.

    Weight decay is decoupled in AdamW and part of the gradient in the others.
    """
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if decay is None:
        decay = _ADAMW_DECAY if recipe.optimizer == "adamw" else 0.0
    groups = _decay_groups(task, decay)
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=rate, betas=_ADAMW_BETAS)
    if recipe.optimizer == "adam":
        return torch.optim.Adam(groups, lr=rate)
    if recipe.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups, lr=rate)
    momentum = _MOMENTUM if recipe.momentum is None else recipe.momentum
    return torch.optim.SGD(groups, lr=rate, momentum=momentum)


def learning_rate(recipe: Recipe, step: int, share: float = 0.0) -> float:
    """Linear warm-up, then the schedule.

    Cosine: down to `final_learning_rate` of the peak at the last step, or by the `share` of the
    time that has passed where the recipe gives minutes. Steps: multiplied by the factor at each
    of them.
    """
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / recipe.warmup_steps
    if isinstance(recipe.schedule, StepSchedule):
        passed = sum(step >= at for at in recipe.schedule.at)
        return recipe.learning_rate * recipe.schedule.factor**passed
    if recipe.minutes is not None or recipe.steps is None:
        progress = share
    else:
        progress = (step - recipe.warmup_steps) / max(recipe.steps - recipe.warmup_steps, 1)
    low = recipe.final_learning_rate
    return recipe.learning_rate * (low + (1 - low) * 0.5 * (1 + math.cos(math.pi * progress)))


def _decay_groups(task: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """No weight decay on norms and biases."""
    parameters = [p for p in task.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
