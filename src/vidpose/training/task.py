"""What a method optimises: a task owns its networks, its data and its losses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.utils.data import Dataset

Batch = Mapping[str, Tensor]


class Task(nn.Module, ABC):
    """A network under training.

    Frozen parts (teachers, a finished initializer) are not parameters of the task and are not in
    its checkpoints.
    """

    @abstractmethod
    def dataset(self) -> Dataset[dict[str, Any]]:
        """Training items; item i is a function of the seed and i alone, so runs can resume."""

    @abstractmethod
    def loss(self, batch: Batch) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """The loss to minimise, a scalar, and named figures for the log."""

    @abstractmethod
    def evaluate(self) -> dict[str, float]:
        """Named figures on kept-out data, in eval mode."""
