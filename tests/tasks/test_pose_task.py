"""The per-frame task: starts from MoveNet, learns from stills, is measured on kept-out ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from stills_folders import lsp_people, write_lspet
from vidpose.data import lspet
from vidpose.data.stills import StillsConfig
from vidpose.models.movenet import PoseNet, load_movenet_pose
from vidpose.tasks.pose import PoseConfig, PoseTask, map_function, normalise


@pytest.fixture(scope="module")
def task(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> PoseTask:
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
        return PoseTask(config, seed=0)


def _batch(task: PoseTask, count: int) -> dict[str, torch.Tensor]:
    dataset = task.dataset()
    items = [dataset[i] for i in range(count)]
    return {key: torch.stack([item[key] for item in items]) for key in items[0]}


def test_it_starts_as_movenet(task: PoseTask, shared_models: Path) -> None:
    """The unfolded norms change nothing in eval mode."""
    movenet = PoseNet().eval()
    load_movenet_pose(movenet, shared_models / "movenet_lightning.onnx")
    images = normalise(_batch(task, 2)["image"])
    with torch.no_grad():
        expected, found = movenet(images), task.eval().network(images)
    torch.testing.assert_close(found, expected, atol=1e-3 * float(expected.std()), rtol=1e-3)


def test_a_few_steps_lower_the_loss(task: PoseTask) -> None:
    batch = _batch(task, 4)
    task.train()
    optimizer = torch.optim.Adam(task.parameters(), lr=1e-4)
    losses = []
    for _ in range(5):
        loss, _ = task.loss(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_evaluation_sees_kept_out_images(task: PoseTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lspet, "KEPT_OUT", 2)
    scores = task.eval().evaluate()
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
