"""ONNX files: weights in half precision, and how differences are measured."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from vidpose.export.graphs import multiply_adds, normalise_crops
from vidpose.export.onnx import (
    settle_weights,
    store_weights_in_half,
    to_onnx,
    with_fixed_padding,
)
from vidpose.export.parity import keypoint_difference, open_graph
from vidpose.nn.far_end_padding import FarEndConv2d
from vidpose.nn.movenet import PoseNet


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 48, 3, padding=1), nn.ReLU(), nn.Conv2d(48, 64, 3, padding=1), nn.ReLU(),
        nn.Conv2d(64, 4, 1),
    ).eval()  # fmt: skip


def _export(network: nn.Module) -> bytes:
    batch = {0: "people"}
    image = torch.zeros(1, 3, 8, 8)
    return to_onnx(network, {"image": image}, ("maps",), {"image": batch, "maps": batch})


def _run(content: bytes, image: Tensor) -> np.ndarray:
    (maps,) = open_graph(content).run(None, {"image": image.numpy()})
    return np.asarray(maps)


def test_half_precision_halves_the_file() -> None:
    network = _network()
    settle_weights(network)
    content = _export(network)
    half = store_weights_in_half(content)
    assert 0.45 * len(content) < len(half) < 0.6 * len(content)


def test_rounded_weights_lose_nothing_when_stored() -> None:
    network = _network()
    settle_weights(network)
    content = _export(network)
    image = torch.randn(3, 3, 8, 8)  # another number of people than at export
    whole, half = _run(content, image), _run(store_weights_in_half(content), image)
    np.testing.assert_array_equal(whole, half)
    with torch.no_grad():
        np.testing.assert_allclose(half, network(image).numpy(), atol=1e-5)


def test_weights_that_were_not_rounded_are_left_as_they_are() -> None:
    content = _export(_network())
    stored = store_weights_in_half(content)
    image = torch.randn(1, 3, 8, 8)
    np.testing.assert_array_equal(_run(content, image), _run(stored, image))
    assert len(stored) > 0.9 * len(content)


def test_small_weights_are_left_alone() -> None:
    network = _network()
    before = {name: p.clone() for name, p in network.named_parameters()}
    settle_weights(network)
    for name, parameter in network.named_parameters():
        kept = torch.equal(parameter, before[name])
        assert kept is (parameter.numel() < 1024)


def _peaks(points: list[tuple[int, int]]) -> np.ndarray:
    maps = np.zeros((1, len(points), 16, 12), np.float32)
    for joint, (x, y) in enumerate(points):
        maps[0, joint, y, x] = 30
    return maps


def test_the_difference_is_the_largest_distance_in_crop_pixels() -> None:
    one = _peaks([(3, 4), (6, 6)])
    assert keypoint_difference(one, one, 4) == 0
    assert keypoint_difference(one, _peaks([(3, 4), (7, 6)]), 4) == pytest.approx(4, abs=1e-3)
    assert keypoint_difference(one, _peaks([(3, 5), (9, 10)]), 8) == pytest.approx(40, abs=1e-2)


def test_what_is_no_keypoint_makes_no_difference() -> None:
    """Of a nearly flat map, rounding chooses the highest cell."""
    flat = np.zeros((1, 1, 64, 48), np.float32)
    one, two = flat.copy(), flat.copy()
    one[0, 0, 3, 3] = two[0, 0, 60, 40] = 1e-6
    assert keypoint_difference(one, two, 4) == 0


def test_rounding_between_two_equal_places_makes_no_difference() -> None:
    """Two peaks of one height: which of them is the keypoint, the last digit decides."""
    one = _peaks([(3, 4)])
    one[0, 0, 12, 8] = 30
    two = one.copy()
    one[0, 0, 4, 3] += 1e-5
    two[0, 0, 12, 8] += 1e-5
    assert keypoint_difference(one, two, 4) < 1e-3
    two[0, 0, 12, 8] += 0.1
    assert keypoint_difference(one, two, 4) > 30


def test_crops_are_normalised_in_the_graph() -> None:
    image = torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 2, 1).expand(1, 1, 2, 3)
    found = normalise_crops(image)
    assert found.shape == (1, 3, 1, 2)
    torch.testing.assert_close(found[0, 0, 0], torch.tensor([-1.0, 1.0]))


def test_multiply_adds_by_hand() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Flatten(), nn.Linear(8 * 16, 5))
    assert multiply_adds(network, (torch.zeros(1, 3, 4, 4),)) == 16 * 8 * 3 * 9 + 8 * 16 * 5


@pytest.mark.parametrize("size", [(64, 96), (40, 120)])
def test_padding_is_fixed_and_the_network_stays_as_it_was(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network = PoseNet().eval()
    images = torch.rand(2, 3, *size) * 2 - 1
    fixed = with_fixed_padding(network, (images,))
    assert any(isinstance(part, FarEndConv2d) for part in network.modules())
    assert not any(isinstance(part, FarEndConv2d) for part in fixed.modules())
    with torch.no_grad():
        torch.testing.assert_close(fixed(images), network(images))
    graph = onnx.load_from_string(to_onnx(network, {"image": images}, ("maps",), {})).graph
    assert "Ceil" not in {node.op_type for node in graph.node}  # nothing is worked out per call
