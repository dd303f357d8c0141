"""Convolutions that are padded at the far end only.

TensorFlow's SAME rule adds ``(ceil(n / s) - 1) s + k - n`` cells to a side of n, half of them in
front. At an even n a stride-2 convolution of 3 gets one cell, behind; at an odd n it gets one on
each side, and all that it sees moves by half a cell of its output against the levels above and
below. Padded at the far end alone, a cell of every level begins where its first pixel does.
"""

from __future__ import annotations

from collections.abc import Iterable

from timm.layers.conv2d_same import Conv2dSame
from torch import Tensor, nn
from torch.nn import functional

SMALLEST_ALIKE = 32
"""Where both sides of an image are multiples of this, a trunk of stride 32 has no odd side but
the last, and the two rules are one."""


class FarEndConv2d(nn.Conv2d):
    """SAME convolution (N, C, h, w) -> (N, out, ceil(h / s), ceil(w / s)) padded at the end."""

    def forward(self, x: Tensor) -> Tensor:
        down, right = (
            same_padding(side, kernel, stride)
            for side, kernel, stride in zip(x.shape[2:], self.kernel_size, self.stride, strict=True)
        )
        padded = functional.pad(x, (0, right, 0, down))
        return functional.conv2d(padded, self.weight, self.bias, self.stride, groups=self.groups)


def same_padding(cells: int, kernel: int, stride: int) -> int:
    """How many cells TensorFlow's SAME rule adds to a side."""
    return max((-(-cells // stride) - 1) * stride + kernel - cells, 0)


def pad_at_far_end(module: nn.Module) -> None:
    """Turn timm's SAME convolutions of ``module``, in place, into `FarEndConv2d`."""
    for name, conv in list(module.named_modules()):
        if isinstance(conv, Conv2dSame):
            rows, columns = conv.kernel_size
            down, across = conv.stride
            new = FarEndConv2d(
                conv.in_channels,
                conv.out_channels,
                (rows, columns),
                (down, across),
                groups=conv.groups,
                bias=conv.bias is not None,
            )
            new.weight, new.bias = conv.weight, conv.bias
            module.set_submodule(name, new)


def differs(sides: Iterable[int]) -> bool:
    """Whether for images of these sides the two rules differ in a trunk of stride 32."""
    return any(side % SMALLEST_ALIKE for side in sides)
