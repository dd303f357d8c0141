"""What every per-frame network of the distillation family keeps to, as it is deployed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from frame_networks import (
    SIZE,
    faster_pose,
    hourglasses,
    light_branches,
    student,
    student_l,
    token_teacher,
)
from vidpose.export.graphs import FrameGraph
from vidpose.export.onnx import settle_weights, store_weights_in_half, to_onnx
from vidpose.export.parity import keypoint_difference, open_graph
from vidpose.methods.distilpose.rendered import RenderedPose
from vidpose.nn.heatmap_logits import HeatmapLogits
from vidpose.skeleton import LSP_14, MPII_16

Builder = Callable[[int], nn.Module]


def _heatmaps(network: nn.Module, *, sigmoid: bool = False) -> HeatmapLogits:
    return HeatmapLogits(network, 2.0, sigmoid=sigmoid)


# As deployed: images -> logits of a distribution.
DEPLOYED: dict[str, Builder] = {
    "fasterpose-shuffle": lambda k: _heatmaps(faster_pose(k), sigmoid=True),
    "fasterpose-direct": lambda k: _heatmaps(faster_pose(k, "direct"), sigmoid=True),
    "fasterpose-bottleneck": lambda k: _heatmaps(faster_pose(k, "bottleneck"), sigmoid=True),
    "okdhp-hourglass": lambda k: _heatmaps(hourglasses(k).joined(1)),
    "okdhp-light": lambda k: _heatmaps(light_branches(k).joined(0)),
    "distilpose-s": lambda k: RenderedPose(student(k)),
    "distilpose-s-no-score": lambda k: RenderedPose(student(k, scores=False)),
    "distilpose-l": lambda k: RenderedPose(student_l(k)),
    "tokenpose": lambda k: _heatmaps(token_teacher(k)),
}
# As trained: with everything that learns.
TRAINED: dict[str, Builder] = {
    "fasterpose-shuffle": faster_pose,
    "fasterpose-direct": lambda k: faster_pose(k, "direct"),
    "fasterpose-bottleneck": lambda k: faster_pose(k, "bottleneck"),
    "okdhp-balanced": lambda k: hourglasses(k, (1, 1)),
    "okdhp-unbalanced": lambda k: hourglasses(k, (1, 2, 3), "paper"),
    "okdhp-ffl": lambda k: hourglasses(k, (1, 1), "ffl"),
    "okdhp-light": lambda k: light_branches(k, "code"),
    "distilpose-s": student,
    "distilpose-s-no-score": lambda k: student(k, scores=False),
    "distilpose-l": student_l,
    "tokenpose": token_teacher,
}


def _build(builder: Builder, keypoints: int = 17) -> nn.Module:
    torch.manual_seed(0)
    network = builder(keypoints)
    with torch.no_grad():  # layers that start near zero at work
        for parameter in network.parameters():
            if parameter.ndim > 1 and parameter.std() < 0.005:
                nn.init.normal_(parameter, std=0.2)
    return network


def _images(count: int, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, *SIZE, generator=generator) * 2 - 1


@pytest.mark.parametrize("name", DEPLOYED)
@pytest.mark.parametrize("skeleton", [MPII_16, LSP_14])
def test_maps_of_any_skeleton_for_one_person(name: str, skeleton: Any) -> None:
    network = _build(DEPLOYED[name], skeleton.num_keypoints).eval()
    with torch.no_grad():
        maps = network(_images(1))
    assert tuple(maps.shape) == (1, skeleton.num_keypoints, SIZE[0] // 4, SIZE[1] // 4)
    assert maps.isfinite().all()


@pytest.mark.parametrize("name", DEPLOYED)
def test_people_of_a_batch_do_not_meet_and_answers_repeat(name: str) -> None:
    network = _build(DEPLOYED[name]).eval()
    images = _images(2)
    with torch.no_grad():
        both, again, one = network(images), network(images), network(images[:1])
    assert torch.equal(both, again)
    torch.testing.assert_close(both[:1], one, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", TRAINED)
def test_one_seed_gives_one_network(name: str) -> None:
    one, two = _build(TRAINED[name]).state_dict(), _build(TRAINED[name]).state_dict()
    assert all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.parametrize("name", TRAINED)
def test_the_gradient_reaches_every_parameter(name: str) -> None:
    network = _build(TRAINED[name]).train()
    generator = torch.Generator().manual_seed(2)
    terms = [
        (t * torch.randn(t.shape, generator=generator)).sum() for t in _tensors(network(_images(2)))
    ]
    torch.stack(terms).sum().backward()
    idle = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    return [t for part in value if part is not None for t in _tensors(part)]


@pytest.mark.parametrize("name", TRAINED)
def test_a_training_step_works_with_one_person(name: str) -> None:
    network = _build(TRAINED[name]).train()
    found = _tensors(network(_images(1)))
    assert all(t.shape[0] == 1 and t.isfinite().all() for t in found)


@pytest.mark.parametrize("name", DEPLOYED)
def test_onnx_finds_the_same_keypoints_for_any_number_of_people(name: str) -> None:
    network = _build(DEPLOYED[name]).eval()
    settle_weights(network)
    graph = FrameGraph(network).eval()
    crops = _crops(3)
    axes = {"image": {0: "people"}, "maps": {0: "people"}}
    content = to_onnx(graph, {"image": crops[:1]}, ("maps",), axes)
    session, half = open_graph(content), open_graph(store_weights_in_half(content))
    for people in (1, 3):
        with torch.no_grad():
            expected = graph(crops[:people]).numpy()
        (found,) = session.run(None, {"image": crops[:people].numpy()})
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=2e-3 * float(np.abs(expected).max()))
        (rounded,) = half.run(None, {"image": crops[:people].numpy()})
        np.testing.assert_allclose(rounded, expected, atol=0.05 * float(np.abs(expected).max()))
    assert keypoint_difference(expected, found, 4) < 0.05


def _crops(count: int) -> Tensor:
    images = (_images(count) + 1) * 127.5
    return images.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
