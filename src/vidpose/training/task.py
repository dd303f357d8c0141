"""What a training run consists of: a task (a model and its loss), data, and an evaluation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from torch import Tensor, nn
from torch.utils.data import Dataset

Batch = Mapping[str, Tensor]
Evaluator: TypeAlias = Callable[[nn.Module], dict[str, float]]
"""A network in eval mode, on any device -> named figures on kept-out data."""


class Task(nn.Module, ABC):
    """A model and the loss that it is trained with.

    `network` is the model: what is averaged, evaluated and exported. Other modules of a task are
    parts of the loss that learn too, such as a discriminator. Teachers are no modules.
    """

    network: nn.Module
    frozen: tuple[str, ...] = ()
    """Beginnings of state names that checkpoints leave out: parts of the network that are not
    trained and have a checkpoint of their own."""

    @abstractmethod
    def loss(self, batch: Batch, step: int = 0) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The loss to minimise, a scalar, and named figures for the log, without a graph.

        `batch` is on the network's device; `step` counts optimiser steps from 0.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """A task, the items that it learns from, and how its network is measured.

    Item i of `data` is a function of the seed and i alone, so that runs can resume.
    """

    task: Task
    data: Dataset[dict[str, Any]]
    evaluate: Evaluator
