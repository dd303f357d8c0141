"""Teachers by their maps: how sure they are, and several as one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from made_networks import brightest
from vidpose.data.samples import SOURCES
from vidpose.errors import DataError
from vidpose.methods.per_frame import map_teachers
from vidpose.methods.per_frame.map_teachers import (
    MixedTeacher,
    TeacherMaps,
    load_mixture,
    load_one,
)
from vidpose.nn.map_cells import cells_from_corners
from vidpose.skeleton import COCO_17, MPII_16

SIZE = (32, 24)


def _bright_cell(value: int) -> torch.Tensor:
    """A crop with one bright cell, row 2 and column 3."""
    images = torch.zeros(1, 3, *SIZE, dtype=torch.uint8)
    images[:, :, 8:12, 12:16] = value
    return images


def test_a_heatmap_network_is_as_sure_as_its_peak_is_high(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(map_teachers, "IMAGENET_MEAN", (0.0,) * 3)
    monkeypatch.setattr(map_teachers, "IMAGENET_STD", (1.0,) * 3)
    teacher = load_one(brightest(tmp_path / "made.onnx", SIZE), SIZE, COCO_17)
    for value, sure in ((102, 0.5), (255, 1.0), (10, 0.0)):
        maps, confidence = teacher(_bright_cell(value))
        assert confidence.shape == (1, 17)
        assert confidence[0, 4].item() == pytest.approx(sure, abs=1e-4)
        assert maps[0, 4].sum().item() == pytest.approx(1, abs=1e-5)
        assert maps[0, 4, 2, 3].item() == pytest.approx(1, abs=1e-3)
    cornered = load_one(tmp_path / "made.onnx", SIZE, COCO_17, corners=True)
    moved = cornered(_bright_cell(255)).maps[0, 0]
    assert int(moved.argmax()) == 2 * 6 + 3
    assert moved[1, 2] > 0  # its place lies 1.5 pixels up and to the left of the cell's middle


def test_tinypose_is_a_heatmap_network_though_its_stem_is_as_wide_as_movenets(
    shared_models: Path,
) -> None:
    teacher = load_one(shared_models / "tinypose_256x192.onnx", (256, 192), COCO_17, corners=True)
    grey = torch.full((1, 3, 256, 192), 128, dtype=torch.uint8)
    assert teacher(grey).maps.shape == (1, 17, 64, 48)


def test_cells_at_corners_are_looked_up_further_on() -> None:
    ramp = torch.arange(6.0).expand(1, 1, 4, 6)
    assert cells_from_corners(ramp, 4)[0, 0, 0, :5].tolist() == [0.375, 1.375, 2.375, 3.375, 4.375]


def test_faulty_teachers_are_refused_in_one_line(tmp_path: Path) -> None:
    path = brightest(tmp_path / "made.onnx", SIZE)
    for size, skeleton, said in (
        ((64, 48), COCO_17, "given crops of 64x48, and it takes 32x24"),
        (SIZE, MPII_16, "its maps are of 17 joints, mpii16 has 16"),
    ):
        with pytest.raises(DataError, match=said):
            load_one(path, size, skeleton)
    with pytest.raises(DataError, match=r"nowhere\.onnx is missing"):
        load_one(tmp_path / "nowhere.onnx", SIZE, COCO_17)


def test_teachers_are_mixed_by_share_and_confidence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Confidences .9 and .3; shares .8 and .2, on lspet .25 and .75."""
    maps = torch.zeros(2, 17, 1, 2)
    maps[0, ..., 0] = maps[1, ..., 1] = 1
    sure = {"a": (maps[0], 0.9), "b": (maps[1], 0.3)}

    def load(weights: Path, *_: object) -> map_teachers.CropTeacher:
        shown, confidence = sure[weights.name]
        return lambda x: TeacherMaps(
            shown.expand(len(x), -1, -1, -1), torch.full((len(x), 17), confidence)
        )

    monkeypatch.setattr(map_teachers, "load_one", load)
    mixture = [
        MixedTeacher(weights=Path("a"), share=0.8, shares={"lspet": 0.25}),
        MixedTeacher(weights=Path("b"), share=0.2, shares={"lspet": 0.75}),
    ]
    look = load_mixture(mixture, SIZE, COCO_17)
    images = torch.zeros(3, 3, *SIZE, dtype=torch.uint8)
    sources = torch.tensor([SOURCES.index("lspet"), SOURCES.index("jhmdb"), -1])
    found = look(images, sources)
    torch.testing.assert_close(found.maps.sum((2, 3)), torch.ones(3, 17))
    first = found.maps[:, 0, 0, 0]
    torch.testing.assert_close(
        first, torch.tensor([0.5, 0.72 / 0.78, 0.72 / 0.78]), atol=1e-4, rtol=0
    )
    expected = torch.tensor([0.45, 0.78, 0.78])
    torch.testing.assert_close(found.confidence[:, 8], expected)
    torch.testing.assert_close(look(images, None).confidence[:, 8], expected[[1, 1, 1]])
