"""LSTM Pose Machines: the recurrent network that DKD's table compares with.

Luo, Ren, Wang, Sun, Pan, Liu, Pang, Lin, "LSTM Pose Machines", CVPR 2018, arXiv 1712.06316; the
layers are those of the authors' deployment files.

    m_0      = Conv2(I_1)                     first maps, a convolutional pose machine's
    x_t      = [Conv1(I_t), m_{t-1}, centre]  features, maps and a Gaussian in the crop's centre
    h_t, c_t = ConvLSTM(x_t, h_{t-1}, c_{t-1})
    m_t      = Conv3(h_t)

The first frame is used twice: by Conv2, and by the cell, which then has no past.
Input 368 x 368, maps 46 x 46 (stride 8).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidpose.nn.unroll import follow

SIZE = (368, 368)
STRIDE = 8

_FEATURES = 32
_HIDDEN = 48
_CENTRE_SPREAD = 21 / 368  # of the Gaussian in the centre, in heights of the crop


class LSTMOutput(NamedTuple):
    """What one frame gives: maps (N, M, h, w), and the memory for the next frame.

    `memory` (N, M + 96, h, w) holds the maps, the hidden state and the cell state.
    """

    maps: Tensor
    memory: Tensor


class ConvLSTM(nn.Module):
    """c_t = f c_{t-1} + i g, h_t = o tanh(c_t), all gates from 3x3 convolutions of x_t and h_{t-1}.

    The authors' cells for the first frame and for the later ones share their weights; the first
    has no forget gate and no hidden input, which is what a past of zeros gives.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.from_input = nn.Conv2d(inputs, 4 * hidden, 3, padding=1)
        self.from_hidden = nn.Conv2d(hidden, 4 * hidden, 3, padding=1, bias=False)

    def start(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """h_1 and c_1 (N, hidden, h, w) from x (N, inputs, h, w), without a past."""
        g, i, _, o = self.from_input(x).chunk(4, dim=1)
        cell = i.sigmoid() * g.tanh()
        return o.sigmoid() * cell.tanh(), cell

    def forward(self, x: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """h_t and c_t from x_t, h_{t-1} and c_{t-1}."""
        g, i, f, o = (self.from_input(x) + self.from_hidden(hidden)).chunk(4, dim=1)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        return o.sigmoid() * cell.tanh(), cell


class LSTMPoseMachine(nn.Module):
    """The whole network.

    Args:
        num_maps: M. The authors have 15 for Penn Action: 13 joints and two more.
        size: (H, W) of the images; the maps are (H, W) / 8, rounded up.

    `ratio`: of the first image's size to the later ones', as of DKD.
    """

    centre: Tensor
    ratio = 1

    def __init__(self, num_maps: int = 15, size: tuple[int, int] = SIZE) -> None:
        super().__init__()
        self.num_maps = num_maps
        self.first = nn.Sequential(  # ConvNet2
            *_trunk(),
            nn.ReLU(inplace=True),
            *_layer(_FEATURES, 512, 9),
            nn.Dropout(),
            *_layer(512, 512, 1),
            nn.Dropout(),
            nn.Conv2d(512, num_maps, 1),
        )
        self.features = nn.Sequential(*_trunk(), nn.ReLU(inplace=True))  # ConvNet1
        self.lstm = ConvLSTM(_FEATURES + num_maps + 1, _HIDDEN)
        self.last = nn.Sequential(  # ConvNet3
            *_layer(_HIDDEN, 128, 11),
            *_layer(128, 128, 11),
            *_layer(128, 128, 11),
            *_layer(128, 128, 1),
            nn.Conv2d(128, num_maps, 1),
        )
        self.register_buffer("centre", _centre_map(size), persistent=False)

    def first_maps(self, images: Tensor) -> Tensor:
        """m_0: (N, 3, H, W) RGB in [-1, 1] -> (N, M, h, w)."""
        maps: Tensor = self.first(images)
        return maps

    def initialize(self, images: Tensor) -> LSTMOutput:
        """The first frame: its maps m_1 and the memory for the next frame."""
        return self._start(images, self.first_maps(images))

    def step(self, images: Tensor, memory: Tensor) -> LSTMOutput:
        """A later frame, with the memory of the one before."""
        maps, hidden, cell = torch.split(memory, [self.num_maps, _HIDDEN, _HIDDEN], dim=1)
        return self._finish(*self.lstm(self._input(images, maps), hidden, cell))

    def unroll(self, first: Tensor, later: Tensor) -> tuple[Tensor, list[Tensor]]:
        """A clip (N, 3, H, W), (N, T-1, 3, H, W) -> m_0 and the T maps: every stage's, to train."""
        start = self.first_maps(first)
        maps, memory = self._start(first, start)
        return start, [maps, *follow(self, memory, later)]

    def forward(self, first: Tensor, later: Tensor) -> list[Tensor]:
        """A clip: first frame (N, 3, H, W), later frames (N, T-1, 3, H, W) -> T maps."""
        return self.unroll(first, later)[1]

    def _start(self, images: Tensor, maps: Tensor) -> LSTMOutput:
        return self._finish(*self.lstm.start(self._input(images, maps)))

    def _input(self, images: Tensor, maps: Tensor) -> Tensor:
        centre = self.centre.expand(images.shape[0], -1, -1, -1)
        return torch.cat([self.features(images), maps, centre], dim=1)

    def _finish(self, hidden: Tensor, cell: Tensor) -> LSTMOutput:
        maps = self.last(hidden)
        return LSTMOutput(maps, torch.cat([maps, hidden, cell], dim=1))


def _trunk() -> list[nn.Module]:
    """What Conv1 and Conv2 begin with, each with its own weights; without the last ReLU."""
    layers: list[nn.Module] = []
    for inputs in (3, 128, 128):
        layers += [*_layer(inputs, 128, 9), nn.MaxPool2d(3, 2, ceil_mode=True)]
    return [*layers, nn.Conv2d(128, _FEATURES, 5, padding=2)]


def _layer(inputs: int, outputs: int, kernel: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    return [convolution, nn.ReLU(inplace=True)]


def _centre_map(size: tuple[int, int]) -> Tensor:
    """A Gaussian around the crop's centre, where the person is, averaged 9/8 to the maps' size.

    Its width is an interpretation: that of the convolutional pose machines, 21 pixels of 368.
    """
    axes = [torch.arange(length) - (length - 1) / 2 for length in size]
    rows, columns = (torch.exp(-((a / (_CENTRE_SPREAD * size[0])) ** 2) / 2) for a in axes)
    whole = (rows[:, None] * columns[None, :])[None, None]
    return functional.avg_pool2d(whole, 9, 8, ceil_mode=True)
