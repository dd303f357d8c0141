"""The products of `model.py` in other forms: for exported graphs, and for kernels of one cell.

In an exported graph a convolution's number of groups could not follow the number of people, and
adaptive pooling has no ONNX form at any size. Each function gives what its plain form gives, which
a test holds.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from vidpose.nn.map_cells import flatten_cells


def match_kernels(features: Tensor, kernels: Tensor) -> Tensor:
    """features (N, C, h, w), kernels (N, K, C, S, S) -> (N, K, h, w), as matrix products.

    One product gives every place of the kernels at every cell; its shifted maps add up.
    """
    channels, height, width = (int(side) for side in features.shape[1:])
    joints, size = int(kernels.shape[1]), int(kernels.shape[-1])
    if size == 1:
        maps = torch.bmm(kernels.reshape(-1, joints, channels), flatten_cells(features))
        return maps.view(-1, joints, height, width)
    border = size // 2
    padded = functional.pad(features, (border, border, border, border))
    weights = kernels.permute(0, 3, 4, 1, 2).reshape(-1, size * size * joints, channels)
    places = torch.bmm(weights, flatten_cells(padded))
    places = places.view(-1, size * size, joints, height + 2 * border, width + 2 * border)
    maps = torch.zeros_like(places[:, 0, :, :height, :width])
    for row in range(size):
        for column in range(size):
            place = places[:, row * size + column]
            maps = maps + place[:, :, row : row + height, column : column + width]
    return maps


def match_channels(features: Tensor, kernels: Tensor) -> Tensor:
    """features (N, C, h, w), kernels (N, 1, C, S, S) -> (N, C, h, w), as sums of shifted maps."""
    height, width = (int(side) for side in features.shape[2:])
    size = int(kernels.shape[-1])
    border = size // 2
    padded = functional.pad(features, (border, border, border, border))
    found = torch.zeros_like(features)
    for row in range(size):
        for column in range(size):
            shifted = padded[:, :, row : row + height, column : column + width]
            found = found + shifted * kernels[:, 0, :, row, column, None, None]
    return found


def average_to(x: Tensor, size: int) -> Tensor:
    """Adaptive average pooling (N, C, h, w) -> (N, C, size, size), as matrix products."""
    rows = _averaging(int(x.shape[2]), size).to(x)
    columns = _averaging(int(x.shape[3]), size).to(x)
    return rows @ x @ columns.T


def _averaging(cells: int, size: int) -> Tensor:
    """(size, cells): which cells are averaged, as in torch's adaptive pooling."""
    matrix = torch.zeros(size, cells)
    for row in range(size):
        first, last = row * cells // size, -(-(row + 1) * cells // size)
        matrix[row, first:last] = 1 / (last - first)
    return matrix
