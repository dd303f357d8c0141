"""The light pose network, its start from MoveNet's weights, and the return of its BatchNorms."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from published_movenet import published_heatmaps
from vidpose.errors import BundleError
from vidpose.export.graphs import multiply_adds
from vidpose.nn.movenet import (
    THUNDER_WIDTH,
    PoseNet,
    fold_batch_norm,
    load_movenet_onnx,
    load_movenet_pose,
    movenet_width,
    restore_batch_norm,
    width_of,
)

PARAMETERS = 2_320_489
THUNDER_PARAMETERS = 6_240_393
MULTIPLY_ADDS = 317_159_424  # at 256 x 192


def test_size_and_cost_stay_what_they_are() -> None:
    network = PoseNet().eval()
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS
    assert multiply_adds(network, (torch.zeros(1, 3, 256, 192),)) == MULTIPLY_ADDS


def test_pyramid_levels() -> None:
    levels = PoseNet().eval().encoder.backbone.pyramid(torch.zeros(2, 3, 64, 96))
    shapes = [tuple(level.shape) for level in levels]
    assert shapes == [(2, 32, 4, 6), (2, 24, 8, 12), (2, 24, 16, 24)]


def _photographs(shared_data: Path, size: tuple[int, int]) -> np.ndarray:
    """Real crops, uint8 RGB (4, h, w, 3)."""
    paths = sorted((shared_data / "coco" / "val2017").glob("*.jpg"))[:4]
    images = [cv2.imread(str(path))[..., ::-1] for path in paths]
    return np.stack([cv2.resize(np.ascontiguousarray(i), size[::-1]) for i in images])


def _tensor(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1


@pytest.fixture(scope="module")
def started(shared_models: Path) -> PoseNet:
    network = PoseNet()
    load_movenet_pose(network, shared_models / "movenet_lightning.onnx")
    return network.eval()


def test_equals_movenet_s_heatmap_branch(
    started: PoseNet, shared_models: Path, shared_data: Path
) -> None:
    """The published graph, run by onnxruntime, is the oracle."""
    image = _photographs(shared_data, (192, 192))[:1]
    expected = published_heatmaps(shared_models / "movenet_lightning.onnx", image)
    with torch.no_grad():
        found = started(_tensor(image)).numpy()
    assert found.shape == expected.shape == (1, 17, 48, 48)
    assert np.ptp(expected) > 5  # the photograph excites it
    np.testing.assert_allclose(found, expected, atol=1e-2)


def test_restored_norms_keep_outputs_and_let_training_start_near(
    shared_models: Path, shared_data: Path
) -> None:
    network = PoseNet()
    load_movenet_pose(network, shared_models / "movenet_lightning.onnx")
    images = _tensor(_photographs(shared_data, (128, 96)))
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
    images = _tensor(_photographs(shared_data, (128, 96)))
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
    images = _photographs(shared_data, (256, 256))[:1]
    expected = torch.from_numpy(published_heatmaps(path, images))
    with torch.no_grad():
        torch.testing.assert_close(network(_tensor(images)), expected, atol=2e-2, rtol=1e-3)


@pytest.mark.parametrize("content", [None, b"", b"not an ONNX file"])
def test_a_file_that_is_no_onnx_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "start.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BundleError, match=r"start\.onnx"):
        load_movenet_onnx(PoseNet().encoder.backbone, path)
