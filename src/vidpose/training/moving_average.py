"""The exponential moving average of a network: what is evaluated and exported."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn


class MovingAverage:
    """A network's averaged weights and buffers; what is no number with a point is the newest.

    Args:
        network: is copied, as it is, to the device where it is.
        decay: share of the old average in the new one. The first update counts whole.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self.updates = 0
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Move towards `network`."""
        share = 1.0 if self.updates == 0 else 1 - self._decay
        pairs = list(zip(_values(self.network), _values(network), strict=True))
        moving = [(a, b) for a, b in pairs if a.is_floating_point()]
        for averaged, current in pairs:
            if not averaged.is_floating_point():
                averaged.copy_(current)
        if share == 1:
            for averaged, current in moving:
                averaged.copy_(current)
        elif moving:
            torch._foreach_lerp_([a for a, _ in moving], [b for _, b in moving], share)
        self.updates += 1

    @torch.no_grad()
    def return_towards(self, start: Mapping[str, Tensor], share: float) -> None:
        """Mix start weights into the average; buffers stay, such as the statistics of norms."""
        for name, value in self.network.named_parameters():
            value.lerp_(start[name].to(value.device), share)


def _values(network: nn.Module) -> list[Tensor]:
    return [*(p.data for p in network.parameters()), *network.buffers()]
