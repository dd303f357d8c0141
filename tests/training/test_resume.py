"""The loop: a run that is killed and started again ends as if nothing had happened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from vidpose.errors import DataError, RecipeError
from vidpose.nn.checkpoint import load_checkpoint, load_weights, save_checkpoint
from vidpose.training.loop import LossNotFiniteError, train
from vidpose.training.recipe import Recipe
from vidpose.training.task import Batch, Task, Training

STEPS, CHECKPOINT = 24, 5
KILLED = 17  # between two checkpoints


class Killed(BaseException):
    """Stands for the signal."""


class Numbers(Dataset[dict[str, Any]]):
    """Item i is a function of i alone."""

    def __getitem__(self, index: int) -> dict[str, Any]:
        x = np.random.default_rng([0, index]).normal(size=6).astype(np.float32)
        return {"x": torch.from_numpy(x), "y": torch.tensor([x.sum() ** 2])}


class Small(Task):
    """A network with a norm (buffers) and something frozen; `die_at` ends the run there."""

    def __init__(self, seed: int = 0, die_at: int | None = None, spoil_at: int = -1) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.network = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))
        self.frozen = nn.Linear(6, 6).requires_grad_(False)
        self.steps_seen = 0
        self.die_at = die_at
        self.spoil_at = spoil_at

    def loss(self, batch: Batch, step: int = 0) -> tuple[Tensor, Mapping[str, Tensor]]:
        if self.steps_seen == self.die_at:
            raise Killed
        error = (self.network(batch["x"]) - batch["y"]).square().mean()
        error = error * float("nan") if self.steps_seen == self.spoil_at else error
        self.steps_seen += 1
        return error, {"root": error.detach().sqrt()}


def _evaluate(network: nn.Module) -> dict[str, float]:
    assert not network.training
    return {"answer": network(torch.ones(1, 6)).item()}


def _small(seed: int = 0, die_at: int | None = None, spoil_at: int = -1) -> Training:
    return Training(Small(seed, die_at, spoil_at), Numbers(), _evaluate)


def _recipe(**changes: Any) -> Recipe:
    task = {"kind": "pose", "size": [64, 64], "movenet": "x.onnx", "sigma": 1, "data": {}}
    values: dict[str, Any] = {
        "name": "small",
        "steps": STEPS,
        "batch_size": 4,
        "learning_rate": 0.01,
        "warmup_steps": 3,
        "averaging": 0.9,
        "workers": 0,
        "log_every": 4,
        "evaluate_every": 10,
        "checkpoint_every": CHECKPOINT,
        "task": task,
    }
    return Recipe.model_validate(values | changes)


def _lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    train(_small(), _recipe(), folder)
    return folder


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Killed, then started again from other weights, which the checkpoint replaces."""
    folder = tmp_path_factory.mktemp("killed")
    with pytest.raises(Killed):
        train(_small(die_at=KILLED), _recipe(), folder)
    assert load_checkpoint(folder)["step"] == KILLED // CHECKPOINT * CHECKPOINT
    with (folder / "log.jsonl").open("a") as log:
        log.write('{"step": 16, "lo')  # the kill came while a line was written
    train(_small(seed=99), _recipe(), folder)
    return folder


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "adam", "schedule": {"at": [9, 18]}},
        {"optimizer": "rmsprop", "schedule": {"at": [16]}, "averaging": 0},
        {"optimizer": "sgd", "weight_decay": 0.01, "schedule": {"at": [4, 12], "factor": 0.5}},
    ],
    ids=lambda changes: changes["optimizer"],
)
def test_published_optimisers_resume_with_the_same_bits(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    recipe = _recipe(learning_rate=0.001, **changes)
    train(_small(), recipe, tmp_path / "whole")
    with pytest.raises(Killed):
        train(_small(die_at=KILLED), recipe, tmp_path / "killed")
    train(_small(seed=99), recipe, tmp_path / "killed")
    one, two = (load_checkpoint(tmp_path / name) for name in ("whole", "killed"))
    for part in ("averaged", "task", "optimizer"):
        _assert_same(one[part], two[part])
    losses = [line["loss"] for line in _lines(tmp_path / "killed") if "loss" in line]
    assert losses[-1] < losses[0]
    if recipe.averaging == 0:  # as published: what is evaluated are the weights themselves
        for key, value in one["averaged"].items():
            assert torch.equal(one["task"][key], value)


@pytest.mark.parametrize("part", ["averaged", "task", "optimizer"])
def test_a_killed_run_ends_with_the_same_bits(
    uninterrupted: Path, resumed: Path, part: str
) -> None:
    one, two = load_checkpoint(uninterrupted), load_checkpoint(resumed)
    assert one["step"] == two["step"] == STEPS
    assert one["averaged_updates"] == two["averaged_updates"] == STEPS
    _assert_same(one[part], two[part])


def _assert_same(one: Any, two: Any) -> None:
    if isinstance(one, Tensor):
        assert torch.equal(one, two)
    elif isinstance(one, dict):
        assert one.keys() == two.keys()
        for key in one:
            _assert_same(one[key], two[key])
    elif isinstance(one, list):
        assert len(one) == len(two)
        for a, b in zip(one, two, strict=True):
            _assert_same(a, b)
    else:
        assert one == two


def test_training_learns_and_the_average_is_another_set_of_weights(uninterrupted: Path) -> None:
    state = load_checkpoint(uninterrupted)
    start = Small().state_dict()
    weight = "network.0.weight"
    assert not torch.equal(state["task"][weight], start[weight])
    assert not torch.equal(state["task"][weight], state["averaged"][weight])
    assert torch.equal(state["task"]["frozen.weight"], start["frozen.weight"])
    losses = [line["loss"] for line in _lines(uninterrupted) if "loss" in line]
    assert losses[-1] < losses[0]


def test_the_average_is_the_moving_one(tmp_path: Path) -> None:
    """By hand for two steps: the first counts whole, then 0.9 old + 0.1 new."""
    weights = []
    for steps in (1, 2):
        with pytest.raises(Killed):
            train(_small(die_at=steps), _recipe(checkpoint_every=1), tmp_path / str(steps))
        weights.append(load_checkpoint(tmp_path / str(steps)))
    one, two = (w["task"]["network.0.weight"] for w in weights)
    torch.testing.assert_close(weights[0]["averaged"]["network.0.weight"], one)
    torch.testing.assert_close(weights[1]["averaged"]["network.0.weight"], 0.9 * one + 0.1 * two)


@pytest.mark.parametrize("name", ["uninterrupted", "resumed"])
def test_the_log_is_json_lines_in_order(name: str, request: pytest.FixtureRequest) -> None:
    lines = _lines(request.getfixturevalue(name))
    trained = [line["step"] for line in lines if "loss" in line]
    scored = [line["step"] for line in lines if "answer" in line]
    assert trained == [4, 8, 12, 16, 20, 24]
    assert scored == [10, 20, 24]
    for line in lines:
        if "loss" in line:
            assert {"root", "learning_rate", "items_per_second", "waiting_share"} <= line.keys()
            assert line["items_per_second"] > 0
            assert 0 <= line["waiting_share"] <= 1


def test_the_log_means_what_was_done(uninterrupted: Path, resumed: Path) -> None:
    """A line is the mean since the line before; after a kill, since the checkpoint."""
    one = {line["step"]: line["loss"] for line in _lines(uninterrupted) if "loss" in line}
    two = {line["step"]: line["loss"] for line in _lines(resumed) if "loss" in line}
    assert [one[s] for s in (4, 8, 12, 20, 24)] == [two[s] for s in (4, 8, 12, 20, 24)]


def test_tensorboard_files_are_written(uninterrupted: Path) -> None:
    assert list(uninterrupted.glob("events.out.tfevents.*"))


def test_a_finished_run_started_again_changes_nothing(tmp_path: Path) -> None:
    path = train(_small(), _recipe(steps=5), tmp_path)
    before, log = path.read_bytes(), (tmp_path / "log.jsonl").read_text()
    assert train(_small(seed=3), _recipe(steps=5), tmp_path) == path
    assert path.read_bytes() == before
    assert (tmp_path / "log.jsonl").read_text() == log


def test_a_loss_that_is_not_a_number_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(LossNotFiniteError, match=r"loss is nan at step 7; lower learning_rate"):
        train(_small(spoil_at=7), _recipe(), tmp_path)
    state = load_checkpoint(tmp_path)
    assert state["step"] == 5
    assert all(value.isfinite().all() for value in state["averaged"].values())


def test_the_folder_of_another_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        train(_small(die_at=6), _recipe(), tmp_path)
    state = load_checkpoint(tmp_path)
    state["recipe"]["task"]["kind"] = "dkd"
    save_checkpoint(tmp_path, state)
    with pytest.raises(RecipeError, match="another task"):
        train(_small(), _recipe(), tmp_path)


def test_the_folder_of_another_optimiser_or_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        train(_small(die_at=6), _recipe(), tmp_path)
    with pytest.raises(RecipeError, match=r"another optimizer \(adamw\)"):
        train(_small(), _recipe(optimizer="adam"), tmp_path)
    other = Small()
    other.network[3] = nn.Linear(8, 2)
    with pytest.raises(RecipeError, match="another network"):
        train(Training(other, Numbers(), _evaluate), _recipe(), tmp_path)


def test_a_run_of_version_0_1_goes_on(uninterrupted: Path, tmp_path: Path) -> None:
    """Its counters are no states any more, and a distilled network had another name."""
    with pytest.raises(Killed):
        train(_small(die_at=KILLED), _recipe(), tmp_path)
    state = load_checkpoint(tmp_path)
    state["task"] |= {"calls": torch.tensor(15), "done": torch.tensor(15)}
    state["averaged"] = {f"student.{name}": value for name, value in state["averaged"].items()}
    del state["seconds"]
    save_checkpoint(tmp_path, state)
    train(_small(seed=99), _recipe(), tmp_path)
    one, two = load_checkpoint(uninterrupted), load_checkpoint(tmp_path)
    _assert_same(one["averaged"], two["averaged"])


def test_a_checkpoint_is_complete_or_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = {"step": 1, "averaged": {"network.w": torch.ones(2)}, "recipe": {}}
    save_checkpoint(tmp_path, state)

    def half_written(_: Any, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", half_written)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(tmp_path, {**state, "step": 2})
    assert load_checkpoint(tmp_path)["step"] == 1
    assert torch.equal(load_weights(tmp_path, "network.")["w"], torch.ones(2))


def test_the_start_weights_get_their_share_at_the_end(uninterrupted: Path, tmp_path: Path) -> None:
    """Of the average alone, once, after an interruption too; statistics of norms stay."""
    start = Small().state_dict()
    with pytest.raises(Killed):
        train(_small(die_at=KILLED), _recipe(start_share=0.25), tmp_path)
    plain = load_checkpoint(uninterrupted)
    train(_small(), _recipe(start_share=0.25), tmp_path)
    mixed = load_checkpoint(tmp_path)
    for name, value in plain["averaged"].items():
        statistic = "running" in name or "num_batches" in name
        expected = value if statistic else 0.75 * value + 0.25 * start[name]
        torch.testing.assert_close(mixed["averaged"][name], expected)
    assert all(torch.equal(mixed["task"][name], value) for name, value in plain["task"].items())


@pytest.mark.parametrize("content", [b"", b"no checkpoint", None])
def test_what_is_no_checkpoint_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "last.pt"
    if content is None:
        torch.save({"weights": torch.ones(1)}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"last\.pt"):
        load_checkpoint(path)


def test_a_missing_checkpoint_and_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is missing: train its recipe first"):
        load_checkpoint(tmp_path / "last.pt")
    save_checkpoint(tmp_path, {"step": 1, "averaged": {"a.w": torch.ones(1)}, "recipe": {}})
    with pytest.raises(DataError, match=r"no weights named network\.\*"):
        load_weights(tmp_path, "network.")
