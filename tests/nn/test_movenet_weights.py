"""The start from MoveNet's published weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from published_movenet import photographs, pixels, published_heatmaps
from vidpose.errors import BundleError
from vidpose.nn.movenet import THUNDER_WIDTH, PoseNet, width_of
from vidpose.nn.movenet_weights import load_movenet_onnx, load_movenet_pose, movenet_width

THUNDER_PARAMETERS = 6_240_393


@pytest.fixture(scope="module")
def started(shared_models: Path) -> PoseNet:
    network = PoseNet()
    load_movenet_pose(network, shared_models / "movenet_lightning.onnx")
    return network.eval()


def test_equals_movenet_s_heatmap_branch(
    started: PoseNet, shared_models: Path, shared_data: Path
) -> None:
    """The published graph, run by onnxruntime, is the oracle."""
    image = photographs(shared_data, (192, 192))[:1]
    expected = published_heatmaps(shared_models / "movenet_lightning.onnx", image)
    with torch.no_grad():
        found = started(pixels(image)).numpy()
    assert found.shape == expected.shape == (1, 17, 48, 48)
    assert np.ptp(expected) > 5  # the photograph excites it
    np.testing.assert_allclose(found, expected, atol=1e-2)


def _onnx_with_convolutions(path: Path, shapes: list[tuple[int, ...]]) -> Path:
    """A graph of convolutions of the given weights, each reading the graph's input."""
    nodes, weights, outputs = [], [], []
    for number, shape in enumerate(shapes):
        values = np.zeros(shape, np.float32)
        weights.append(numpy_helper.from_array(values, f"w{number}"))
        bias = np.zeros(shape[0], np.float32)
        weights.append(numpy_helper.from_array(bias, f"b{number}"))
        names = ["image", f"w{number}", f"b{number}"]
        nodes.append(helper.make_node("Conv", names, [f"y{number}"]))
        outputs.append(helper.make_tensor_value_info(f"y{number}", TensorProto.FLOAT, None))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 8])
    onnx.save(helper.make_model(helper.make_graph(nodes, "other", [image], outputs, weights)), path)
    return path


@pytest.mark.parametrize("shapes", [[(8, 3, 3, 3)], [(8, 3, 3, 3)] * 90])
def test_another_network_is_refused(tmp_path: Path, shapes: list[tuple[int, ...]]) -> None:
    path = _onnx_with_convolutions(tmp_path / "other.onnx", shapes)
    with pytest.raises(BundleError, match=r"other\.onnx: not MoveNet"):
        load_movenet_onnx(PoseNet().encoder.backbone, path)


def test_a_network_of_another_width_is_refused(shared_models: Path) -> None:
    with pytest.raises(BundleError, match="not MoveNet of this width"):
        load_movenet_pose(PoseNet(), shared_models / "movenet_thunder.onnx")


@pytest.mark.parametrize(
    "shapes",
    [[(8, 3, 3, 3)], [(48, 3, 3, 3)] * 90, [(32, 3, 3, 3)] * 90],  # the last: a like stem
)
def test_the_width_of_another_network_is_refused(
    tmp_path: Path, shapes: list[tuple[int, ...]]
) -> None:
    path = _onnx_with_convolutions(tmp_path / "other.onnx", shapes)
    with pytest.raises(BundleError, match=r"other\.onnx: not MoveNet Lightning or Thunder"):
        movenet_width(path)


def test_thunder_is_lightning_with_a_wider_trunk(shared_models: Path, shared_data: Path) -> None:
    """The published graph is the oracle."""
    path = shared_models / "movenet_thunder.onnx"
    network = PoseNet(width=movenet_width(path)).eval()
    load_movenet_pose(network, path)
    assert width_of(network.state_dict()) == THUNDER_WIDTH
    assert sum(p.numel() for p in network.parameters()) == THUNDER_PARAMETERS
    images = photographs(shared_data, (256, 256))[:1]
    expected = torch.from_numpy(published_heatmaps(path, images))
    with torch.no_grad():
        torch.testing.assert_close(network(pixels(images)), expected, atol=2e-2, rtol=1e-3)


@pytest.mark.parametrize("content", [None, b"", b"not an ONNX file"])
def test_a_file_that_is_no_onnx_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "start.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BundleError, match=r"start\.onnx"):
        load_movenet_onnx(PoseNet().encoder.backbone, path)
