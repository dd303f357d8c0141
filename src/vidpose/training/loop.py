"""The training loop: a training, a recipe, checkpoints, logs.

Item i of the data depends on the seed and i alone, what is drawn in a step on the seed and the
step, and the checkpoint holds all other state: a run that is killed and started again ends with
the same weights as one that was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from vidpose.nn.checkpoint import LAST
from vidpose.training import state
from vidpose.training.assembly import build_training
from vidpose.training.feeding import TrainingError, batches, endless, said_in_one_line
from vidpose.training.log import TrainingLog
from vidpose.training.moving_average import MovingAverage
from vidpose.training.optim import build_optimizer, learning_rate
from vidpose.training.recipe import Recipe, read_recipe
from vidpose.training.same_run import steps_done
from vidpose.training.task import Batch, Task, Training

_SEEDS_APART = 1_000_003


class LossNotFiniteError(TrainingError):
    """The loss became infinite or not a number."""


def run_recipe(path: Path, overrides: list[str], runs: Path = Path("runs")) -> Path:
    """Train a recipe, or go on where its last checkpoint stands.

    Returns the checkpoint `runs/NAME/last.pt`. Logs go to `log.jsonl` and tensorboard files in
    the same folder.
    """
    recipe = read_recipe(path, overrides)
    folder = runs / recipe.name
    steps_done(recipe, folder)  # refuses another recipe's run before data are read
    torch.manual_seed(recipe.seed)
    with said_in_one_line(folder, recipe.batch_size):
        return train(build_training(recipe, best_device()), recipe, folder)


def best_device() -> torch.device:
    """A GPU if there is one."""
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def train(training: Training, recipe: Recipe, folder: Path) -> Path:
    """Train as `recipe` says, in `folder`; resumes from its checkpoint when there is one."""
    with said_in_one_line(folder, recipe.batch_size):
        return _Run(training, recipe, folder).run()


class _Run:
    """One run of the loop."""

    def __init__(self, training: Training, recipe: Recipe, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._recipe, self._folder = recipe, folder
        self._data, self._evaluate = training.data, training.evaluate
        self._device = best_device()
        # Convolutions are a third faster with the channels last, on a CPU and on a GPU.
        self._task: Task = training.task.to(self._device).to(memory_format=torch.channels_last)
        self._parameters = [p for p in self._task.parameters() if p.requires_grad]
        self._optimizer = build_optimizer(recipe, self._task)
        self._average = MovingAverage(self._task.network, recipe.averaging)
        self._start = _copies(self._task.network) if recipe.start_share else {}
        self._first, self._seconds = state.resume(
            folder, recipe, self._task, self._average, self._optimizer
        )

    def run(self) -> Path:
        """Take the steps that are left; returns the checkpoint."""
        recipe, done = self._recipe, self._first
        if self._is_last(done):
            return self._folder / LAST
        log = TrainingLog(self._folder, recipe.batch_size, done)
        self._task.train()
        with log.progress as progress:
            bar = progress.add_task(recipe.name, total=1.0, done="", figures="")
            asked = time.monotonic()
            for step, batch in enumerate(self._batches(), start=done):
                got = time.monotonic()
                rate, loss, figures = self._step(step, batch)
                done, now = step + 1, time.monotonic()
                self._seconds += now - asked
                log.add(loss, figures, got - asked, now - got)
                last = self._is_last(done)
                share = self._share(done)
                text = f"{done}/{recipe.steps}" if recipe.steps else f"step {done}"
                progress.update(bar, completed=share, done=text, figures=log.summary)
                if last and recipe.start_share:
                    self._average.return_towards(self._start, recipe.start_share)
                if done % recipe.log_every == 0 or last:
                    log.write(done, {"learning_rate": rate})
                if done % recipe.evaluate_every == 0 or last:
                    log.write_scores(done, self._scores())
                if done % recipe.checkpoint_every == 0 or last:
                    self._save(done)
                if last:
                    break
                asked = time.monotonic()
        log.close()
        return self._folder / LAST

    def _batches(self) -> Iterator[dict[str, Tensor]]:
        recipe = self._recipe
        steps = endless(self._first) if recipe.steps is None else range(self._first, recipe.steps)
        return batches(self._data, recipe.batch_size, recipe.workers, steps, self._device)

    def _step(self, step: int, batch: Batch) -> tuple[float, float, dict[str, Tensor]]:
        """One optimiser step; returns the learning rate, the loss and the figures."""
        recipe, device = self._recipe, self._device
        rate = learning_rate(recipe, step, self._share(step))
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        torch.manual_seed(_SEEDS_APART * recipe.seed + step)  # dropout
        moved = {k: v.to(device, non_blocking=True) for k, v in batch.items()}
        half = recipe.precision == "bfloat16"
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            loss, figures = self._task.loss(moved, step)
        value = loss.item()
        if not math.isfinite(value):
            raise LossNotFiniteError(
                f"{self._folder}: the loss is {value} at step {step}; lower learning_rate "
                f"and start again (the last checkpoint is intact)"
            )
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self._parameters, recipe.gradient_clip)
        self._optimizer.step()
        self._average.update(self._task.network)
        return rate, value, dict(figures)

    def _share(self, done: int) -> float:
        """How much of the training is done, by time where the recipe gives minutes."""
        if self._recipe.minutes is not None:
            return min(self._seconds / (60 * self._recipe.minutes), 1.0)
        assert self._recipe.steps is not None
        return done / self._recipe.steps

    def _is_last(self, done: int) -> bool:
        recipe = self._recipe
        over = recipe.minutes is not None and self._seconds >= 60 * recipe.minutes
        return over or (recipe.steps is not None and done >= recipe.steps)

    def _scores(self) -> dict[str, float]:
        with torch.no_grad():
            return self._evaluate(self._average.network)

    def _save(self, done: int) -> None:
        state.save(
            self._folder,
            self._recipe,
            self._task,
            self._average,
            self._optimizer,
            done,
            self._seconds,
        )


def _copies(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.named_parameters()}
