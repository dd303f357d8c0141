"""What tests of tasks share: batches, and losses whose figures are plain numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from vidpose.training.task import Batch, Task


def batch_of(data: Dataset[dict[str, Any]], count: int) -> dict[str, Tensor]:
    """The first items of a data set as a batch."""
    items = [data[i] for i in range(count)]
    return {key: torch.stack([item[key] for item in items]) for key in items[0]}


def loss_of(task: Task, batch: Batch, step: int = 0) -> tuple[Tensor, dict[str, float]]:
    """A task's loss, its figures as numbers."""
    loss, figures = task.loss(batch, step)
    return loss, {name: float(value) for name, value in figures.items()}
