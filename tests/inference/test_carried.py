"""Keypoints of an imported network as maps, and the step's crop within its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from vidpose.inference import carried
from vidpose.inference.backends.base import Port
from vidpose.inference.carried import CarriedSession, keypoint_maps, middle
from vidpose.inference.crop import CropRegion


@pytest.mark.parametrize(
    ("whole", "part", "region"),
    [
        ((256, 192), (128, 96), CropRegion(0, 0, 192, 256)),
        ((256, 256), (128, 96), CropRegion(32, 0, 192, 256)),
        ((192, 256), (96, 96), CropRegion(32, 0, 192, 192)),
        ((256, 192), (96, 96), CropRegion(0, 32, 192, 192)),
    ],
)
def test_the_largest_region_in_the_middle(
    whole: tuple[int, int], part: tuple[int, int], region: CropRegion
) -> None:
    assert middle(whole, part) == region


def test_a_sure_keypoint_is_a_gaussian_of_one_cell_around_its_place() -> None:
    """Pixel 4 i + 1.5 is the middle of cell i."""
    keypoints = np.array([[[4 * 5 + 1.5, 4 * 9 + 1.5, 1.0]]], np.float32)
    probability = np.exp(keypoint_maps(keypoints, (64, 48), 4))[0, 0]
    assert probability.shape == (16, 12)
    assert probability.sum() == pytest.approx(1.0, abs=1e-4)
    assert np.unravel_index(probability.argmax(), probability.shape) == (9, 5)
    peak = probability[9, 5]
    for row, column, squared in ((9, 6, 1), (10, 5, 1), (8, 4, 2), (9, 3, 4), (12, 5, 9)):
        assert probability[row, column] / peak == pytest.approx(np.exp(-squared / 2), rel=1e-4)


def test_the_gaussian_is_as_wide_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carried, "SPREAD", 2.0)
    keypoints = np.array([[[4 * 5 + 1.5, 4 * 9 + 1.5, 1.0]]], np.float32)
    cells = np.exp(keypoint_maps(keypoints, (64, 48), 4))[0, 0]
    for row, column, squared in ((9, 7, 4), (11, 5, 4), (8, 4, 2)):
        assert cells[row, column] / cells[9, 5] == pytest.approx(np.exp(-squared / 8), rel=1e-4)


@pytest.mark.parametrize("confidence", [0.0, 0.3, 1.7])
def test_what_a_network_is_not_sure_of_is_spread_over_all_cells(confidence: float) -> None:
    keypoints = np.array([[[21.5, 37.5, confidence]]], np.float32)
    maps = keypoint_maps(keypoints, (64, 48), 4)
    probability = np.exp(maps)[0, 0]
    weight = min(confidence, 1.0)
    assert probability.sum() == pytest.approx(1.0, abs=1e-4)
    assert probability[0, 11] == pytest.approx((1 - weight) / 192, rel=1e-3, abs=2e-9)
    assert maps.min() >= np.log(1e-9) - 1e-3


def test_the_kernels_come_from_the_middle_crop_and_the_keypoints_in_it() -> None:
    keypoints = np.array([[[64.0, 40.0, 0.8]]], np.float32)
    fed: dict[str, Any] = {}

    def remember(outputs: list[str], feed: dict[str, Any]) -> list[Any]:
        assert outputs == ["next_kernels"]
        fed.update(feed)
        return [np.full((1, 2), 7.0)]

    port = Port("next_kernels", "float32", (None, 2))
    imported = SimpleNamespace(inputs=("in",), outputs=("out",), run=lambda *_: [keypoints])
    memory = SimpleNamespace(outputs=(port,), run=remember)
    settings = SimpleNamespace(
        initializer=SimpleNamespace(size=(128, 128)), step_size=(64, 48), stride=4
    )
    session = CarriedSession(*(cast("Any", part) for part in (imported, memory, settings)))
    assert session.inputs == ("in",)
    assert session.outputs == ("out", Port("kernels", "float32", (None, 2)))
    image = np.zeros((1, 128, 128, 3), np.uint8)
    image[:, :, 16:112] = 200  # the step's crop
    found, kernels = session.run(None, {"image": image})
    assert found is keypoints
    assert kernels.tolist() == [[7.0, 7.0]]
    assert fed["image"].shape == (1, 64, 48, 3)
    assert (fed["image"][:, :, 1:-1] == 200).all()
    # x is (64.5 - 16) / 2 = 24.25 px from the crop's edge, y 20.25: cells 6 and 5 of 4 px.
    assert np.unravel_index(fed["maps"][0, 0].argmax(), (16, 12)) == (5, 6)
