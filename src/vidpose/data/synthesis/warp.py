"""Smooth warps that carry an image's pixels along with control points.

Rigid moving least squares (Schaefer, McPhail, Warren: Image Deformation Using Moving Least Squares,
2006) as an inverse map: for a position in the warped image, where its pixel lies in the still. The
map is evaluated on a coarse grid of nodes and interpolated in between by Catmull-Rom splines. What
is interpolated *is* the map: a keypoint's place in the warped image is found by inverting it
(`SplineMap.invert`), so pixels and keypoints agree however coarse the grid is.

Points of the plane are complex numbers here, x + iy, in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.complex128]

_NEWTON_END = 0.01  # pixels of the last step
_BLAS_SINGLE_THREAD = 1 << 18
_SOFTNESS = (
    0.05  # of the spread of the controls: rounds the creases and lets close ones share motion
)


def rigid_mls(positions: Points, target: Points, source: Points) -> Points:
    """Where positions of the warped images lie in the still.

    Args:
        positions: (T, V) positions in the warped images.
        target: (T, N) control points in the warped images.
        source: (N,) control points in the still.

    Returns:
        (T, V). Near a control the map follows it; far from all it tends to one rigid motion.
    """
    origin = source.mean()
    v, p, q = positions - origin, target - origin, source - origin
    softness = (_SOFTNESS * max(np.ptp(q.real), np.ptp(q.imag))) ** 2 + 1e-6
    weight = -2 * (_xy(v) @ _xy(p).swapaxes(1, 2))
    weight += np.square(np.abs(v))[:, :, None] + (np.square(np.abs(p)) + softness)[:, None]
    np.maximum(weight, softness, out=weight)
    np.square(weight, out=weight)
    np.reciprocal(weight, out=weight)
    turn = p.conj() * q
    ones = np.ones_like(p)
    moments = np.stack([ones.real, p.real, p.imag, (ones * q).real, (ones * q).imag,
                        turn.real, turn.imag], axis=-1)  # fmt: skip
    sums = weight @ moments
    sums /= sums[..., :1]
    p_mean, q_mean, turn_mean = (sums[..., i] + 1j * sums[..., i + 1] for i in (1, 3, 5))
    rotation = turn_mean - p_mean.conj() * q_mean
    rotation /= np.maximum(np.abs(rotation), 1e-12)
    return np.asarray(q_mean + rotation * (v - p_mean) + origin)


@dataclass(frozen=True, slots=True)
class SplineMap:
    """Maps of T images onto the still, given at nodes every `step` pixels.

    Attributes:
        nodes: complex128 (T, rows, columns): places in the still of the nodes of `node_grid`.
        size: height and width of the images.
        step: distance of the nodes in pixels.
    """

    nodes: Points
    size: tuple[int, int]
    step: float

    def dense(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The maps at every pixel: x and y in the still, float32 (T, height, width) each."""
        height, width = self.size
        columns = _basis(width, self.step)
        rows = _row_blocks(height, width, self.step)
        x, y = (
            rows @ (part.astype(np.float32) @ columns.T)[:, None]
            for part in (self.nodes.real, self.nodes.imag)
        )
        shape = (len(self.nodes), -1, width)
        return x.reshape(shape)[:, :height], y.reshape(shape)[:, :height]

    def at(self, points: Points) -> tuple[Points, Points, Points]:
        """The maps at points (T, K) of the images, and their derivatives along x and along y.

        Outside the nodes, the nearest cell's spline is continued.
        """
        place = np.stack([points.real, points.imag]) / self.step + 1
        last = np.array(self.nodes.shape[:0:-1]) - 3
        first = np.clip(np.floor(place), 1, last[:, None, None])
        (wx, wy), (dx, dy) = _catmull_rom(place - first)
        column, row = first.astype(np.intp)[..., None] + np.arange(-1, 3)
        frame = np.arange(len(points))[:, None, None, None]
        taps = self.nodes[frame, row[..., :, None], column[..., None, :]]
        lines = np.einsum("tkrc,tkc->tkr", taps, wx)
        value = np.einsum("tkr,tkr->tk", lines, wy)
        along_y = np.einsum("tkr,tkr->tk", lines, dy) / self.step
        along_x = np.einsum("tkrc,tkc,tkr->tk", taps, dx, wy) / self.step
        return value, along_x, along_y

    def invert(
        self, still: Points, start: Points, *, steps: int = 4
    ) -> tuple[Points, NDArray[np.float64]]:
        """Where points (K,) of the still lie in the images, by Newton's method.

        Args:
            still: (K,) points of the still.
            start: (T, K) first guesses in the images.

        Returns:
            (T, K) positions in the images, and the distance (T, K), in image pixels, that the
            last step still went: large where the method did not converge. What is left after a
            small step is far smaller than that step.
        """
        points = start.copy()
        last = np.full(points.shape, np.inf)
        for _ in range(steps):
            value, along_x, along_y = self.at(points)
            gap = still - value
            det = _cross(along_x, along_y)
            det = np.where(np.abs(det) < 1e-9, 1e-9, det)
            move = (_cross(gap, along_y) + 1j * _cross(along_x, gap)) / det
            last = np.abs(move)
            # Steps beyond one cell leave the region that the local slope describes.
            points += move * np.minimum(1.0, self.step / np.maximum(last, 1e-9))
            if last.max() < _NEWTON_END:
                break
        return points, last

    def slopes(self) -> tuple[Points, Points, Points]:
        """Mean derivatives along x and along y over small squares that cover the images.

        The squares are half a step wide: a whole cell's mean hides what its spline does inside.

        Returns:
            The squares' centres in the images (rows, columns), and both derivatives
            (T, rows, columns).
        """
        fine = _halve(_halve(self.nodes).swapaxes(1, 2)).swapaxes(1, 2)
        along_x = np.diff(fine, axis=2) * (2 / self.step)
        along_y = np.diff(fine, axis=1) * (2 / self.step)
        rows, columns = fine.shape[1] - 1, fine.shape[2] - 1
        grid = np.arange(columns) + 0.5 + 1j * (np.arange(rows)[:, None] + 0.5)
        centers = np.asarray(grid * self.step / 2, dtype=np.complex128)
        along_x = (along_x[:, :-1] + along_x[:, 1:]) / 2
        along_y = (along_y[..., :-1] + along_y[..., 1:]) / 2
        return centers, along_x, along_y


def stretches(along_x: Points, along_y: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The least and the greatest stretch of maps with these derivatives: their singular values.

    The least is negative where the map mirrors.
    """
    turning = np.abs(along_x - 1j * along_y) / 2
    mirroring = np.abs(along_x + 1j * along_y) / 2
    return turning - mirroring, turning + mirroring


def node_grid(size: tuple[int, int], step: float) -> Points:
    """Positions of the nodes for images of `size` (height, width): (rows, columns).

    The grid begins one step before the first pixel and ends at least one step after the last.
    """
    rows, columns = (np.arange(_node_count(length, step)) * step - step for length in size)
    return np.asarray(columns + 1j * rows[:, None])


def _node_count(length: int, step: float) -> int:
    return int((length - 1) / step) + 4


@lru_cache(maxsize=16)
def _basis(length: int, step: float) -> NDArray[np.float32]:
    """Weights (length, nodes) of the nodes at each pixel."""
    place = np.arange(length) / step + 1
    first = np.floor(place).astype(np.intp)
    weight, _ = _catmull_rom(place - first)
    basis = np.zeros((length, _node_count(length, step)), np.float32)
    np.put_along_axis(basis, first[:, None] + np.arange(-1, 3), weight.astype(np.float32), axis=1)
    basis.setflags(write=False)
    return basis


@lru_cache(maxsize=16)
def _row_blocks(height: int, width: int, step: float) -> NDArray[np.float32]:
    """The rows' weights in blocks (blocks, rows, nodes), filled up with zeros.

    OpenBLAS spreads products of more than 2^18 terms over threads, and one that small gains nothing
    from it: with busy cores the threads' waiting takes longer than the product. Blocks stay below.
    """
    basis = _basis(height, step)
    blocks = -(-basis.size * width // _BLAS_SINGLE_THREAD)
    rows = -(-height // blocks)
    padded = np.zeros((blocks * rows, basis.shape[1]), np.float32)
    padded[:height] = basis
    out = padded.reshape(blocks, rows, -1)
    out.setflags(write=False)
    return out


_CATMULL_ROM = 0.5 * np.array([[0.0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]])


def _catmull_rom(t: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights of the four nodes about a place `t` in [0, 1) after the second, and their slopes."""
    powers = t.reshape(-1, 1) ** np.arange(4)
    slopes = powers[:, [0, 0, 1, 2]] * np.arange(4)
    shape = (*t.shape, 4)
    return (powers @ _CATMULL_ROM).reshape(shape), (slopes @ _CATMULL_ROM).reshape(shape)


def _cross(a: Points, b: Points) -> NDArray[np.float64]:
    return np.asarray(a.real * b.imag - a.imag * b.real)


def _halve(nodes: Points) -> Points:
    """The spline at all inner nodes of the last axis and midway between them."""
    inner = nodes[..., 1:-1]
    middle = 9 / 16 * (inner[..., :-1] + inner[..., 1:])
    middle -= 1 / 16 * (nodes[..., :-3] + nodes[..., 3:])
    out = np.empty((*inner.shape[:-1], 2 * inner.shape[-1] - 1), dtype=np.complex128)
    out[..., ::2], out[..., 1::2] = inner, middle
    return out


def _xy(points: Points) -> NDArray[np.float64]:
    return np.stack([points.real, points.imag], axis=-1)
