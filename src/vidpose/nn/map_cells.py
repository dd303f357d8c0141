"""Maps as rows of cells, and as distributions over them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def map_distribution(logits: Tensor) -> Tensor:
    """Softmax over the cells of each map: (N, K, h, w) -> the same shape, each map summing to 1."""
    channels, height, width = (int(side) for side in logits.shape[1:])
    return flatten_cells(logits).softmax(dim=2).view(-1, channels, height, width)


def flatten_cells(maps: Tensor) -> Tensor:
    """(N, C, h, w) -> (N, C, h w). Only N is open in an exported graph: sizes that it worked out
    in every call would cost as much time as a layer."""
    channels, height, width = (int(side) for side in maps.shape[1:])
    return maps.reshape(-1, channels, height * width)


def cells_from_corners(maps: Tensor, stride: float) -> Tensor:
    """Maps whose cell i lies at i * stride as maps whose cell i lies at (i + 1/2) * stride - 1/2:
    a part of a cell further, interpolated. (N, K, h, w) -> the same shape."""
    shift = (stride - 1) / (2 * stride)
    padded = functional.pad(maps, (0, 1, 0, 1), mode="replicate")
    down = torch.lerp(padded[:, :, :-1], padded[:, :, 1:], shift)
    return torch.lerp(down[..., :-1], down[..., 1:], shift)
