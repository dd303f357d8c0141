"""Norms that keep their statistics."""

from __future__ import annotations

import torch
from torch import nn

from vidpose.nn.movenet import PoseNet
from vidpose.nn.norms import FixedBatchNorm2d, fix_norms


def test_fixed_norms_train_as_others_work_in_use() -> None:
    """Activations inside timm's norms included; weights and state names stay."""
    torch.manual_seed(0)
    network = PoseNet()
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            assert norm.running_mean is not None
            nn.init.normal_(norm.running_mean, std=0.1)
    image = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = network.eval()(image)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    first = network.encoder.backbone.stem[0].weight
    fix_norms(network)
    assert network.encoder.backbone.stem[0].weight is first
    found = network.train()(image)
    torch.testing.assert_close(found, expected)
    found.sum().backward()
    after = network.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    assert all(isinstance(norm, FixedBatchNorm2d) for norm in norms)
    assert any(norm.weight.grad is not None and norm.weight.grad.any() for norm in norms)


def test_what_is_frozen_stays_frozen() -> None:
    network = nn.Sequential(nn.BatchNorm2d(3)).requires_grad_(False)
    fix_norms(network)
    assert not any(p.requires_grad for p in network.parameters())
