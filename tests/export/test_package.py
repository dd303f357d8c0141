"""`vidpose export`: a bundle, or no file at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import vidpose
from stills_folders import lsp_people, write_lspet
from vidpose.bundle import read_bundle
from vidpose.data.datasets.lspet import load_lspet
from vidpose.errors import BundleError, DataError
from vidpose.export import export_checkpoint, int8, package, quality
from vidpose.export.onnx import settle_weights
from vidpose.inference.pose_model import PoseModel
from vidpose.methods.dkd.light import build_light_dkd
from vidpose.nn.checkpoint import save_checkpoint
from vidpose.nn.movenet import PoseNet


@pytest.fixture(scope="module")
def lspet_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six labelled images: all of them are kept out, which is all that an export looks at."""
    return write_lspet(tmp_path_factory.mktemp("lspet"), lsp_people(6))


def _pose_net(seed: int = 0) -> PoseNet:
    """Untrained, with clear peaks: rounding decides nothing."""
    torch.manual_seed(seed)
    network = PoseNet().eval()
    with torch.no_grad():
        maps = network(torch.rand(1, 3, 64, 64) * 2 - 1)
        network.classifier.weight *= 8 / maps.std((2, 3)).mean()
    return network


def _checkpoint(folder: Path, network: torch.nn.Module, task: dict[str, Any]) -> Path:
    folder.mkdir(parents=True)
    recipe = {"name": "x", "steps": 1, "batch_size": 1, "learning_rate": 1, "task": task}
    weights = {f"network.{key}": value for key, value in network.state_dict().items()}
    return save_checkpoint(folder, {"step": 1, "averaged": weights, "recipe": recipe})


def _frame_checkpoint(folder: Path, lspet_root: Path | None) -> Path:
    data = {} if lspet_root is None else {"lspet": str(lspet_root)}
    task = {"kind": "pose", "size": [64, 64], "movenet": "x.onnx", "sigma": 1.0, "data": data}
    return _checkpoint(folder, _pose_net(), task)


def test_a_per_frame_checkpoint_becomes_a_bundle(tmp_path: Path, lspet_root: Path) -> None:
    out = tmp_path / "small.vidpose"
    export_checkpoint(_frame_checkpoint(tmp_path / "run", lspet_root), out)
    bundle = read_bundle(out)
    assert (bundle.name, bundle.kind, bundle.version) == ("small", "frame", vidpose.__version__)
    assert set(bundle.graphs) == {"frame"}
    settled = _pose_net()
    settle_weights(settled)  # norms are folded away
    assert bundle.metrics["parameters"] == sum(p.numel() for p in settled.parameters())
    assert 0 <= bundle.metrics["frame_pck@0.2"] <= 100
    assert bundle.card
    model = PoseModel.load(out, threads=1)
    crops = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    maps, kernels = model.initialize(crops)
    assert maps.shape == (2, 17, 16, 16)
    assert kernels is None
    with torch.no_grad():
        images = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 127.5 - 1
        expected = _pose_net()(images).numpy()
    np.testing.assert_allclose(maps, expected, atol=0.05 * expected.std())


def test_a_checkpoint_becomes_an_int8_bundle(
    tmp_path: Path, lspet_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The people stand for those to calibrate on too; an untrained network has nothing to lose."""
    everybody = load_lspet(lspet_root)
    people = int8.LabelledPeople("toy people", everybody, everybody)
    monkeypatch.setattr(int8, "_of_lspet", lambda _: people)
    monkeypatch.setattr(int8, "ALLOWED_LOSS", 100)
    out = tmp_path / "small.vidpose"
    export_checkpoint(_frame_checkpoint(tmp_path / "run", lspet_root), out, int8=True)
    bundle = read_bundle(out)
    assert (bundle.name, bundle.precision) == ("small", "int8")
    assert b"QuantizeLinear" in bundle.graphs["frame"]
    assert {"parameters", "frame_pck@0.2", "float_frame_pck@0.2"} <= set(bundle.metrics)


def _spoil(content: bytes) -> bytes:
    """A graph whose largest weight is moved by a tenth of itself."""
    model = onnx.load_from_string(content)
    largest = max(model.graph.initializer, key=lambda tensor: np.prod(tensor.dims))
    values = onnx.numpy_helper.to_array(largest)
    noise = np.random.default_rng(0).normal(0, 0.1, values.shape) * values.std()
    spoilt = (values + noise).astype(values.dtype)
    largest.CopyFrom(onnx.numpy_helper.from_array(spoilt, largest.name))
    return bytes(model.SerializeToString())


def test_a_graph_that_finds_other_keypoints_is_not_written(
    tmp_path: Path, lspet_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = package.store_weights_in_half
    monkeypatch.setattr(package, "store_weights_in_half", lambda c: store(_spoil(c)))
    out = tmp_path / "out" / "small.vidpose"
    with pytest.raises(BundleError, match=r"differs .* \(allowed: 0\.05\); no bundle was written"):
        export_checkpoint(_frame_checkpoint(tmp_path / "run", lspet_root), out)
    assert not out.exists()
    assert not list(tmp_path.rglob("*.vidpose"))


@pytest.mark.parametrize("difference", [0.05, 0.2, float("nan")])
def test_the_gate_is_at_a_twentieth_of_a_pixel(
    tmp_path: Path, lspet_root: Path, monkeypatch: pytest.MonkeyPatch, difference: float
) -> None:
    monkeypatch.setattr(package, "to_onnx", lambda *_: b"")
    monkeypatch.setattr(package, "store_weights_in_half", lambda content: content)
    monkeypatch.setattr(package, "frame_parity", lambda *_: difference)
    with pytest.raises(BundleError, match="no bundle was written"):
        export_checkpoint(_frame_checkpoint(tmp_path / "run", lspet_root), tmp_path / "x.vidpose")
    assert not (tmp_path / "x.vidpose").exists()


def test_without_kept_out_images_there_is_no_export(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must name lspet"):
        export_checkpoint(_frame_checkpoint(tmp_path / "run", None), tmp_path / "x.vidpose")
    assert not (tmp_path / "x.vidpose").exists()


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"last\.pt is missing"):
        export_checkpoint(tmp_path / "last.pt", tmp_path / "x.vidpose")


def test_a_dkd_checkpoint_becomes_a_bundle(
    tmp_path: Path, lspet_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without tracks of real people too: the clips' motion is random then."""
    monkeypatch.setattr(quality, "_CLIP_FRAMES", 3)
    network = build_light_dkd()
    network.initializer = _pose_net(1)
    torch.manual_seed(2)
    assert network.distillator is not None
    for parameter in network.distillator.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    task = {
        "kind": "dkd",
        "initializer": str(tmp_path / "initializer"),
        "encoder": str(tmp_path / "nowhere"),
        "frames": 3,
        "sigma": 1.0,
        "cache": str(tmp_path / "cache"),
        "data": {"lspet": str(lspet_root)},
    }
    _checkpoint(tmp_path / "initializer", network.initializer, {**task, "kind": "pose"})
    own = torch.nn.ModuleDict(
        {"encoder": network.encoder, "distillator": network.distillator}
    )  # as the DKD task saves it: the initializer has a checkpoint of its own
    out = tmp_path / "tiny-dkd.vidpose"
    export_checkpoint(_checkpoint(tmp_path / "dkd", own, task), out)
    bundle = read_bundle(out)
    assert (bundle.kind, set(bundle.graphs)) == ("dkd", {"initializer", "step"})
    metrics = bundle.metrics
    amortised = (metrics["initializer_mmacs"] + 29 * metrics["step_mmacs"]) / 30
    assert metrics["amortised_mmacs"] == pytest.approx(amortised)
    assert {"initializer_pck@0.2", "step_pck@0.2", "step_calibration_error"} <= metrics.keys()
    model = PoseModel.load(out, threads=1)
    maps, kernels = model.initialize(np.zeros((1, 256, 192, 3), np.uint8))
    assert maps.shape == (1, 17, 64, 48)
    assert kernels is not None
    maps, following = model.step(np.zeros((1, 160, 120, 3), np.uint8), kernels)
    assert maps.shape == (1, 17, 40, 30)
    assert following.shape == kernels.shape
