"""The warp: rigid moving least squares, its spline map and the way back."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vidpose.data.synthesis.warp import SplineMap, node_grid, rigid_mls, stretches

SIZE, STEP = (96, 72), 8.0


def wavy(amplitude: float, seed: int = 0) -> SplineMap:
    """A smooth map of one image of SIZE, off the identity by up to about `amplitude` pixels."""
    rng = np.random.default_rng(seed)
    nodes = node_grid(SIZE, STEP)
    phase = rng.uniform(0, 2 * np.pi, 2)
    bend = np.sin(nodes.real / 20 + phase[0]) + 1j * np.cos(nodes.imag / 25 + phase[1])
    return SplineMap((nodes + amplitude * bend)[None], SIZE, STEP)


@given(
    angle=st.floats(-3, 3),
    shift=st.complex_numbers(max_magnitude=100),
    seed=st.integers(0, 1000),
)
def test_a_rigid_motion_of_the_controls_moves_everything(
    angle: float, shift: complex, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    source = rng.normal(size=12) * 50 + 1j * rng.normal(size=12) * 50
    turn = np.exp(1j * angle)
    places = rng.normal(size=(1, 30)) * 80 + 1j * rng.normal(size=(1, 30)) * 80
    found = rigid_mls(places * turn + shift, (source * turn + shift)[None], source)
    np.testing.assert_allclose(found, places, atol=1e-6)


def test_pixels_at_a_lone_control_go_with_it_and_far_ones_stay() -> None:
    ring = 200 * np.exp(2j * np.pi * np.arange(16) / 16)
    source = np.append(ring, [0, 0.1])
    target = np.append(ring, [20 + 5j, 20.1 + 5j])[None]
    at_control, far = rigid_mls(np.array([[20 + 5j, -190]]), target, source)[0]
    assert abs(at_control) < 1
    assert abs(far + 190) < 1


def test_dense_maps_are_the_map_at_every_pixel() -> None:
    warp = wavy(6.0)
    x, y = warp.dense()
    assert x.shape == y.shape == (1, *SIZE)
    pixels = np.arange(SIZE[1]) + 1j * np.arange(SIZE[0])[:, None]
    value, _, _ = warp.at(pixels.reshape(1, -1))
    np.testing.assert_allclose(x.ravel(), value.real.ravel(), atol=1e-3)
    np.testing.assert_allclose(y.ravel(), value.imag.ravel(), atol=1e-3)


def test_affine_maps_are_interpolated_exactly() -> None:
    nodes = node_grid(SIZE, STEP)
    warp = SplineMap((2 * nodes + 0.3j * nodes.conj() + 4)[None], SIZE, STEP)
    point = np.array([[13.7 + 41.2j, 0.0, 71 + 95j]])
    np.testing.assert_allclose(warp.at(point)[0], 2 * point + 0.3j * point.conj() + 4)


def test_derivatives_are_those_of_the_map() -> None:
    warp, point, step = wavy(6.0), np.array([[30.3 + 50.8j, 5.5 + 90.1j]]), 1e-4
    _, along_x, along_y = warp.at(point)
    np.testing.assert_allclose(
        along_x, (warp.at(point + step)[0] - warp.at(point)[0]) / step, atol=1e-4
    )
    numeric = (warp.at(point + 1j * step)[0] - warp.at(point)[0]) / step
    np.testing.assert_allclose(along_y, numeric, atol=1e-4)


@given(amplitude=st.floats(0, 12), seed=st.integers(0, 1000))
def test_inversion_finds_the_pixel_that_shows_a_point(amplitude: float, seed: int) -> None:
    warp = wavy(amplitude, seed)
    rng = np.random.default_rng(seed)
    places = rng.uniform(10, 60, 8) + 1j * rng.uniform(10, 85, 8)
    still = warp.at(places[None])[0][0]
    guess = places[None] + rng.uniform(-3, 3, (1, 8))
    found, miss = warp.invert(still, guess)
    assert miss.max() < 0.02
    np.testing.assert_allclose(found[0], places, atol=0.02)


def test_a_point_that_no_pixel_shows_is_reported() -> None:
    folded = node_grid(SIZE, STEP)
    warp = SplineMap((np.abs(folded.real - 36) + 1j * folded.imag)[None], SIZE, STEP)
    _, miss = warp.invert(np.array([-20 + 40j]), np.array([[36.5 + 40j]]))
    assert miss[0, 0] > 1


def test_stretches_of_known_maps() -> None:
    least, greatest = stretches(np.array([2.0, 1, -1, 1, 2j]), np.array([3j, 0.5j, 1j, 0.0, -3]))
    np.testing.assert_allclose(least, [2, 0.5, -1, 0, 2], atol=1e-12)
    np.testing.assert_allclose(greatest, [3, 1, 1, 1, 3])


def test_slopes_of_an_affine_map_cover_the_image() -> None:
    nodes = node_grid(SIZE, STEP)
    centers, along_x, along_y = SplineMap(
        (nodes.real * 2 + 3j * nodes.imag)[None], SIZE, STEP
    ).slopes()
    assert along_x.shape == along_y.shape == (1, *centers.shape)
    np.testing.assert_allclose(along_x, 2)
    np.testing.assert_allclose(along_y, 3j)
    assert centers[0, 0] == STEP / 4 * (1 + 1j)
    assert centers.real.max() + STEP / 4 >= SIZE[1] - 1
    assert centers.imag.max() + STEP / 4 >= SIZE[0] - 1


def test_slopes_are_the_splines_own() -> None:
    warp = wavy(6.0)
    centers, along_x, along_y = warp.slopes()
    _, exact_x, exact_y = warp.at(centers.reshape(1, -1))
    np.testing.assert_allclose(along_x.ravel(), exact_x.ravel(), atol=0.02)
    np.testing.assert_allclose(along_y.ravel(), exact_y.ravel(), atol=0.02)


def test_the_nodes_enclose_the_image() -> None:
    for size, step in (((96, 72), 8.0), ((256, 192), 256 / 18), ((5, 3), 4.0)):
        nodes = node_grid(size, step)
        assert nodes[0, 0] == -step * (1 + 1j)
        assert nodes.real.max() >= size[1] - 1 + step
        assert nodes.imag.max() >= size[0] - 1 + step
