"""Teachers of any origin: what they see, where their cells lie, and that nothing trains them."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from frame_networks import SIZE, token_teacher
from vidpose.bundle import Bundle, FrameSettings, write_bundle
from vidpose.errors import BundleError, DataError
from vidpose.export.graphs import FrameGraph
from vidpose.export.onnx import to_onnx
from vidpose.nn.heatmap_logits import distribution_heatmaps
from vidpose.skeleton import LSP_14
from vidpose.training.teachers import BundleTeacher, NetworkTeacher, OnnxAdapter, OnnxTeacher

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.5)


def _onnx(path: Path, size: tuple[int, int] = (32, 24), batch: int | str = 1) -> Path:
    """Three maps at stride 4: the mean of each colour over its cell's pixels."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, *size])
    cells = [batch, 3, size[0] // 4, size[1] // 4]
    maps = helper.make_tensor_value_info("maps", TensorProto.FLOAT, cells)
    pool = {"kernel_shape": [4, 4], "strides": [4, 4]}
    node = helper.make_node("AveragePool", ["image"], ["maps"], **pool)
    opset = helper.make_opsetid("", 18)
    model = helper.make_model(
        helper.make_graph([node], "mean", [image], [maps]), opset_imports=[opset], ir_version=10
    )
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("batch", [1, "people"])
def test_an_onnx_teacher_sees_its_own_normalisation(tmp_path: Path, batch: int | str) -> None:
    teacher = OnnxTeacher(_onnx(tmp_path / "t.onnx", batch=batch), OnnxAdapter(MEAN, STD))
    assert (teacher.size, teacher.num_keypoints) == ((32, 24), 3)
    crops = torch.full((2, 3, 32, 24), 51, dtype=torch.uint8)  # 0.2
    crops[1] = 255
    heatmaps, tokens = teacher(crops, (8, 6))
    assert tokens is None
    assert heatmaps[0, :, 0, 0].tolist() == pytest.approx([-1.0, -1.2, -0.8], abs=1e-5)
    assert heatmaps[1, :, 5, 5].tolist() == pytest.approx([3.0, 2.0, 0.8], abs=1e-5)


def _ramp(adapter: OnnxAdapter, path: Path) -> Tensor:
    """Heatmaps of a picture whose red grows by 2 with every column."""
    crops = torch.zeros(1, 3, 32, 24, dtype=torch.uint8)
    crops[0, 0] = 2 * torch.arange(24, dtype=torch.uint8)
    return OnnxTeacher(path, adapter)(crops, (8, 6)).heatmaps[0, 0, 3] * 255


def test_cells_at_corners_are_moved(tmp_path: Path) -> None:
    """A teacher whose cell i speaks of pixel 4 i; the student's of pixel 4 i + 1.5: 3 levels on."""
    path, plain = _onnx(tmp_path / "t.onnx"), ((0.0,) * 3, (1.0,) * 3)
    centres = _ramp(OnnxAdapter(*plain), path)
    corners = _ramp(OnnxAdapter(*plain, corners=True), path)
    torch.testing.assert_close((corners - centres)[:-1], torch.full((5,), 3.0))


def test_kinds_of_maps(tmp_path: Path) -> None:
    path = _onnx(tmp_path / "t.onnx")
    crops = torch.randint(0, 256, (1, 3, 32, 24), dtype=torch.uint8)
    raw = OnnxTeacher(path, OnnxAdapter(kind="heatmaps"))(crops, (8, 6)).heatmaps
    sigmoid = OnnxTeacher(path, OnnxAdapter(kind="sigmoid"))(crops, (8, 6)).heatmaps
    distribution = OnnxTeacher(path, OnnxAdapter(kind="distribution"))(crops, (8, 6)).heatmaps
    torch.testing.assert_close(sigmoid, raw.sigmoid())
    torch.testing.assert_close(distribution, distribution_heatmaps(raw))


def test_crops_and_maps_of_other_sizes_are_scaled(tmp_path: Path) -> None:
    teacher = OnnxTeacher(_onnx(tmp_path / "t.onnx"), OnnxAdapter((0.0,) * 3, (1.0,) * 3))
    crops = torch.full((1, 3, 64, 48), 102, dtype=torch.uint8)
    heatmaps = teacher(crops, (16, 12)).heatmaps
    torch.testing.assert_close(heatmaps, torch.full((1, 3, 16, 12), 0.4))
    with pytest.raises(DataError, match=r"32 x 24, the student's 64 x 64 have another shape"):
        teacher(torch.zeros(1, 3, 64, 64, dtype=torch.uint8), (16, 16))


def test_files_that_are_no_teachers_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no graph")
    with pytest.raises(BundleError, match=r"text\.onnx: not a readable ONNX file"):
        OnnxTeacher(tmp_path / "text.onnx", OnnxAdapter())
    with pytest.raises(BundleError, match="output 'heat' is no heatmap"):
        OnnxTeacher(_onnx(tmp_path / "t.onnx"), OnnxAdapter(output="heat"))


def test_a_bundle_teaches_as_its_network_does(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 14, 3, 2, 1)]
    network = nn.Sequential(*layers).eval()
    image = torch.randint(0, 256, (1, *SIZE, 3), dtype=torch.uint8)
    axes = {"image": {0: "n"}, "maps": {0: "n"}}
    graph = to_onnx(FrameGraph(network), {"image": image}, ("maps",), axes)
    settings = FrameSettings(SIZE)
    path = tmp_path / "small.vidpose"
    write_bundle(path, Bundle("small", "frame", "1", "MIT", settings, {"frame": graph}, LSP_14))
    teacher = BundleTeacher(path, threads=1)
    twin = NetworkTeacher(network, "distribution", SIZE, 14, "twin")
    assert (teacher.size, teacher.num_keypoints) == (SIZE, 14)
    crops, cells = image.permute(0, 3, 1, 2), (SIZE[0] // 4, SIZE[1] // 4)
    one, two = teacher(crops, cells).heatmaps, twin(crops, cells).heatmaps
    torch.testing.assert_close(one, two, atol=1e-4, rtol=1e-3)


def test_a_torch_teacher_is_fixed_and_gives_its_tokens() -> None:
    network = token_teacher(5).train()
    teacher = NetworkTeacher(network, "heatmaps", SIZE, 5, "tokens")
    assert not any(part.training for part in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())
    crops = torch.randint(0, 256, (1, 3, *SIZE), dtype=torch.uint8)
    heatmaps, tokens = teacher(crops, (SIZE[0] // 4, SIZE[1] // 4))
    assert tokens is not None
    assert not heatmaps.requires_grad
    with torch.no_grad():
        torch.testing.assert_close(heatmaps, network(crops.float() / 127.5 - 1))
