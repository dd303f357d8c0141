"""BatchNorms that are folded into convolutions, and their return."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from published_movenet import photographs, pixels
from vidpose.nn.folded_norms import fold_batch_norm, restore_batch_norm
from vidpose.nn.movenet import PoseNet
from vidpose.nn.movenet_weights import load_movenet_pose


def test_restored_norms_keep_outputs_and_let_training_start_near(
    shared_models: Path, shared_data: Path
) -> None:
    network = PoseNet()
    load_movenet_pose(network, shared_models / "movenet_lightning.onnx")
    images = pixels(photographs(shared_data, (128, 96)))
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    with torch.no_grad():
        before = network.eval()(images)
        restore_batch_norm(network, [images])
        after = network.eval()(images)
        training = network.train()(images)
    spread = before.std()
    assert (after - before).abs().max() < 1e-3 * spread
    # The statistics of the very batch that they were measured on: training mode changes little.
    assert (training - before).abs().mean() < 0.02 * spread
    assert all(norm.running_var.ne(1).any() for norm in norms)


def test_folded_norms_break_training_mode(shared_models: Path, shared_data: Path) -> None:
    """Why `restore_batch_norm` is there: without it training starts far from MoveNet."""
    network = PoseNet()
    load_movenet_pose(network, shared_models / "movenet_lightning.onnx")
    images = pixels(photographs(shared_data, (128, 96)))
    with torch.no_grad():
        before = network.eval()(images)
        training = network.train()(images)
    assert (training - before).abs().mean() > 0.3 * before.std()


@pytest.fixture
def random_batches() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(6, 3, 9, 7, generator=generator) * 3 + 1 for _ in range(2)]


def test_restoring_measures_all_batches(random_batches: list[torch.Tensor]) -> None:
    """By hand on one norm: its statistics are those of all values of all batches."""
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(3).eval()
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    before = [norm(batch) for batch in random_batches]
    restore_batch_norm(norm, random_batches)
    values = torch.cat(random_batches).transpose(0, 1).flatten(1)
    torch.testing.assert_close(norm.running_mean, values.mean(1))
    torch.testing.assert_close(norm.running_var, values.var(1, unbiased=False))
    for batch, expected in zip(random_batches, before, strict=True):
        torch.testing.assert_close(norm(batch), expected)


@pytest.mark.parametrize("training", [True, False])
def test_restoring_leaves_the_mode(random_batches: list[torch.Tensor], training: bool) -> None:
    module = nn.Sequential(nn.BatchNorm2d(3)).train(training)
    restore_batch_norm(module, random_batches)
    assert module.training is training


def test_folding_keeps_outputs_and_leaves_no_norm() -> None:
    torch.manual_seed(0)
    network = PoseNet().eval()
    backbone = network.encoder.backbone
    for norm in backbone.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for values in (norm.weight, norm.running_var):
                nn.init.uniform_(values, 0.5, 1.5)
            for values in (norm.bias, norm.running_mean):
                nn.init.normal_(values, std=0.2)
    image = torch.randn(1, 3, 64, 32)
    with torch.no_grad():
        before = network(image)
        for part in (backbone.stem, backbone.blocks, backbone.head):
            fold_batch_norm(part)
        after = network(image)
    assert not [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    torch.testing.assert_close(after, before, atol=1e-4 * float(before.abs().max()), rtol=1e-3)
