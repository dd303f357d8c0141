"""Parameters and multiply-adds of torch networks, counted in the two ways that papers count.

*True multiply-adds*: every convolution, transposed convolution and matrix product, by torch's
operator counter; a transposed convolution multiplies once per *input* cell and weight.

*As published*: a widely used counter takes transposed convolutions at their *output* resolution
(for stride 2, four times too much) and divides by 2^30. Simple Baseline's 8.9 "GFLOPs" (ResNet-50,
256 x 192) are of this kind; its true multiply-adds are 5.4e9.

Either way a multiply-add counts once although papers write FLOPs; norms, activations and poolings
do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True, slots=True)
class Complexity:
    """What a network's call costs.

    Attributes:
        parameters: numbers that are learned, frozen or not.
        multiply_adds: true ones.
        at_output: multiply-adds with transposed convolutions counted at their output resolution.
    """

    parameters: int
    multiply_adds: int
    at_output: int

    @property
    def giga(self) -> float:
        """True multiply-adds in 10^9."""
        return self.multiply_adds / 1e9

    @property
    def published(self) -> float:
        """The number that papers with this counter print: `at_output` in 2^30."""
        return self.at_output / 2**30


def count(network: nn.Module, call: Callable[[], object]) -> Complexity:
    """Parameters of `network` and multiply-adds of `call()`.

    The call is made twice, and without gradients; inputs that carry them make torch's counter fail.
    Built and called under `torch.device("meta")`, a network of any size is
    counted at once:

        with torch.device("meta"):
            network, images = SimpleBaseline(17), torch.zeros(1, 3, 256, 192)
        count(network, lambda: network(images))
    """
    return Complexity(
        parameters=sum(p.numel() for p in network.parameters()),
        multiply_adds=_multiply_adds(call, {}),
        at_output=_multiply_adds(call, dict.fromkeys(_CONVOLUTIONS, _flops_at_output)),
    )


_CONVOLUTIONS = (torch.ops.aten.convolution, torch.ops.aten._convolution)


def _multiply_adds(call: Callable[[], object], formulas: dict[Any, Any]) -> int:
    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=formulas) as counter:
        call()
    return int(counter.get_total_flops() // 2)  # torch counts a multiply-add as two


def _flops_at_output(
    x_shape: Sequence[int],
    weight_shape: Sequence[int],
    *_: object,
    out_shape: Sequence[int],
    **__: object,
) -> int:
    return 2 * x_shape[0] * prod(out_shape[2:]) * prod(weight_shape)
