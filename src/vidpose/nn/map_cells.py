"""Maps as rows of cells, and as distributions over them."""

from __future__ import annotations

from torch import Tensor


def map_distribution(logits: Tensor) -> Tensor:
    """Softmax over the cells of each map: (N, K, h, w) -> the same shape, each map summing to 1."""
    channels, height, width = (int(side) for side in logits.shape[1:])
    return flatten_cells(logits).softmax(dim=2).view(-1, channels, height, width)


def flatten_cells(maps: Tensor) -> Tensor:
    """(N, C, h, w) -> (N, C, h w). Only N is open in an exported graph: sizes that it worked out
    in every call would cost as much time as a layer."""
    channels, height, width = (int(side) for side in maps.shape[1:])
    return maps.reshape(-1, channels, height * width)
