"""Workers, time budgets, precision, and what is said when a machine gives out."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from vidpose.errors import DataError
from vidpose.nn.checkpoint import load_checkpoint
from vidpose.training import feeding
from vidpose.training.feeding import TrainingError, available_cpus, batches
from vidpose.training.loop import train
from vidpose.training.optim import learning_rate
from vidpose.training.recipe import Recipe
from vidpose.training.task import Batch, Task, Training

CPU = torch.device("cpu")


class Numbers(Dataset[dict[str, Any]]):
    """Item i says i, and how many threads OpenCV has where it was made."""

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"x": torch.tensor([float(index)]), "threads": torch.tensor(cv2.getNumThreads())}


class Dying(Numbers):
    """The process that makes item 61 dies, long after the first steps."""

    def __getitem__(self, index: int) -> dict[str, Any]:
        if index == 61:
            os._exit(1)
        return super().__getitem__(index)


class Faulty(Numbers):
    def __getitem__(self, index: int) -> dict[str, Any]:
        raise DataError("image.jpg: the image is missing or damaged")


class Line(Task):
    """A straight line through the numbers; notes the type of what it computes."""

    def __init__(self, error: RuntimeError | None = None) -> None:
        super().__init__()
        self.network: nn.Linear = nn.Linear(1, 1)
        self.error = error
        self.types: set[torch.dtype] = set()

    def loss(self, batch: Batch, step: int = 0) -> tuple[Tensor, Mapping[str, Tensor]]:
        if self.error is not None:
            raise self.error
        found = self.network(batch["x"] / 1000)
        self.types.add(found.dtype)
        return (found - 1).square().mean(), {}


def _recipe(**changes: Any) -> Recipe:
    section = {"kind": "pose", "size": [64, 64], "movenet": "x.onnx", "sigma": 1, "data": {}}
    values = {"name": "x", "steps": 4, "batch_size": 2, "learning_rate": 0.1, "workers": 0}
    return Recipe.model_validate(values | {"warmup_steps": 0, "task": section} | changes)


def _training(data: Dataset[dict[str, Any]] | None = None, task: Task | None = None) -> Training:
    return Training(task or Line(), data or Numbers(), lambda _: {})


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_items_in_order_on_one_thread(workers: int) -> None:
    cv2.setNumThreads(4)
    found = list(batches(Numbers(), 2, workers, range(3, 6), CPU))
    assert [batch["x"].flatten().tolist() for batch in found] == [[6, 7], [8, 9], [10, 11]]
    assert all((batch["threads"] == 1).all() for batch in found)


def test_workers_follow_from_the_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, int] = {}

    def loader(*_: Any, num_workers: int, **__: Any) -> list[Any]:
        seen["workers"] = num_workers
        return []

    monkeypatch.setattr(feeding, "DataLoader", loader)
    assert list(batches(Numbers(), 2, None, range(1), CPU)) == []
    assert seen["workers"] == available_cpus() - 1
    assert 1 <= available_cpus() <= (os.cpu_count() or 1)
    assert _recipe(workers=None).workers is None


def test_a_worker_that_dies_is_said(tmp_path: Path) -> None:
    message = "a process that makes training data died .*fewer workers"
    with pytest.raises(TrainingError, match=message) as caught:
        train(_training(Dying()), _recipe(workers=2, steps=60, checkpoint_every=1), tmp_path)
    assert "\n" not in str(caught.value)
    assert 1 <= load_checkpoint(tmp_path)["step"] < 31


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_in_a_worker_reads_as_without(tmp_path: Path, workers: int) -> None:
    with pytest.raises(DataError, match=r"^image\.jpg: the image is missing or damaged$"):
        train(_training(Faulty()), _recipe(workers=workers), tmp_path)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nGPU 0 has ..."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_too_little_memory_is_said(tmp_path: Path, error: RuntimeError) -> None:
    with pytest.raises(TrainingError, match="not enough memory for batch_size 2: lower it") as said:
        train(_training(task=Line(error)), _recipe(), tmp_path)
    assert "\n" not in str(said.value)


def test_other_errors_are_not_reworded(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="shapes"):
        train(_training(task=Line(RuntimeError("shapes"))), _recipe(), tmp_path)


@pytest.mark.parametrize(
    ("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)]
)
def test_precision_is_of_products_and_not_of_weights(
    tmp_path: Path, precision: str, dtype: torch.dtype
) -> None:
    task = Line()
    state = load_checkpoint(train(_training(task=task), _recipe(precision=precision), tmp_path))
    assert task.types == {dtype}
    assert all(value.dtype == torch.float32 for value in state["averaged"].values())


def test_a_budget_of_time_ends_the_run_and_shapes_the_rate(tmp_path: Path) -> None:
    minutes = 1.5 / 60  # long against a step, also on a busy machine
    recipe = _recipe(steps=None, minutes=minutes, log_every=1, checkpoint_every=10**6)
    state = load_checkpoint(train(_training(), recipe, tmp_path))
    assert state["step"] > 1
    assert state["seconds"] >= 60 * minutes
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    rates = [line["learning_rate"] for line in lines]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.5 * rates[0]
    again = load_checkpoint(train(_training(), recipe, tmp_path))  # nothing is left to do
    assert again["step"] == state["step"]


def test_what_ends_first_ends_the_run(tmp_path: Path) -> None:
    state = load_checkpoint(train(_training(), _recipe(steps=3, minutes=9), tmp_path))
    assert state["step"] == 3


def test_the_cosine_follows_the_time_where_minutes_are_given() -> None:
    timed = _recipe(minutes=1, steps=None, final_learning_rate=0.0)
    assert learning_rate(timed, 10, 0.0) == pytest.approx(0.1)
    assert learning_rate(timed, 10, 0.5) == pytest.approx(0.05)
    assert learning_rate(timed, 10, 1.0) == pytest.approx(0.0)
    counted = _recipe(steps=20, final_learning_rate=0.0)
    assert learning_rate(counted, 10, 0.9) == pytest.approx(0.05)
