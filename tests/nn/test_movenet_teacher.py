"""MoveNet as a teacher: its heatmaps, as published."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch

from published_movenet import published_heatmaps
from vidpose.errors import BundleError
from vidpose.nn.movenet_teacher import MoveNetTeacher


def test_its_maps_are_those_of_the_published_graph(shared_models: Path) -> None:
    path = shared_models / "movenet_lightning.onnx"
    teacher = MoveNetTeacher(path)
    torch.manual_seed(0)
    images = torch.randint(0, 256, (2, 3, 192, 128), dtype=torch.uint8)
    images[..., :8] = images[..., -8:] = 0
    square = torch.zeros(2, 3, 192, 192, dtype=torch.uint8)
    square[..., 32:160] = images
    published = published_heatmaps(path, square.permute(0, 2, 3, 1).numpy())
    expected = torch.from_numpy(published)[..., 8:40]
    found = teacher(images)
    assert found.shape == (2, 17, 48, 32)
    torch.testing.assert_close(found, expected, atol=2e-3 * float(expected.std()), rtol=2e-3)


def test_crops_of_another_size_are_refused(shared_models: Path) -> None:
    teacher = MoveNetTeacher(shared_models / "movenet_thunder.onnx")
    assert teacher.size == 256
    with pytest.raises(ValueError, match="192x144, the teacher takes 256"):
        teacher(torch.zeros(1, 3, 192, 144, dtype=torch.uint8))


def test_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(b"no graph")
    with pytest.raises(BundleError, match="not a readable ONNX file"):
        MoveNetTeacher(path)
    empty = onnx.helper.make_graph([], "empty", [], [])
    onnx.save(onnx.helper.make_model(empty), path)
    with pytest.raises(BundleError, match="not MoveNet"):
        MoveNetTeacher(path)
