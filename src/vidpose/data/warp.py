"""Smooth warps that carry an image's pixels along with control points.

Rigid moving least squares (Schaefer, McPhail, Warren: Image Deformation Using Moving Least Squares,
2006) as an inverse map: for a position in the warped image, where its pixel lies in the still. The
map is evaluated on a coarse grid of nodes and interpolated in between by Catmull-Rom splines. What
is interpolated *is* the map: a keypoint's place in the warped image is found by inverting it
(`SplineMap.invert`), so pixels and keypoints agree however coarse the grid is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_SOFTNESS = 0.01  # of the spread of the control points: rounds the map's creases at the controls


def rigid_mls(
    positions: NDArray[np.float64], target: NDArray[np.float64], source: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Where positions of the warped images lie in the still.

    Args:
        positions: (T, V, 2) positions in the warped images.
        target: (T, N, 2) control points in the warped images.
        source: (N, 2) control points in the still.

    Returns:
        float64 (T, V, 2). Far from all controls the map tends to one rigid motion.
    """
    origin = source.mean(axis=0)
    softness = (_SOFTNESS * np.ptp(source, axis=0).max()) ** 2 + 1e-6
    v = _complex(positions - origin)
    p = _complex(target - origin)
    q = np.broadcast_to(_complex(source - origin), p.shape)
    apart = v[:, :, None] - p[:, None, :]
    weight = 1.0 / np.square(apart.real**2 + apart.imag**2 + softness)
    weight /= weight.sum(axis=-1, keepdims=True)
    turn = p.conj() * q
    moments = np.stack([p.real, p.imag, q.real, q.imag, turn.real, turn.imag], axis=-1)
    mean = weight @ moments
    p_mean, q_mean, turn_mean = (mean[..., i] + 1j * mean[..., i + 1] for i in (0, 2, 4))
    rotation = turn_mean - p_mean.conj() * q_mean
    rotation /= np.maximum(np.abs(rotation), 1e-12)
    out = q_mean + rotation * (v - p_mean)
    return np.stack([out.real, out.imag], axis=-1) + origin


@dataclass(frozen=True, slots=True)
class SplineMap:
    """Maps of T images onto the still, given at nodes every `step` pixels.

    Attributes:
        nodes: float64 (T, rows, columns, 2): x, y in the still at the nodes of `node_grid`.
        size: height and width of the images.
        step: distance of the nodes in pixels.
    """

    nodes: NDArray[np.float64]
    size: tuple[int, int]
    step: float

    def dense(self) -> NDArray[np.float32]:
        """The maps at every pixel: float32 (T, 2, height, width), x before y."""
        rows, columns = (_basis(length, self.step) for length in self.size)
        nodes = np.moveaxis(self.nodes, -1, 1).astype(np.float32)
        return np.asarray(rows @ (nodes @ columns.T), dtype=np.float32)

    def at(self, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The maps and their Jacobians at points (T, K, 2) of the images.

        Returns (T, K, 2) in the still and (T, K, 2, 2), [still axis, image axis]. Outside the
        nodes, the nearest cell's spline is continued.
        """
        column, wx, dx = self._taps(points[..., 0], self.nodes.shape[2])
        row, wy, dy = self._taps(points[..., 1], self.nodes.shape[1])
        frame = np.arange(len(points))[:, None, None, None]
        taps = self.nodes[frame, row[..., :, None], column[..., None, :]]
        value = np.einsum("tkrcd,tkr,tkc->tkd", taps, wy, wx)
        along_x = np.einsum("tkrcd,tkr,tkc->tkd", taps, wy, dx)
        along_y = np.einsum("tkrcd,tkr,tkc->tkd", taps, dy, wx)
        return value, np.stack([along_x, along_y], axis=-1)

    def invert(
        self, still: NDArray[np.float64], start: NDArray[np.float64], *, steps: int = 6
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where points (K, 2) of the still lie in the images, by Newton's method.

        Args:
            still: (K, 2) points of the still.
            start: (T, K, 2) first guesses in the images.

        Returns:
            (T, K, 2) positions in the images, and the distance (T, K), in image pixels, that the
            last step still went: large where the method did not converge.
        """
        points = start.copy()
        last = np.full(points.shape[:2], np.inf)
        for _ in range(steps):
            value, jacobian = self.at(points)
            det = (
                jacobian[..., 0, 0] * jacobian[..., 1, 1]
                - jacobian[..., 0, 1] * jacobian[..., 1, 0]
            )
            det = np.where(np.abs(det) < 1e-9, 1e-9, det)
            gap = still - value
            move = (
                np.stack(
                    [
                        jacobian[..., 1, 1] * gap[..., 0] - jacobian[..., 0, 1] * gap[..., 1],
                        jacobian[..., 0, 0] * gap[..., 1] - jacobian[..., 1, 0] * gap[..., 0],
                    ],
                    axis=-1,
                )
                / det[..., None]
            )
            last = np.hypot(move[..., 0], move[..., 1])
            # Steps beyond one cell leave the region that the local slope describes.
            points += move * np.minimum(1.0, self.step / np.maximum(last, 1e-9))[..., None]
        return points, last

    def distortion(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The cells' area and longest side in the still, float64 (T, rows - 1, columns - 1) each.

        The area is signed and in units of a cell's area: negative where the map folds. The side is
        in units of `step`.
        """
        along_x = np.diff(self.nodes, axis=2) / self.step
        along_y = np.diff(self.nodes, axis=1) / self.step
        x, y = along_x[:, :-1], along_y[:, :, :-1]
        area = x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0]
        side = np.sqrt(np.maximum(np.square(x).sum(-1), np.square(y).sum(-1)))
        return area, side

    def _taps(
        self, coordinate: NDArray[np.float64], count: int
    ) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
        """The four nodes about each coordinate, their weights and the weights' slopes."""
        place = coordinate / self.step + 1
        first = np.clip(np.floor(place), 1, count - 3)
        weight, slope = _catmull_rom(place - first)
        return first.astype(np.intp)[..., None] + np.arange(-1, 3), weight, slope / self.step


def node_grid(size: tuple[int, int], step: float) -> NDArray[np.float64]:
    """Positions of the nodes for images of `size` (height, width): float64 (rows, columns, 2).

    The grid begins one step before the first pixel and ends at least one step after the last.
    """
    rows, columns = (np.arange(_node_count(length, step)) * step - step for length in size)
    return np.stack(np.meshgrid(columns, rows), axis=-1)


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


def _catmull_rom(t: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights of the four nodes about a place `t` in [0, 1) after the second, and their slopes."""
    powers = np.stack([np.ones_like(t), t, t * t, t * t * t], axis=-1)
    slopes = np.stack([np.zeros_like(t), np.ones_like(t), 2 * t, 3 * t * t], axis=-1)
    return powers @ _CATMULL_ROM, slopes @ _CATMULL_ROM


_CATMULL_ROM = 0.5 * np.array([[0.0, 2, 0, 0], [-1.0, 0, 1, 0], [2.0, -5, 4, -1], [-1.0, 3, -3, 1]])


def _complex(points: NDArray[np.float64]) -> NDArray[np.complex128]:
    return np.asarray(points[..., 0] + 1j * points[..., 1], dtype=np.complex128)
