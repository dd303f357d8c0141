"""Images and maps averaged down by any factor, mass kept: how a step's crop sees the
initializer's."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def shrink(x: Tensor, ratio: float) -> Tensor:
    """(N, C, H, W) -> (N, C, H / ratio, W / ratio), both sides whole: the mean over the area that
    each new cell covers.

    Raises ValueError where a side would not be whole.
    """
    height, width = int(x.shape[2]), int(x.shape[3])
    if ratio == int(ratio):
        return functional.avg_pool2d(x, int(ratio))
    return _shares(height, ratio).to(x) @ x @ _shares(width, ratio).to(x).T


def shrunk_size(size: tuple[int, int], ratio: float) -> tuple[int, int]:
    """(H, W) after `shrink`. Raises ValueError where a side would not be whole."""
    height, width = (round(side / ratio) for side in size)
    if abs(height * ratio - size[0]) > 1e-6 or abs(width * ratio - size[1]) > 1e-6:
        raise ValueError(f"{size[0]} x {size[1]} divided by {ratio:g} is not whole")
    return height, width


def _shares(cells: int, ratio: float) -> Tensor:
    """(cells / ratio, cells): the share of each old cell in the mean of each new one."""
    count = shrunk_size((cells, cells), ratio)[0]
    left = torch.arange(count, dtype=torch.float64)[:, None] * ratio
    old = torch.arange(cells, dtype=torch.float64)[None]
    overlap = torch.minimum(left + ratio, old + 1) - torch.maximum(left, old)
    return (overlap.clamp_min(0) / ratio).float()
