"""The person finder: a small anchor-free detector of RTMDet-nano's shape.

CSPNeXt with a path aggregation neck (nn/cspnext.py) at strides 8, 16 and 32, and for each level a
head of its own with separate branches for score and box. Every cell of every level says how likely
a person's box is responsible to it and how far the box's four sides are from the cell's top left
corner, in units of the stride.

The shape is RTMDet-nano's, so that its published Apache-2.0 weights can be taken as a start
(`load_rtmdet`); they are trained further here.

Sources: RTMDet (arXiv 2212.07784); FCOS (arXiv 1904.01355) for cells that regress distances.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vidpose.errors import BundleError
from vidpose.nn.cspnext import CSPNeXt, DepthwiseSeparable, PathAggregation
from vidpose.nn.onnx_weights import convolutions

STRIDES = (8, 16, 32)
_PRIOR = 0.01  # probability of a person that an untrained cell starts from
_START_DISTANCE = 2.0  # strides; the stride then decides which level a box's size suits at first
# RTMDet's: mean and deviation of ImageNet, RGB, 0 to 255.
_MEAN, _DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


class Cells(NamedTuple):
    """What the finder says of every cell of all levels, the finest level first.

    ``logits`` (N, A); ``boxes`` (N, A, 4) x1, y1, x2, y2 in input pixels (edge coordinates);
    ``centres`` (A, 2) x, y of the cells in the same coordinates; ``strides`` (A,).
    """

    logits: Tensor
    boxes: Tensor
    centres: Tensor
    strides: Tensor


class LevelHead(nn.Module):
    """One level's head: features (N, C, h, w) -> logits (N, 1, h, w), distances (N, 4, h, w)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score_branch = nn.Sequential(
            *(DepthwiseSeparable(channels, channels) for _ in range(2))
        )
        self.logit = nn.Conv2d(channels, 1, 1)
        self.box_branch = nn.Sequential(*(DepthwiseSeparable(channels, channels) for _ in range(2)))
        self.distances = nn.Conv2d(channels, 4, 1)
        _start_at(self.logit, -math.log(1 / _PRIOR - 1))
        _start_at(self.distances, _START_DISTANCE)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.logit(self.score_branch(x)), self.distances(self.box_branch(x))


class PersonFinder(nn.Module):
    """The whole detector. Input (N, 3, H, W) RGB from 0 to 255, H and W multiples of 32."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.backbone = CSPNeXt(width)
        self.neck = PathAggregation(4 * width, 4 * width)
        self.heads = nn.ModuleList(LevelHead(4 * width) for _ in STRIDES)
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer(
            "deviation", torch.tensor(_DEVIATION).view(1, 3, 1, 1), persistent=False
        )

    def load_rtmdet(self, path: Path | str) -> None:
        """Take the weights of RTMDet-nano from its ONNX file, norms folded, input BGR.

        Raises BundleError on another file, and where `width` is not its own.
        """
        mine = [module for module in self.modules() if isinstance(module, nn.Conv2d)]
        theirs = convolutions(path)
        shapes = [(tuple(conv.weight.shape), tuple(conv.weight.shape[:1])) for conv in mine]
        if shapes != [(weight.shape, bias.shape) for weight, bias in theirs]:
            raise BundleError(f"{path}: not RTMDet-nano of width {mine[2].out_channels}")
        with torch.no_grad():
            for conv, (weight, bias) in zip(mine, theirs, strict=True):
                conv.weight.copy_(torch.from_numpy(weight.copy()))
                assert conv.bias is not None
                conv.bias.copy_(torch.from_numpy(bias.copy()))
            mine[0].weight.copy_(mine[0].weight.flip(1))  # its input is BGR

    def forward(self, x: Tensor) -> Cells:
        assert isinstance(self.mean, Tensor)
        assert isinstance(self.deviation, Tensor)
        maps = self.neck(self.backbone((x - self.mean) / self.deviation))
        levels = [
            _level(head(features), stride)
            for head, features, stride in zip(self.heads, maps, STRIDES, strict=True)
        ]
        logits, boxes, centres, strides = zip(*levels, strict=True)
        return Cells(
            torch.cat(logits, 1), torch.cat(boxes, 1), torch.cat(centres), torch.cat(strides)
        )


class FinderExport(nn.Module):
    """The finder as the runtime sees it.

    uint8 (1, H, W, 3) RGB -> boxes (A, 4) float32 x1, y1, x2, y2 in input pixels and scores (A,)
    in [0, 1]; every cell of every level, nothing suppressed.
    """

    def __init__(self, network: PersonFinder) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        cells = self.network(image.permute(0, 3, 1, 2).to(torch.float32))
        return cells.boxes[0], torch.sigmoid(cells.logits[0])


def _level(found: tuple[Tensor, Tensor], stride: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    logits, distances = found
    height, width = logits.shape[2], logits.shape[3]
    rows = torch.arange(height, device=logits.device, dtype=logits.dtype)
    columns = torch.arange(width, device=logits.device, dtype=logits.dtype)
    grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1).reshape(-1, 2)
    corners = grid * stride
    reach = distances.flatten(2).transpose(1, 2) * stride
    boxes = torch.cat([corners - reach[..., :2], corners + reach[..., 2:]], -1)
    centres = corners + stride / 2
    return logits.flatten(1), boxes, centres, torch.full_like(centres[:, 0], stride)


def _start_at(conv: nn.Conv2d, value: float) -> None:
    """Start an output layer so that it gives ``value`` whatever it sees, nearly."""
    assert conv.bias is not None
    nn.init.normal_(conv.weight, std=0.01)
    nn.init.constant_(conv.bias, value)
