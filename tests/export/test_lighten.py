"""Lighter graphs: the same numbers as before and as the network's, from less work."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import ModelProto
from torch import nn

from vidpose.export import onnx as exporter
from vidpose.export.graphs import FrameGraph, InitializerGraph, StepGraph
from vidpose.export.onnx import to_onnx
from vidpose.export.parity import open_graph
from vidpose.export.rewriting.lighten import lighten
from vidpose.methods.dkd.light import Sizes, build_light_dkd
from vidpose.methods.dkd.pooled import DistributionDKD, PlaneWaves, PooledDistillator

SIZE, STEP = (32, 24), (16, 12)
PEOPLE = {0: "people"}


class _Pyramid(nn.Module):
    """A first convolution, one level lower, and back up by an addition."""

    def __init__(self, out: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 2, 1)
        self.low = nn.Conv2d(16, 16, 3, 2, 1)
        self.side = nn.Conv2d(16, 16, 1)
        self.last = nn.Conv2d(16, out, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x).relu()
        low = self.low(x).relu()
        up = nn.functional.interpolate(low, scale_factor=2.0, mode="bilinear")
        maps: torch.Tensor = self.last((up + self.side(x)).relu())
        return maps


@pytest.fixture(scope="module")
def network() -> DistributionDKD:
    torch.manual_seed(0)
    waves = PlaneWaves((8, 6), wavelengths=(16.0, 8.0), directions=2)
    distillator = PooledDistillator(16 + waves.channels, 5, hidden=8)
    nn.init.normal_(distillator.gain)
    nn.init.normal_(distillator.update.weight)
    return DistributionDKD(_Pyramid(5), _Pyramid(16), distillator, waves, ratio=2).eval()


def _images(people: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.random.default_rng(people).integers(0, 256, (people, *size, 3), np.uint8)


def _kinds(model: ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


@pytest.mark.parametrize("people", [1, 2, 5])
def test_an_exported_network_finds_what_the_network_does(
    network: DistributionDKD, people: int
) -> None:
    image, small = (torch.zeros(1, *size, 3, dtype=torch.uint8) for size in (SIZE, STEP))
    first, later = InitializerGraph(network), StepGraph(network)
    axes = dict.fromkeys(("image", "maps", "kernels"), PEOPLE)
    look = to_onnx(first, {"image": image}, ("maps", "kernels"), axes)
    kernels = first(image)[1].detach()
    feed = {"image": small, "kernels": kernels}
    step = to_onnx(later, feed, ("maps", "next"), axes | {"next": PEOPLE})

    crops, steps = _images(people, SIZE), _images(people, STEP)
    with torch.no_grad():
        expected = first(torch.from_numpy(crops))
        followed = later(torch.from_numpy(steps), expected[1])
    found = open_graph(look).run(None, {"image": crops})
    after = open_graph(step).run(None, {"image": steps, "kernels": found[1]})
    for want, have in zip((*expected, *followed), (*found, *after), strict=True):
        assert have.shape == want.shape
        np.testing.assert_allclose(have, want.numpy(), rtol=1e-4, atol=1e-4)
    for content in (look, step):
        kinds = _kinds(onnx.load_from_string(content))
        assert not kinds.keys() & {"Shape", "Gather", "Where", "Pad", "Constant"}
        assert kinds["Expand"] == 0  # the waves are multiplied as they are


@pytest.mark.parametrize("step", [False, True])
def test_a_graph_that_was_not_lightened_finds_the_same(
    step: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a real network, as bundles of former days hold it."""
    monkeypatch.setattr(exporter, "lighten", lambda model: model)
    torch.manual_seed(0)
    light_network = build_light_dkd(sizes=Sizes((64, 64), (32, 32))).eval()
    side = 32 if step else 64
    image = torch.zeros(1, side, side, 3, dtype=torch.uint8)
    kernels = torch.zeros(1, 17, 144, 1, 1)
    axes = dict.fromkeys(("image", "kernels", "maps", "next_kernels"), PEOPLE)
    if step:
        inputs, outputs = {"image": image, "kernels": kernels}, ("maps", "next_kernels")
        content = to_onnx(StepGraph(light_network), inputs, outputs, axes)
    else:
        whole = InitializerGraph(light_network)
        content = to_onnx(whole, {"image": image}, ("maps", "kernels"), axes)
    before = onnx.load_from_string(content)
    light = lighten(onnx.load_from_string(content))
    assert _kinds(light)["Shape"] == 0
    assert len(light.graph.node) < len(before.graph.node) / 2
    old, new = open_graph(content), open_graph(light.SerializeToString())
    for people in (1, 3):
        feed = {"image": _images(people, (side, side))}
        if step:
            rng = np.random.default_rng(people)
            feed["kernels"] = rng.normal(0, 5, (people, 17, 144, 1, 1)).astype(np.float32)
        for want, have in zip(old.run(None, feed), new.run(None, feed), strict=True):
            np.testing.assert_allclose(have, want, rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize("people", ["people", 1])
def test_both_maps_of_a_sum_are_known_to_have_one_shape(people: str | int) -> None:
    """The runtime adds them inside a convolution only then."""
    image = torch.zeros(1, *SIZE, 3, dtype=torch.uint8)
    graph = FrameGraph(_Pyramid(4)).eval()
    axes = dict.fromkeys(("image", "maps"), PEOPLE) if people == "people" else {}
    content = to_onnx(graph, {"image": image}, ("maps",), axes)
    model = onnx.shape_inference.infer_shapes(onnx.load_from_string(content))
    shapes = {value.name: value.type.tensor_type.shape.dim for value in model.graph.value_info}
    (add,) = [node for node in model.graph.node if node.op_type == "Add"]
    sides = [[s.dim_param or s.dim_value for s in shapes[name]] for name in add.input]
    assert sides == [[people, 16, 16, 12]] * 2


def test_the_scale_is_in_the_weights_and_padding_is_still_mid_grey() -> None:
    torch.manual_seed(1)
    network = nn.Conv2d(3, 2, 3, padding=1).eval()
    image = torch.zeros(1, *SIZE, 3, dtype=torch.uint8)
    content = to_onnx(
        FrameGraph(network).eval(), {"image": image}, ("maps",), {"image": PEOPLE, "maps": PEOPLE}
    )
    assert _kinds(onnx.load_from_string(content))["Div"] == 0
    crops = _images(2, SIZE)
    (maps,) = open_graph(content).run(None, {"image": crops})
    picture = torch.from_numpy(crops).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        np.testing.assert_allclose(maps, network(picture).numpy(), rtol=1e-4, atol=1e-5)


def test_sizes_that_are_open_stay_open() -> None:
    class Flat(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return image.float().reshape(image.shape[1], image.shape[2] * 3)

    image = torch.zeros(1, 4, 6, 3, dtype=torch.uint8)
    content = to_onnx(
        Flat(), {"image": image}, ("rows",), {"image": {1: "h", 2: "w"}, "rows": {0: "h", 1: "w3"}}
    )
    (rows,) = open_graph(content).run(None, {"image": np.ones((1, 5, 7, 3), np.uint8)})
    assert rows.shape == (5, 21)
