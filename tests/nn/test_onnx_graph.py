"""Other people's ONNX networks as torch modules: the same maps, in any batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from made_networks import brightest, fixed
from vidpose.errors import BundleError
from vidpose.nn.onnx_graph import load_onnx_graph

SIZE = (32, 24)


def shuffling(path: Path, **changes: str) -> Path:
    """A network as published ones are: float16 weights behind a Cast, channels that change places
    and a picture that is made smaller and larger, all for a batch of 1 written into the graph."""
    rng = np.random.default_rng(0)
    kernels = rng.normal(size=(4, 3, 3, 3)).astype(np.float16)
    weights = [
        numpy_helper.from_array(kernels, "kernels_half"),
        numpy_helper.from_array(np.array([1, 2, 2, 8, 6]), "split"),
        numpy_helper.from_array(np.array([1, 4, 8, 6]), "joined"),
        numpy_helper.from_array(np.array([1, 4, 16, 12]), "twice"),
    ]
    nodes = [
        helper.make_node("Cast", ["kernels_half"], ["kernels"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["image", "kernels"], ["small"], strides=[4, 4], pads=[1] * 4),
        helper.make_node("Reshape", ["small", "split"], ["groups"]),
        helper.make_node("Transpose", ["groups"], ["turned"], perm=[0, 2, 1, 3, 4]),
        helper.make_node("Reshape", ["turned", "joined"], ["shuffled"]),
        helper.make_node("Resize", ["shuffled", "", "", "twice"], ["large"], mode="nearest",
                         nearest_mode="floor", coordinate_transformation_mode="asymmetric"),
        helper.make_node(changes.get("last", "Sigmoid"), ["large"], ["maps"]),
    ]  # fmt: skip
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, *SIZE])
    maps = helper.make_tensor_value_info("maps", TensorProto.FLOAT, [1, 4, 16, 12])
    graph = helper.make_graph(nodes, "shuffling", [image], [maps], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    onnx.save(model, path)
    return path


def _as_in_onnxruntime(path: Path, count: int = 3) -> None:
    graph, session = load_onnx_graph(path), onnxruntime.InferenceSession(str(path))
    images = np.random.default_rng(1).normal(size=(count, 3, *graph.size)).astype(np.float32)
    name = session.get_inputs()[0].name
    expected = np.concatenate([session.run(None, {name: one[None]})[0] for one in images])
    found = graph(torch.from_numpy(images))
    assert not found.requires_grad
    assert expected.std() > 0
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)
    assert graph.maps == expected.shape[1:]


def test_a_batch_gives_what_onnx_runtime_gives_one_by_one(tmp_path: Path) -> None:
    _as_in_onnxruntime(shuffling(tmp_path / "made.onnx"))


@pytest.mark.parametrize("name", ["tinypose_256x192", "ultralight_nano_simplepose"])
def test_published_networks_too(shared_models: Path, name: str) -> None:
    _as_in_onnxruntime(shared_models / f"{name}.onnx", 2)


def test_what_cannot_be_used_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no network")
    square = fixed(tmp_path / "rows.onnx", {"maps": np.zeros((1, 4))}, [1, 8, 8, 3])
    flat = fixed(tmp_path / "flat.onnx", {"maps": np.zeros((1, 4))}, [1, 3, 8, 8])
    unknown = shuffling(tmp_path / "unknown.onnx", last="Hardmax")
    for path, said in (
        (tmp_path / "text.onnx", "not a readable ONNX file"),
        (square, r"expected one input \[N, 3, H, W\]"),
        (flat, "is no heatmap"),
        (unknown, "cannot be converted to torch"),
    ):
        with pytest.raises(BundleError, match=said) as found:
            load_onnx_graph(path)
        assert "\n" not in str(found.value)
        assert path.name in str(found.value)


class _Zeros(torch.nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(images), 17, SIZE[0] // 4, SIZE[1] // 4)


def test_other_maps_than_onnx_runtime_s_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = brightest(tmp_path / "made.onnx", SIZE)
    load_onnx_graph(path)
    monkeypatch.setattr("onnx2torch.convert", lambda _: torch.nn.Sequential(_Zeros()))
    with pytest.raises(BundleError, match=r"differ from ONNX Runtime's by 1 of"):
        load_onnx_graph(path)
