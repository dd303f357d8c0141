"""Multiply-adds and parameters of made graphs, counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the networks are built with onnx")

from onnx import TensorProto, helper, numpy_helper, save

from made_networks import brightest
from vidpose.importing import ImportOptions, cost, import_network
from vidpose.importing.reading import read_network
from vidpose.importing.recognise import recognise
from vidpose.skeleton import COCO_17

FLOAT = TensorProto.FLOAT


def layered(path: Path, half: bool = False) -> Path:
    """Heatmaps [N, 17, 16, 12] of a picture [N, 3, 64, 48] by a convolution of stride 8, a
    transposed one of stride 2 with two groups, and a matrix product with the channels."""
    numbers = np.random.default_rng(0)
    first = numbers.standard_normal((8, 3, 8, 8)).astype(np.float16 if half else np.float32)
    weights = [
        numpy_helper.from_array(first, "first"),
        numpy_helper.from_array(np.zeros((8, 4, 2, 2), np.float32), "second"),
        numpy_helper.from_array(np.zeros((17, 8), np.float32), "third"),
        numpy_helper.from_array(np.array([-1, 8, 192], np.int64), "flat"),
        numpy_helper.from_array(np.array([-1, 17, 16, 12], np.int64), "maps_sides"),
    ]
    nodes = [helper.make_node("Cast", ["first"], ["first_full"], to=FLOAT)]
    nodes += [
        helper.make_node("Conv", ["image", "first_full"], ["a"], strides=[8, 8]),
        helper.make_node("ConvTranspose", ["a", "second"], ["b"], strides=[2, 2], group=2),
        helper.make_node("Reshape", ["b", "flat"], ["c"]),
        helper.make_node("MatMul", ["third", "c"], ["d"]),
        helper.make_node("Reshape", ["d", "maps_sides"], ["maps"]),
    ]
    image = helper.make_tensor_value_info("image", FLOAT, ["N", 3, 64, 48])
    maps = helper.make_tensor_value_info("maps", FLOAT, ["N", 17, 16, 12])
    graph = helper.make_graph(nodes, "layered", [image], [maps], weights)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


CONVOLUTION = 8 * 8 * 6 * 3 * 64
TRANSPOSED = 8 * 8 * 6 * 4 * 4  # once for each input cell and weight
PRODUCT = 17 * 8 * 192


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("inferred", [False, True])
def test_layers_are_counted_once_for_each_weight(
    tmp_path: Path, half: bool, inferred: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By inferred shapes as by those of a run, of a graph for any number of people."""
    if not inferred:
        monkeypatch.setattr("onnx.shape_inference.infer_shapes", lambda model: model)
    network = read_network(layered(tmp_path / "a.onnx", half))
    found = cost.cost_of(network, recognise(network))
    parameters = 8 * 3 * 64 + 8 * 4 * 4 + 17 * 8
    assert found == cost.Cost(parameters, CONVOLUTION + TRANSPOSED + PRODUCT)


def test_a_bundle_says_its_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ImportOptions(skeleton=COCO_17, normalise="unit", colour="rgb", padding=1.0)
    made = import_network(layered(tmp_path / "a.onnx"), "a", options).bundle
    assert made.metrics["frame_mmacs"] == pytest.approx(0.1, abs=0.05)
    assert "0.000 GMACs for a picture, 0.00 M parameters" in made.card
    monkeypatch.setattr(cost, "find_spec", lambda name: None)
    without = import_network(tmp_path / "a.onnx", "a", options).bundle
    assert "frame_mmacs" not in without.metrics
    assert "not counted" in without.card


def test_a_graph_without_products_costs_nothing(tmp_path: Path) -> None:
    network = read_network(brightest(tmp_path / "a.onnx", (64, 48)))
    found = cost.cost_of(network, recognise(network))
    assert found is not None
    assert found.multiply_adds == 0
