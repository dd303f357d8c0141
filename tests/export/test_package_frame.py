"""Bundles of the distillation family: models without memory that the runtime loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from stills_folders import lsp_people, write_lspet
from vidpose.bundle import read_bundle
from vidpose.export import export_checkpoint
from vidpose.inference.pose_model import PoseModel
from vidpose.methods.per_frame.students import _STUDENTS, build_network, load_frame_model
from vidpose.nn.checkpoint import save_checkpoint
from vidpose.tracking.pose_stream import PoseStream

BACKBONE = {"name": "test_efficientnet"}
ENCODER = {"width": 16, "depth": 1, "heads": 4, "patch": [4, 4]}
TASKS: dict[str, dict[str, Any]] = {
    "fasterpose": {"kind": "fasterpose", "backbone": BACKBONE},
    "okdhp": {"kind": "okdhp", "network": {"backbone": BACKBONE, "width": 8}, "ramp_steps": 1},
    "distilpose": {
        "kind": "distilpose", "network": "student-s", "stem": 8, "encoder": ENCODER,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def lspet_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lspet(tmp_path_factory.mktemp("lspet"), lsp_people(6))


class _Whole:
    """A detector that finds one person, as large as the image."""

    def detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        height, width = image.shape[:2]
        return np.array([[0.0, 0.0, width, height]]), np.array([1.0])


def _with_peaks(network: nn.Module) -> nn.Module:
    """Untrained, with peaks so clear that rounding decides nothing."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim > 1 and ("score" in name or parameter.std() < 0.005):
                nn.init.normal_(parameter, std=1.0)
    return network


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("distilled", [False, True])
def test_a_checkpoint_becomes_a_stream_without_memory(
    tmp_path: Path, lspet_root: Path, name: str, distilled: bool
) -> None:
    torch.manual_seed(0)
    task = {**TASKS[name], "size": [64, 64], "data": {"lspet": str(lspet_root)}}
    network = _with_peaks(build_network(_STUDENTS.validate_python(task)))
    prefix = "student." if distilled else ""
    weights = {f"{prefix}network.{k}": v for k, v in network.state_dict().items()}
    if name == "okdhp":
        weights[f"{prefix}chosen"] = torch.tensor(2)
    if distilled:
        teacher, weight = {"path": "x"}, {"maps": 1.0}
        task = {"kind": "distil", "student": task, "teacher": teacher, "weights": weight}
    recipe = {"name": "x", "steps": 1, "batch_size": 1, "learning_rate": 1, "task": task}
    state = {"step": 1, "averaged": weights, "recipe": recipe}
    out = tmp_path / "small.vidpose"
    export_checkpoint(save_checkpoint(tmp_path, state), out)
    bundle = read_bundle(out)
    assert bundle.kind == "frame"
    assert "MoveNet" not in bundle.card
    model = PoseModel.load(out, threads=1)
    crops = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    maps, kernels = model.initialize(crops)
    assert kernels is None
    with torch.no_grad():
        images = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 127.5 - 1
        expected = load_frame_model(state).deployed()(images).numpy()
    np.testing.assert_allclose(maps, expected, atol=0.05 * np.abs(expected).max())
    stream = PoseStream(model, detector=_Whole())  # type: ignore[arg-type]
    frames = [stream.step(crops[0], time / 30) for time in range(3)]
    assert [frame.index for frame in frames] == [0, 1, 2]
