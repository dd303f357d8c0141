"""INT8: what is quantised and what stays, and the gate before the file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from own_labels import write_own_coco, write_skeleton
from stills_folders import lsp_people, write_lspet
from vidpose.bundle import Bundle, DetectorSettings, FrameSettings, read_bundle, write_bundle
from vidpose.data.datasets.lspet import load_lspet
from vidpose.errors import BundleError, DataError
from vidpose.export import export_int8, int8, quantise
from vidpose.export import onnx as export_onnx
from vidpose.export.graphs import FrameGraph
from vidpose.export.onnx import settle_weights, store_weights_in_half, to_onnx
from vidpose.export.parity import open_graph
from vidpose.export.rewriting import picture
from vidpose.skeleton import COCO_17, find_skeleton

SIZE = (64, 64)


class _Toy(nn.Module):
    """Trunk at stride 8, one enlargement to stride 4, a lateral, a head: the real ones' shape."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(3, 32, 3, 4, 1), nn.ReLU6(),
            nn.Conv2d(32, 32, 5, 1, 2, groups=32), nn.ReLU6(),
            nn.Conv2d(32, 16, 1),
            nn.Conv2d(16, 48, 1), nn.ReLU6(),
        )  # fmt: skip
        self.lower = nn.Sequential(
            nn.Conv2d(48, 48, 3, 2, 1, groups=48), nn.ReLU6(),
            nn.Conv2d(48, 40, 1), nn.ReLU6(),
            nn.Conv2d(40, 64, 1),
        )  # fmt: skip
        self.lateral = nn.Conv2d(48, 64, 1)
        self.head = nn.Conv2d(64, 17, 1)
        with torch.no_grad():
            self.head.weight *= 5

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.trunk(x)
        up = nn.functional.interpolate(self.lower(x), scale_factor=2.0, mode="bilinear")
        maps: torch.Tensor = self.head(up + self.lateral(x))
        return maps


@pytest.fixture(scope="module")
def graph() -> bytes:
    torch.manual_seed(1)
    batch = {0: "people"}
    image = torch.zeros(1, *SIZE, 3, dtype=torch.uint8)
    network = FrameGraph(_Toy()).eval()
    settle_weights(network)
    content = to_onnx(network, {"image": image}, ("maps",), {"image": batch, "maps": batch})
    return store_weights_in_half(content)


@pytest.fixture(scope="module")
def feeds() -> list[quantise.Feed]:
    rng = np.random.default_rng(0)
    return [{"image": rng.integers(0, 256, (1, *SIZE, 3), np.uint8)} for _ in range(8)]


@pytest.fixture(scope="module")
def quantised(graph: bytes, feeds: list[quantise.Feed]) -> bytes:
    return quantise.quantise(graph, feeds)


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Six labelled people, all kept out: the same stand for those to calibrate on."""
    root = write_lspet(tmp_path / "lspet", lsp_people(6))
    found = int8.LabelledPeople("toy people", load_lspet(root), load_lspet(root))
    monkeypatch.setattr(int8, "_of_lspet", lambda _: found)
    return {"lspet": root}


@pytest.fixture
def bundle(tmp_path: Path, graph: bytes) -> Path:
    path = tmp_path / "toy.vidpose"
    settings = FrameSettings(SIZE)
    kind = ("toy", "frame", "1", "Apache-2.0")
    write_bundle(path, Bundle(*kind, settings, {"frame": graph}, COCO_17, card="# toy\n"))
    return path


def _convolutions(content: bytes) -> dict[tuple[int, ...], tuple[str, ...]]:
    """For the shape of each convolution's weights: kind of their numbers and shape of the scale
    (none for float)."""
    model = onnx.load_from_string(content)
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    makers = {node.output[0]: node for node in model.graph.node}
    found = {}
    for node in model.graph.node:
        if node.op_type != "Conv":
            continue
        maker = makers.get(node.input[1])
        values = stored[maker.input[0] if maker else node.input[1]]
        quantised = maker is not None and maker.op_type == "DequantizeLinear"
        scales = stored[maker.input[1]].shape if quantised else ()
        found[values.shape] = (values.dtype.name, scales, int(np.abs(values).max()))
    return found


def test_the_trunk_is_quantised_for_each_channel_and_the_rest_stays(quantised: bytes) -> None:
    found = _convolutions(quantised)
    kinds = {shape: kind for shape, (kind, *_) in found.items()}
    small = {(48, 16, 1, 1), (48, 1, 3, 3), (40, 48, 1, 1), (64, 40, 1, 1)}
    assert {shape for shape, kind in kinds.items() if kind == "int8"} == small
    assert kinds[(17, 64, 1, 1)] == "float16"  # behind the enlargement
    assert found[(48, 1, 3, 3)][1:] == ((48,), 127)
    assert found[(48, 16, 1, 1)][1] == (48,)
    assert found[(48, 16, 1, 1)][2] <= 64  # one bit less, see the module's text


def test_scales_keep_single_precision(quantised: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large ones too, which float weights of that size would not."""
    monkeypatch.setattr(export_onnx, "_SMALLEST", 1)
    model = onnx.load_from_string(store_weights_in_half(quantised))
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    scales = [n.input[1] for n in model.graph.node if n.op_type.endswith("uantizeLinear")]
    assert scales
    assert {stored[name].data_type for name in scales} == {onnx.TensorProto.FLOAT}


def test_the_picture_is_read_as_quantised_numbers(quantised: bytes) -> None:
    kinds = [node.op_type for node in onnx.load_from_string(quantised).graph.node]
    assert "Sub" not in kinds
    casts = [n for n in onnx.load_from_string(quantised).graph.node if n.op_type == "Cast"]
    assert all(node.input[0].endswith("_half") for node in casts)  # of weights


def test_the_picture_s_bytes_are_exact_but_for_the_border() -> None:
    """A byte less 127.5 becomes one less 128, the half goes into the biases."""
    torch.manual_seed(0)
    image = torch.zeros(1, *SIZE, 3, dtype=torch.uint8)
    network = FrameGraph(nn.Conv2d(3, 4, 3, padding=1)).eval()
    content = to_onnx(network, {"image": image}, ("maps",), {})
    crops = np.random.default_rng(0).integers(0, 256, (1, *SIZE, 3), np.uint8)
    model = picture.read_bytes(onnx.load_from_string(content))
    found, want = (
        open_graph(c).run(None, {"image": crops})[0] for c in (model.SerializeToString(), content)
    )
    inner = np.s_[..., 1:-1, 1:-1]
    np.testing.assert_allclose(found[inner], want[inner], atol=1e-5)
    assert 1e-4 < np.abs(found - want).max() < 0.01


def test_the_maps_are_nearly_the_same_for_any_number_of_people(
    graph: bytes, quantised: bytes, feeds: list[quantise.Feed]
) -> None:
    images = np.concatenate([feed["image"] for feed in feeds[:3]])
    (before,) = open_graph(graph).run(None, {"image": images})
    (after,) = open_graph(quantised).run(None, {"image": images})
    assert 0 < np.abs(after - before).mean() < 0.05 * before.std()


def test_half_precision_is_undone(graph: bytes, feeds: list[quantise.Feed]) -> None:
    model = quantise.weights_in_full(onnx.load_from_string(graph))
    onnx.checker.check_model(model)
    assert onnx.TensorProto.FLOAT16 not in {t.data_type for t in model.graph.initializer}
    whole, half = (open_graph(c).run(None, feeds[0])[0] for c in (model.SerializeToString(), graph))
    np.testing.assert_array_equal(whole, half)


def test_the_lost_mean_by_hand() -> None:
    """Largest weight 64 in 7 bits: steps of 1. Weights 0.4 and 2.5 round to 0 and 2."""
    weights = np.array([64.0, 0.4, 2.5]).reshape(1, 3, 1, 1)
    lost = quantise._lost_mean(weights, np.array([1.0, 10.0, 2.0]))
    assert lost == pytest.approx([0.4 * 10 + 0.5 * 2])
    depthwise = np.array([127.0, 0.4, 254.0, 0.6]).reshape(2, 1, 1, 2)
    assert quantise._lost_mean(depthwise, np.array([3.0, 5.0])) == pytest.approx(
        [0.4 * 3, 0.6 * 5]  # steps of 1 and of 2; each channel has its own mean
    )


def test_a_bundle_becomes_int8(bundle: Path, people: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "small.vidpose"
    export_int8(bundle, out, people)
    small, whole = read_bundle(out), read_bundle(bundle)
    assert (small.name, small.precision, whole.precision) == ("small", "int8", "float32")
    assert {"frame_pck@0.2", "float_frame_pck@0.2"} <= set(small.metrics)
    assert small.card.startswith("# small\n")
    assert "toy people" in small.card
    assert small.settings.calibration != whole.settings.calibration
    with pytest.raises(BundleError, match="int8 already"):
        export_int8(out, tmp_path / "twice.vidpose", people)


def test_labels_and_keypoints_of_one_s_own(bundle: Path, tmp_path: Path) -> None:
    labels = f"coco:{write_own_coco(tmp_path)}"
    kite = find_skeleton(write_skeleton(tmp_path))
    out = tmp_path / "small.vidpose"
    with pytest.raises(BundleError, match=r"keypoints of coco17, the labels of .* those of kite"):
        export_int8(bundle, out, {}, (labels, kite))
    with pytest.raises(DataError, match="not both"):
        export_int8(bundle, out, {"lspet": tmp_path}, (labels, kite))
    whole = read_bundle(bundle)
    # Of 17 maps the first three: what the graph gives must fit the bundle's keypoints.
    own = tmp_path / "own.vidpose"
    write_bundle(own, replace(whole, skeleton=kite, graphs={"frame": _three_maps(whole)}))
    export_int8(own, out, {}, (labels, replace(kite, sigmas=(0.01,) * 3)))
    small = read_bundle(out)
    assert (small.precision, small.skeleton) == ("int8", kite)
    assert "the labels of coco:" in small.card
    assert {"frame_pck@0.2", "float_frame_pck@0.2"} <= set(small.metrics)


def _three_maps(bundle: Bundle) -> bytes:
    model = onnx.load_from_string(bundle.graphs["frame"])
    (output,) = model.graph.output
    model.graph.initializer.extend(
        numpy_helper.from_array(np.array([value], np.int64), name)
        for name, value in (("first", 0), ("behind", 3), ("axis", 1))
    )
    maker = next(node for node in model.graph.node if output.name in node.output)
    maker.output[0] = "all_maps"
    names = ["all_maps", "first", "behind", "axis"]
    model.graph.node.append(onnx.helper.make_node("Slice", names, [output.name]))
    output.type.tensor_type.shape.dim[1].dim_value = 3
    return bytes(model.SerializeToString())


def _wreck(
    quantised: Callable[[bytes, list[quantise.Feed]], bytes],
) -> Callable[[bytes, list[quantise.Feed]], bytes]:
    """As a quantiser that loses the sign of every scale of weights."""

    def wrecked(content: bytes, feeds: list[quantise.Feed]) -> bytes:
        model = onnx.load_from_string(quantised(content, feeds))
        for tensor in model.graph.initializer:
            if tensor.data_type == onnx.TensorProto.INT8:
                values = -numpy_helper.to_array(tensor)
                tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        return bytes(model.SerializeToString())

    return wrecked


def test_a_wrecked_graph_is_refused_and_nothing_written(
    bundle: Path, people: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The toy finds nothing, so its keypoints of before are taken for the truth."""
    model = int8.loaded(read_bundle(bundle))
    measure = int8.frame_quality

    def against_float(graph_model: object, samples: list[object]) -> int8.Quality:
        crops = [crop for crop, _ in int8.labelled_crops(samples, SIZE)]
        maps = [each.initialize(np.stack(crops))[0] for each in (model, graph_model)]
        same = np.mean([a.argmax() == b.argmax() for a, b in zip(*map(_flat, maps), strict=True)])
        quality = measure(graph_model, samples)
        return int8.Quality({**quality.metrics, "frame_pck@0.2": 100 * same}, quality.calibration)

    monkeypatch.setattr(int8, "frame_quality", against_float)
    monkeypatch.setattr(int8, "quantise", _wreck(quantise.quantise))
    out = tmp_path / "small.vidpose"
    with pytest.raises(BundleError, match=r"^INT8 costs .*frame .* \(100\.00 -> .*no bundle was"):
        export_int8(bundle, out, people)
    assert not out.exists()


def _flat(maps: np.ndarray) -> np.ndarray:
    return maps.reshape(-1, maps.shape[2] * maps.shape[3])


@pytest.mark.parametrize(("loss", "refused"), [(0.5, False), (0.51, True), (float("nan"), True)])
def test_the_gate_is_at_half_a_point_of_any_graph(loss: float, refused: bool) -> None:
    before, after = (
        int8.Quality({"initializer_pck@0.2": 70.0, "coco_step_pck@0.2": step}, {})
        for step in (50.0, 50.0 - loss)
    )
    if not refused:
        return int8._refuse_losses(before, after)
    with pytest.raises(BundleError, match="coco_step"):
        int8._refuse_losses(before, after)
    return None


def test_what_cannot_be_quantised_is_said(
    bundle: Path, people: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "x.vidpose"
    with pytest.raises(DataError, match="needs data sets of people, lspet, coco or both"):
        export_int8(bundle, out, {"mpii": tmp_path})
    detector = tmp_path / "finder.vidpose"
    kind = ("finder", "detector", "1", "Apache-2.0")
    write_bundle(detector, Bundle(*kind, DetectorSettings(64), {"detector": b""}))
    with pytest.raises(BundleError, match="detector"):
        export_int8(detector, out, people)
    assert not out.exists()
