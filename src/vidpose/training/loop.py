"""The training loop: a task, a recipe, checkpoints, logs.

Item i of the data depends on the seed and i alone and the checkpoint holds all other state, so a
run that is killed and started again ends with the same weights as one that was not.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, Sampler
from torch.utils.tensorboard import SummaryWriter

from vidpose.errors import RecipeError, VidposeError
from vidpose.nn.checkpoint import LAST, load_checkpoint, save_checkpoint
from vidpose.training.optim import build_optimizer, learning_rate
from vidpose.training.recipe import Recipe, build_task, read_recipe
from vidpose.training.same_run import steps_done
from vidpose.training.task import Task


class LossNotFiniteError(VidposeError):
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
    return train(build_task(recipe), recipe, folder)


def train(task: Task, recipe: Recipe, folder: Path) -> Path:
    """Train `task` as `recipe` says, in `folder`; resumes from its checkpoint when there is one."""
    folder.mkdir(parents=True, exist_ok=True)
    device = _best_device()
    # Convolutions are a third faster with the channels last, on a CPU and on a GPU. The optimizer
    # comes after the move, or a resumed one would keep its moments where the weights no longer are.
    task.to(device).to(memory_format=torch.channels_last)
    parameters = [p for p in task.parameters() if p.requires_grad]
    optimizer = build_optimizer(recipe, task)
    averaged = _moving_average(task, recipe.averaging)
    start = copy.deepcopy(task.state_dict()) if recipe.start_share else {}
    first = _resume(folder, recipe, task, averaged, optimizer)
    log = _Log(folder, recipe, first)
    loader = DataLoader(
        task.dataset(),
        batch_size=recipe.batch_size,
        sampler=_FromItem(first * recipe.batch_size, recipe.steps * recipe.batch_size),
        num_workers=recipe.workers,
        persistent_workers=recipe.workers > 0,
        pin_memory=device.type == "cuda",
    )
    task.train()
    with log.progress as progress:
        bar = progress.add_task(recipe.name, total=recipe.steps, completed=first, figures="")
        for step, batch in enumerate(_batches(loader), start=first):
            rate = _set_learning_rate(optimizer, recipe, step)
            loss, figures = task.loss({k: v.to(device) for k, v in batch.items()})
            if not math.isfinite(loss.item()):
                raise LossNotFiniteError(
                    f"{folder}: the loss is {loss.item()} at step {step}; lower learning_rate "
                    f"and start again (the last checkpoint is intact)"
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(parameters, recipe.gradient_clip)
            optimizer.step()
            averaged.update_parameters(task)
            done = step + 1
            if done == recipe.steps and recipe.start_share:
                _return_towards(start, averaged, recipe.start_share)
            log.add(loss.item(), figures)
            progress.update(bar, completed=done, figures=log.summary)
            if done % recipe.log_every == 0 or done == recipe.steps:
                log.write(done, {"learning_rate": rate})
            if done % recipe.evaluate_every == 0 or done == recipe.steps:
                log.write_scores(done, _evaluate(averaged))
                task.train()
            if done % recipe.checkpoint_every == 0 or done == recipe.steps:
                _save(folder, recipe, task, averaged, optimizer, done)
    log.close()
    return folder / LAST


def _best_device() -> torch.device:
    """A GPU where there is one, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _batches(loader: DataLoader[Any]) -> Iterator[dict[str, Tensor]]:
    """The loader's batches. A worker's error comes with its traceback as text; here it says what
    it said in the worker."""
    try:
        yield from loader
    except VidposeError as error:
        said = str(error)
        if "Original Traceback" not in said:
            raise
        raise type(error)(said.strip().splitlines()[-1].partition(": ")[2]) from None


class _FromItem(Sampler[int]):
    """Items first, first + 1, ..., last - 1."""

    def __init__(self, first: int, last: int) -> None:
        self._range = range(first, last)

    def __iter__(self) -> Iterator[int]:
        return iter(self._range)

    def __len__(self) -> int:
        return len(self._range)


class _Log:
    """Mean figures since the last line, to JSON Lines, tensorboard and the progress bar.

    What a killed run logged after its checkpoint, at step `first`, is taken back.
    """

    def __init__(self, folder: Path, recipe: Recipe, first: int) -> None:
        path = folder / "log.jsonl"
        _keep_lines(path, first)
        self._file = path.open("a")
        self._board = SummaryWriter(str(folder), purge_step=first + 1)
        self._sums: dict[str, float] = {}
        self._count = 0
        self._start = time.monotonic()
        self._items = 0
        self._batch_size = recipe.batch_size
        self.summary = ""
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),  # names may have brackets
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}", markup=False),
        )

    def add(self, loss: float, figures: Mapping[str, float | Tensor]) -> None:
        for name, value in {"loss": loss, **figures}.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value)
        self._count += 1
        self._items += self._batch_size
        self.summary = f"loss {self._sums['loss'] / self._count:.4f}"

    def write(self, step: int, extra: dict[str, float]) -> None:
        means = {name: value / self._count for name, value in self._sums.items()}
        now = time.monotonic()
        speed = {"items_per_second": self._items / (now - self._start)}
        self._sums, self._count, self._items, self._start = {}, 0, 0, now
        self._emit(step, {**means, **extra, **speed})

    def write_scores(self, step: int, scores: dict[str, float]) -> None:
        if scores:
            self._emit(step, scores)
            text = ", ".join(f"{name} {value:.2f}" for name, value in scores.items())
            self.progress.console.print(f"step {step}: {text}", soft_wrap=True, markup=False)

    def close(self) -> None:
        self._file.close()
        self._board.close()

    def _emit(self, step: int, values: dict[str, float]) -> None:
        self._file.write(json.dumps({"step": step, **values}) + "\n")
        self._file.flush()
        for name, value in values.items():
            self._board.add_scalar(name, value, step)


def _keep_lines(path: Path, last: int) -> None:
    """Drop the lines after step `last`, and one that was cut in the middle of writing."""
    if not path.exists():
        return
    lines = path.read_text().splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    path.write_text("".join(line for line in whole if json.loads(line)["step"] <= last))


def _moving_average(task: Task, decay: float) -> AveragedModel:
    def update(averaged: Tensor, current: Tensor, _: Tensor | int) -> Tensor:
        return torch.lerp(averaged, current, 1 - decay) if averaged.is_floating_point() else current

    return AveragedModel(task, avg_fn=update, use_buffers=True)


def _return_towards(start: Mapping[str, Tensor], averaged: AveragedModel, share: float) -> None:
    """Mix the start weights into the average; buffers stay, such as the statistics of norms."""
    with torch.no_grad():
        for name, value in averaged.module.named_parameters():
            value.lerp_(start[name].to(value.device), share)


def _set_learning_rate(optimizer: torch.optim.Optimizer, recipe: Recipe, step: int) -> float:
    rate = learning_rate(recipe, step)
    for group in optimizer.param_groups:
        group["lr"] = rate
    return rate


def _evaluate(averaged: AveragedModel) -> dict[str, float]:
    task = averaged.module
    assert isinstance(task, Task)
    task.eval()
    return task.evaluate()


def _save(
    folder: Path,
    recipe: Recipe,
    task: Task,
    averaged: AveragedModel,
    optimizer: torch.optim.Optimizer,
    step: int,
) -> None:
    state = {
        "step": step,
        "recipe": recipe.model_dump(mode="json"),
        "task": task.state_dict(),
        "averaged": averaged.module.state_dict(),
        "averaged_updates": averaged.n_averaged.item(),
        "optimizer": optimizer.state_dict(),
    }
    save_checkpoint(folder, state)


def _resume(
    folder: Path,
    recipe: Recipe,
    task: Task,
    averaged: AveragedModel,
    optimizer: torch.optim.Optimizer,
) -> int:
    """Load the folder's checkpoint, if any; returns the number of steps already done."""
    if not (folder / LAST).exists():
        return 0
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
    try:
        task.load_state_dict(state["task"])
        averaged.module.load_state_dict(state["averaged"])
    except RuntimeError as error:
        raise RecipeError(
            f"{folder}: holds a run of another network (other sizes, or another skeleton); "
            f"move it away or give this recipe another name"
        ) from error
    averaged.n_averaged.fill_(state["averaged_updates"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])
