"""Counting, against arithmetic by hand and published figures."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vidpose.methods.dkd.model import match_channels, match_kernels
from vidpose.methods.dkd.resnet import dkd_resnet
from vidpose.nn.complexity import count
from vidpose.nn.simple_baseline import SimpleBaseline


def test_layers_by_hand() -> None:
    """Cells times weights of a filter, whole and grouped; biases and norms are free."""
    conv, grouped = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 5, padding=2, groups=6)
    norm, linear = nn.BatchNorm2d(6), nn.Linear(6 * 64, 11)
    network = nn.Sequential(conv, grouped, norm, nn.ReLU(), nn.Flatten(), linear).eval()
    found = count(network, lambda: network(torch.zeros(1, 3, 8, 8)))
    assert found.multiply_adds == 64 * 6 * 3 * 9 + 64 * 6 * 25 + 6 * 64 * 11
    assert found.at_output == found.multiply_adds
    assert found.parameters == (162 + 6) + (150 + 6) + 12 + (6 * 64 * 11 + 11)


def test_a_transposed_convolution_counts_at_its_input_or_its_output() -> None:
    network = nn.ConvTranspose2d(5, 7, 4, stride=2, padding=1)
    found = count(network, lambda: network(torch.zeros(2, 5, 6, 3)))
    assert found.multiply_adds == 2 * (6 * 3) * 5 * 7 * 16
    assert found.at_output == 4 * found.multiply_adds
    assert found.published == pytest.approx(found.at_output / 2**30)


def test_dynamic_kernels_count_as_what_they_are() -> None:
    """Full: h w K C S S; one kernel per channel: h w C S S. Nothing learned."""
    features = torch.zeros(2, 6, 10, 8)
    full, single = torch.zeros(2, 4, 6, 3, 3), torch.zeros(2, 1, 6, 3, 3)
    nothing = nn.Identity()
    assert count(nothing, lambda: match_kernels(features, full)).multiply_adds == 2 * 80 * 4 * 54
    assert count(nothing, lambda: match_channels(features, single)).multiply_adds == 2 * 80 * 54
    assert count(nothing, lambda: match_kernels(features, full)).parameters == 0


def test_simple_baseline_costs_what_is_published() -> None:
    """34.0 M parameters; 8.9 as published, 5.4 G true multiply-adds, at 256 x 192."""
    with torch.device("meta"), torch.no_grad():
        network = SimpleBaseline(17, 50)
        found = count(network, lambda: network(torch.zeros(1, 3, 256, 192)))
    assert found.parameters / 1e6 == pytest.approx(34.0, rel=0.02)
    assert found.published == pytest.approx(8.9, rel=0.02)
    assert found.giga == pytest.approx(5.4, rel=0.02)


def test_dkd_beside_its_published_figure() -> None:
    """The paper's table says 8.65 for a frame of DKD-R50; with a distillator of the relative's
    sizes it is 10.8: 7.2 the encoder, 3.3 the distillator, 0.3 the matching."""
    with torch.device("meta"), torch.no_grad():
        network, image = dkd_resnet(13), torch.zeros(1, 3, 256, 256)
        _, kernels = network.initialize(image)
        step = count(network, lambda: network.step(image, kernels))
        encoder = count(network.encoder, lambda: network.encoder(image))
        features = network.encoder(image)
        matching = count(network.matching, lambda: network.matching(features, kernels))
    assert encoder.giga == pytest.approx(7.22, rel=0.01)
    # V 256*256, one 7x7 kernel per channel, U 256*13, on 64 x 64 cells
    assert matching.multiply_adds == 4096 * (256 * 256 + 256 * 49 + 256 * 13)
    assert step.giga == pytest.approx(10.83, rel=0.01)
    assert step.giga > 8.65
