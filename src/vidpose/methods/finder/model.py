"""The person finder: a small anchor-free detector on MobileNetV2.

A trunk (MobileNetV2-1.0 up to its 160-channel stage, its norms folded into the convolutions and
so never re-estimated from a small batch), a feature pyramid at strides 8, 16 and 32, and one head
shared by the levels. Every cell of every level says how likely a person's box is responsible to
it and how far the box's four sides are from the cell's centre, in units of the stride.

Sources: FCOS (arXiv 1904.01355) for cells that regress distances; RTMDet (arXiv 2212.07784) for
one head with separate norms per level; MobileNetV2 (arXiv 1801.04381).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidpose.nn.movenet import PoseBackbone, fold_batch_norm, load_movenet_onnx

STRIDES = (8, 16, 32)
_TAPS = {2: 32, 4: 96, 5: 160}  # trunk stage -> channels, one a stride
_PRIOR = 0.01  # probability of a person that an untrained cell starts from
_START_DISTANCE = 2.0  # strides; the stride then decides which level a box's size suits at first
_MAX_LOG_DISTANCE = 4.0


class Cells(NamedTuple):
    """What the finder says of every cell of all levels, the finest level first.

    ``logits`` (N, A); ``boxes`` (N, A, 4) x1, y1, x2, y2 in input pixels (edge coordinates);
    ``centres`` (A, 2) x, y of the cells in the same coordinates; ``strides`` (A,).
    """

    logits: Tensor
    boxes: Tensor
    centres: Tensor
    strides: Tensor


class FoldedTrunk(nn.Module):
    """MobileNetV2 without its last stage and without norms: images -> maps at strides 8, 16, 32.

    Input (N, 3, H, W) RGB in [-1, 1], H and W multiples of 32; output channels 32, 96, 160.
    The first ``frozen_stages`` stages (and the stem, if any) are fixed and take no gradient.
    """

    def __init__(self, frozen_stages: int) -> None:
        super().__init__()
        backbone = PoseBackbone()
        self.stem = backbone.stem
        self.blocks = _kept_blocks(backbone)
        self.frozen_stages = frozen_stages
        fold_batch_norm(self)
        self._freeze()

    def _freeze(self) -> None:
        frozen = [self.stem, *self.blocks[: self.frozen_stages]] if self.frozen_stages else []
        for part in frozen:
            part.requires_grad_(False)

    def load_movenet(self, path: Path | str) -> None:
        """Take the weights of MoveNet Lightning's trunk. Raises BundleError on another file."""
        backbone = PoseBackbone()
        load_movenet_onnx(backbone, path)
        donor = nn.Module()
        donor.stem = backbone.stem
        donor.blocks = _kept_blocks(backbone)
        fold_batch_norm(donor)
        self.load_state_dict(donor.state_dict())

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem(x)
        maps = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in _TAPS:
                maps.append(x)
        return maps


class _Separable(nn.Module):
    """Depthwise 3x3, pointwise 1x1 and ReLU, with one norm for each of ``levels`` levels."""

    def __init__(self, channels: int, levels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(levels))

    def forward(self, x: Tensor, level: int = 0) -> Tensor:
        return functional.relu(self.norms[level](self.pointwise(self.depthwise(x))))


class PersonFinder(nn.Module):
    """The whole detector. Input (N, 3, H, W) RGB in [-1, 1], H and W multiples of 32."""

    def __init__(self, width: int = 64, frozen_stages: int = 2) -> None:
        super().__init__()
        self.trunk = FoldedTrunk(frozen_stages)
        self.laterals = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c, width, 1, bias=False), nn.BatchNorm2d(width))
            for c in _TAPS.values()
        )
        self.smooth = nn.ModuleList(_Separable(width, 1) for _ in STRIDES)
        self.tower = nn.ModuleList(_Separable(width, len(STRIDES)) for _ in range(2))
        self.logit = nn.Conv2d(width, 1, 1)
        self.distances = nn.Conv2d(width, 4, 1)
        _start_at(self.logit, -math.log(1 / _PRIOR - 1))
        _start_at(self.distances, math.log(_START_DISTANCE))

    def pyramid(self, x: Tensor) -> list[Tensor]:
        """Feature maps (N, width, h, w) at strides 8, 16, 32."""
        maps = [lateral(m) for lateral, m in zip(self.laterals, self.trunk(x), strict=True)]
        for fine in (1, 0):
            maps[fine] = maps[fine] + functional.interpolate(maps[fine + 1], scale_factor=2.0)
        return [smooth(m) for smooth, m in zip(self.smooth, maps, strict=True)]

    def forward(self, x: Tensor) -> Cells:
        levels = [
            self._level(features, level, stride)
            for level, (features, stride) in enumerate(zip(self.pyramid(x), STRIDES, strict=True))
        ]
        logits, boxes, centres, strides = zip(*levels, strict=True)
        return Cells(
            torch.cat(logits, 1), torch.cat(boxes, 1), torch.cat(centres), torch.cat(strides)
        )

    def _level(self, x: Tensor, level: int, stride: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        for layer in self.tower:
            x = layer(x, level)
        height, width = x.shape[2], x.shape[3]
        rows = torch.arange(height, device=x.device, dtype=x.dtype)
        columns = torch.arange(width, device=x.device, dtype=x.dtype)
        grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1).reshape(-1, 2)
        centres = (grid + 0.5) * stride
        logits = self.logit(x).flatten(1)
        raw = self.distances(x).flatten(2).transpose(1, 2)
        reach = torch.exp(raw.clamp(max=_MAX_LOG_DISTANCE)) * stride
        boxes = torch.cat([centres - reach[..., :2], centres + reach[..., 2:]], -1)
        return logits, boxes, centres, torch.full_like(centres[:, 0], stride)


class FinderExport(nn.Module):
    """The finder as the runtime sees it.

    uint8 (1, H, W, 3) RGB -> boxes (A, 4) float32 x1, y1, x2, y2 in input pixels, clipped to the
    input, and scores (A,) in [0, 1]; every cell of every level, nothing suppressed.
    """

    def __init__(self, network: PersonFinder) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        x = image.permute(0, 3, 1, 2).to(torch.float32) / 127.5 - 1.0
        cells = self.network(x)
        return cells.boxes[0], torch.sigmoid(cells.logits[0])


def _start_at(conv: nn.Conv2d, value: float) -> None:
    """Start an output layer so that it gives ``value`` whatever it sees, nearly."""
    assert conv.bias is not None
    nn.init.normal_(conv.weight, std=0.01)
    nn.init.constant_(conv.bias, value)


def _kept_blocks(backbone: PoseBackbone) -> nn.Sequential:
    return nn.Sequential(*list(backbone.blocks.children())[: max(_TAPS) + 1])
