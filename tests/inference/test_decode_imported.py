"""Other projects' outputs against hand-computed keypoints."""

from __future__ import annotations

import numpy as np
import pytest

from vidpose.bundle.imported import Refinement
from vidpose.inference.decode_imported import (
    decode_coordinates,
    decode_heatmaps,
    decode_simcc,
)

SIZE = (256, 192)


def gaussian(x: float, y: float, sigma: float = 2.0, height: float = 0.8) -> np.ndarray:
    rows, columns = np.mgrid[:64, :48]
    squared = (columns - x) ** 2 + (rows - y) ** 2
    return (height * np.exp(-squared / (2 * sigma**2))).astype(np.float32)


def test_a_quarter_of_a_cell_towards_the_higher_neighbour() -> None:
    maps = np.zeros((1, 2, 64, 48), np.float32)
    maps[0, :, 20, 10] = 0.9
    maps[0, 0, 20, 11], maps[0, 0, 19, 10] = 0.5, 0.4  # to the right, and up
    maps[0, 1, 20, 9] = 0.5
    points, scores = decode_heatmaps(maps, SIZE, "quarter")
    np.testing.assert_allclose(points[0], [[4 * 10.25, 4 * 19.75], [4 * 9.75, 4 * 20]])
    np.testing.assert_allclose(scores, 0.9)


@pytest.mark.parametrize(("x", "y"), [(10.3, 20.4), (30.0, 40.0), (24.45, 33.75), (7.6, 8.1)])
def test_dark_finds_the_middle_of_a_gaussian(x: float, y: float) -> None:
    """The logarithm of a smoothed Gaussian is a parabola, so its top is found exactly."""
    points, scores = decode_heatmaps(gaussian(x, y)[None, None], SIZE, "dark")
    np.testing.assert_allclose(points[0, 0], [4 * x, 4 * y], atol=0.02)
    assert scores[0, 0] == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize(("x", "y"), [(10.3, 20.4), (30.0, 40.0), (24.45, 33.75)])
def test_udp_puts_the_first_and_last_cells_on_the_first_and_last_pixels(x: float, y: float) -> None:
    points, _ = decode_heatmaps(gaussian(x, y)[None, None], SIZE, "udp")
    np.testing.assert_allclose(points[0, 0], [x * 191 / 47, y * 255 / 63], atol=0.1)
    corner = np.zeros((1, 1, 64, 48), np.float32)
    corner[..., -1, -1] = 1
    np.testing.assert_allclose(decode_heatmaps(corner, SIZE, "udp")[0][0, 0], [191, 255])


def test_a_peak_at_the_edge_is_not_refined() -> None:
    for refinement in ("quarter", "dark"):
        maps = np.zeros((1, 1, 64, 48), np.float32)
        maps[..., 0, 47] = 0.6
        points, _ = decode_heatmaps(maps, SIZE, refinement)  # type: ignore[arg-type]
        np.testing.assert_allclose(points[0, 0], [4 * 47, 0])


@pytest.mark.parametrize(("row", "column"), [(1, 20), (63, 20), (20, 1), (20, 47), (0, 20)])
def test_a_quarter_is_not_taken_where_the_peak_lies_at_any_one_edge(row: int, column: int) -> None:
    maps = np.zeros((1, 1, 64, 48), np.float32)
    maps[0, 0, row, column] = 0.9
    maps[0, 0, row, (column + 1) % 48], maps[0, 0, (row + 1) % 64, column] = 0.5, 0.5
    points, _ = decode_heatmaps(maps, SIZE, "quarter")
    np.testing.assert_allclose(points[0, 0], [4 * column, 4 * row])


@pytest.mark.parametrize(("row", "column"), [(2, 20), (62, 20), (20, 2), (20, 46)])
def test_a_quarter_is_taken_just_inside_every_edge(row: int, column: int) -> None:
    maps = np.zeros((1, 1, 64, 48), np.float32)
    maps[0, 0, row, column] = 0.9
    maps[0, 0, row, column - 1], maps[0, 0, row + 1, column] = 0.5, 0.5
    points, _ = decode_heatmaps(maps, SIZE, "quarter")
    np.testing.assert_allclose(points[0, 0], [4 * (column - 0.25), 4 * (row + 0.25)])


def test_an_empty_map_gives_a_point_without_confidence() -> None:
    for refinement in ("quarter", "dark", "udp"):
        maps = np.zeros((2, 3, 64, 48), np.float32)
        points, scores = decode_heatmaps(maps, SIZE, refinement)  # type: ignore[arg-type]
        assert np.isfinite(points).all()
        assert (scores == 0).all()


def test_maps_do_not_mix() -> None:
    maps = np.random.default_rng(0).random((2, 3, 64, 48)).astype(np.float32)
    for refinement in ("quarter", "dark", "udp"):
        together = decode_heatmaps(maps, SIZE, refinement)  # type: ignore[arg-type]
        alone = decode_heatmaps(maps[1:, 2:], SIZE, refinement)  # type: ignore[arg-type]
        np.testing.assert_allclose(together[0][1:, 2:], alone[0], atol=1e-5)


def test_simcc_takes_the_best_bins() -> None:
    x, y = np.zeros((1, 2, 384), np.float32), np.zeros((1, 2, 512), np.float32)
    x[0, 0, 101], y[0, 0, 400] = 0.9, 0.7
    x[0, 1, 0], y[0, 1, 511] = 1.3, 1.2
    points, scores = decode_simcc(x, y, SIZE)
    np.testing.assert_allclose(points[0], [[50.5, 200], [0, 255.5]])
    np.testing.assert_allclose(scores[0], [0.7, 1.0])


def test_coordinates_are_parts_of_the_sides() -> None:
    values = np.array([[[[0.25, 0.5, 0.9], [0.0, 1.0, -0.2]]]], np.float32)
    points, scores = decode_coordinates(values, (100, 200), "yx")
    np.testing.assert_allclose(points[0], [[99.5, 24.5], [199.5, -0.5]])
    np.testing.assert_allclose(scores[0], [0.9, 0.0])
    points, scores = decode_coordinates(values[0, ..., :2], (100, 200), "xy")
    np.testing.assert_allclose(points[0], [[49.5, 49.5], [-0.5, 99.5]])
    assert (scores == 1).all()


@pytest.mark.parametrize(("refinement", "edge"), [("dark", 2), ("udp", 1)])
def test_a_peak_is_refined_from_its_neighbourhoods_width_on(
    refinement: Refinement, edge: int
) -> None:
    """Off-centre Gaussians near each of the four borders: refined only inside."""
    scale = np.array([191 / 47, 255 / 63]) if refinement == "udp" else np.array([4.0, 4.0])
    for cell, refined in ((edge, True), (edge - 1, False)):
        for x, y in ((cell, 30), (47 - cell, 30), (24, cell), (24, 63 - cell)):
            maps = gaussian(x + 0.3, y + 0.3)[None, None]
            point = decode_heatmaps(maps, SIZE, refinement)[0][0, 0] / scale
            assert bool(np.abs(point - (x, y)).max() > 0.05) is refined


def test_confidences_lie_between_0_and_1() -> None:
    maps = np.full((1, 1, 64, 48), 1.5, np.float32)
    assert decode_heatmaps(maps, SIZE, "quarter")[1].tolist() == [[1.0]]
    low = np.full((1, 1, 4), -0.5, np.float32)
    assert decode_simcc(low, low, SIZE)[1].tolist() == [[0.0]]
