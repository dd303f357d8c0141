"""LSTM Pose Machines: sizes, the cell by hand, and the published count."""

from __future__ import annotations

import pytest
import torch

from vidpose.methods.lstm.lstm_pm import ConvLSTM, LSTMPoseMachine, _centre_map
from vidpose.nn.complexity import count


def test_it_costs_what_is_published() -> None:
    """70.98 in DKD's table; 70.9 G multiply-adds a frame by the layers, 34.3 G at 256."""
    with torch.device("meta"), torch.no_grad():
        for size, giga in ((368, 70.9), (256, 34.3)):
            network, image = LSTMPoseMachine(15, (size, size)), torch.zeros(1, 3, size, size)
            _, memory = network.initialize(image)
            found = count(network, lambda: network.step(image, memory))  # noqa: B023
            assert found.giga == pytest.approx(giga, rel=0.02)


def test_the_first_frame_is_used_twice() -> None:
    """A second trunk, and 9x9 to 512, 1x1 to 512 and to the maps on 46 x 46 cells; the cell has no
    past to convolve."""
    with torch.device("meta"), torch.no_grad():
        network, image = LSTMPoseMachine(15), torch.zeros(1, 3, 368, 368)
        _, memory = network.initialize(image)
        first = count(network, lambda: network.initialize(image)).multiply_adds
        later = count(network, lambda: network.step(image, memory)).multiply_adds
        trunk = count(network, lambda: network.features(image)).multiply_adds
    cells = 46 * 46
    more = cells * (81 * 32 * 512 + 512 * 512 + 512 * 15)
    assert first - later == trunk + more - cells * 9 * 48 * 192


def test_maps_are_an_eighth_rounded_up() -> None:
    with torch.device("meta"), torch.no_grad():
        network = LSTMPoseMachine(15)
        maps, memory = network.initialize(torch.zeros(2, 3, 368, 368))
    assert maps.shape == (2, 15, 46, 46)
    assert memory.shape == (2, 15 + 48 + 48, 46, 46)
    assert network.lstm.from_input.in_channels == 48


def test_the_cell_by_hand() -> None:
    """One channel, one cell: weights 1 for all gates, then the past fades by the forget gate."""
    cell = ConvLSTM(1, 1)
    with torch.no_grad():
        for weight in (cell.from_input.weight, cell.from_hidden.weight):
            weight.zero_()
            weight[:, :, 1, 1] = 1
        assert cell.from_input.bias is not None
        cell.from_input.bias.zero_()
        x = torch.full((1, 1, 1, 1), 0.5)
        hidden, state = cell.start(x)
        sigmoid, tanh = 0.6224593, 0.4621172  # of 0.5
        assert state.item() == pytest.approx(sigmoid * tanh, rel=1e-5)
        expected = sigmoid * torch.tanh(torch.tensor(sigmoid * tanh)).item()
        assert hidden.item() == pytest.approx(expected, rel=1e-5)
        following, after = cell(x, hidden, state)
    gate = torch.sigmoid(x + hidden).item()
    new = gate * state.item() + gate * torch.tanh(x + hidden).item()
    assert after.item() == pytest.approx(new, rel=1e-5)
    assert following.item() == pytest.approx(gate * torch.tanh(torch.tensor(new)).item(), rel=1e-5)


def test_a_start_is_a_past_of_zeros() -> None:
    cell = ConvLSTM(3, 2)
    x, nothing = torch.randn(1, 3, 4, 5), torch.zeros(1, 2, 4, 5)
    for one, two in zip(cell.start(x), cell(x, nothing, nothing), strict=True):
        torch.testing.assert_close(one, two)


def test_the_centre_is_the_crop_s() -> None:
    centre = _centre_map((368, 368))[0, 0]
    assert centre.shape == (46, 46)
    assert 0.9 < centre.max() <= 1
    row, column = divmod(int(centre.argmax()), 46)
    assert {row, column} <= {22, 23}
    # At the map's middle row, 21 pixels away, a Gaussian has fallen to exp(-1/2).
    away = centre[row, column + 3] / centre[row, column]
    assert 0.4 < away < 0.7
    assert centre[0, 0] < 1e-3


def test_unrolling_gives_the_first_maps_too() -> None:
    torch.manual_seed(0)
    network = LSTMPoseMachine(2, (32, 32)).eval()
    images = torch.randn(1, 2, 3, 32, 32)
    with torch.no_grad():
        start, maps = network.unroll(images[:, 0], images[:, 1:])
        assert torch.equal(start, network.first_maps(images[:, 0]))
        assert len(maps) == 2
        assert torch.equal(maps[1], network(images[:, 0], images[:, 1:])[1])
