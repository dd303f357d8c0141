"""The per-frame task: starts from MoveNet, learns from stills, is measured on kept-out ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from stills_folders import lsp_people, write_lspet
from trainings import batch_of, loss_of
from vidpose.data.datasets import lspet
from vidpose.data.loaders.stills import StillsConfig
from vidpose.methods.per_frame.pose import (
    PoseConfig,
    PoseTask,
    TeacherConfig,
    map_function,
)
from vidpose.nn.movenet import PoseNet
from vidpose.nn.movenet_weights import load_movenet_pose
from vidpose.nn.pixels import normalise
from vidpose.training.frames import frame_training
from vidpose.training.task import Training


@pytest.fixture(scope="module")
def training(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Training:
    root = write_lspet(tmp_path_factory.mktemp("lspet"), lsp_people(6))
    config = PoseConfig(
        kind="pose",
        size=(64, 64),
        movenet=shared_models / "movenet_lightning.onnx",
        sigma=1.0,
        data=StillsConfig(lspet=root),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lspet, "KEPT_OUT", 2)
        return frame_training(config, seed=0)


@pytest.fixture(scope="module")
def task(training: Training) -> PoseTask:
    assert isinstance(training.task, PoseTask)
    return training.task


@pytest.fixture(scope="module")
def taught(task: PoseTask, shared_models: Path) -> Training:
    """The same with MoveNet as teacher, at twice the size."""
    teacher = TeacherConfig(
        weights=shared_models / "movenet_lightning.onnx", size=(128, 128), weight=2.0
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lspet, "KEPT_OUT", 2)
        return frame_training(task.config.model_copy(update={"teacher": teacher}), seed=0)


def test_it_starts_as_movenet(task: PoseTask, training: Training, shared_models: Path) -> None:
    """The unfolded norms change nothing in eval mode."""
    movenet = PoseNet().eval()
    load_movenet_pose(movenet, shared_models / "movenet_lightning.onnx")
    images = normalise(batch_of(training.data, 2)["image"])
    with torch.no_grad():
        expected, found = movenet(images), task.network.eval()(images)
    torch.testing.assert_close(found, expected, atol=1e-3 * float(expected.std()), rtol=1e-3)


def test_a_few_steps_lower_the_loss(task: PoseTask, training: Training) -> None:
    batch = batch_of(training.data, 4)
    task.train()
    optimizer = torch.optim.Adam(task.parameters(), lr=1e-4)
    losses = []
    for _ in range(5):
        loss, _ = loss_of(task, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_a_teacher_sees_larger_crops_and_is_not_trained_or_saved(taught: Training) -> None:
    batch, task = batch_of(taught.data, 2), taught.task
    assert batch["image"].shape == (2, 3, 128, 128)
    assert set(task.state_dict()) == {f"network.{name}" for name in task.network.state_dict()}
    loss, figures = loss_of(task, batch)
    expected = figures["loss_labels"] + 2 * figures["loss_teacher"]
    assert loss.item() == pytest.approx(expected)
    assert figures["loss_teacher"] > 0
    loss.backward()
    assert all(p.grad is not None for p in task.network.get_submodule("encoder").parameters())


def test_a_network_agrees_with_itself_as_teacher(task: PoseTask, shared_models: Path) -> None:
    teacher = TeacherConfig(
        weights=shared_models / "movenet_lightning.onnx", size=(64, 64), weight=1.0
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lspet, "KEPT_OUT", 2)
        own = frame_training(task.config.model_copy(update={"teacher": teacher}), seed=0)
    own.task.train()
    figures = loss_of(own.task, batch_of(own.data, 2))[1]
    assert figures["loss_teacher"] == pytest.approx(0, abs=1e-4)  # also in training mode


def test_a_teacher_of_another_shape_is_refused(task: PoseTask) -> None:
    wrong = {"weights": "movenet.onnx", "size": [96, 128], "weight": 1.0}
    with pytest.raises(ValidationError, match="must have the shape of size"):
        PoseConfig.model_validate({**task.config.model_dump(), "teacher": wrong})


def test_evaluation_sees_kept_out_images(
    training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lspet, "KEPT_OUT", 2)
    scores = training.evaluate(training.task.network.eval())
    assert set(scores) == {"pck@0.2", "pck@0.1"}
    assert all(0 <= value <= 100 for value in scores.values())


def test_pixels_are_normalised() -> None:
    images = torch.tensor([[[[0, 255, 51]]]], dtype=torch.uint8)
    torch.testing.assert_close(normalise(images).flatten(), torch.tensor([-1.0, 1.0, -0.6]))


def test_a_network_as_a_function_of_crops() -> None:
    network = torch.nn.Conv2d(3, 3, 1, bias=False)
    with torch.no_grad():
        network.weight.copy_(torch.eye(3)[..., None, None])
    crops = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), dtype=np.uint8)
    found = map_function(network)(crops)
    np.testing.assert_allclose(found.transpose(0, 2, 3, 1), crops / 127.5 - 1, atol=1e-6)
