"""LSTM Pose Machines' memory on dkd-lite's networks: the recurrent reference of small sizes.

The full network (methods/lstm/lstm_pm.py) is too large to learn on a CPU. This keeps what marks it,
a convolutional LSTM that reads the frame's features and the maps of the frame before, and takes the
initializer, the frame encoder and the sizes of dkd-lite (methods/dkd/light.py):

    m_1      = P(I_1)                          dkd-lite's initializer
    x_t      = [Conv(F(I_t)), h_{t-1}]         the encoder's features narrowed, maps before
    s_t, c_t = ConvLSTM(x_t, s_{t-1}, c_{t-1})
    m_t      = W F(I_t) + Conv(s_t)            a per-frame classifier and what the memory adds

Departures from the published network: the last sum (there the maps come from s_t alone, which
takes long to learn), no centre map, 24 channels of state for 48, 3 x 3 kernels for 11 x 11. The
memory of frame 1 is what the cell makes of it with the initializer's maps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidpose.methods.lstm.lstm_pm import ConvLSTM, LSTMOutput
from vidpose.nn.map_cells import map_distribution
from vidpose.nn.movenet import PoseEncoder, PoseNet
from vidpose.nn.unroll import unroll

_FEATURES = 32
_HIDDEN = 24
_HEAD = 48


class LSTMLite(nn.Module):
    """First frames (N, 3, H, W) at the initializer's size, later ones at half of it.

    Maps are logits of distributions, (N, K, H/4, W/4) first, half of that later. `memory`
    (N, K + 48, h, w) holds the maps as distributions, the hidden state and the cell state.
    """

    ratio = 2

    def __init__(self, num_keypoints: int = 17) -> None:
        super().__init__()
        self.num_keypoints = num_keypoints
        self.initializer = PoseNet(num_keypoints)
        self.per_frame = PoseNet(num_keypoints)
        channels = PoseEncoder.channels
        self.narrow = nn.Sequential(nn.Conv2d(channels, _FEATURES, 1), nn.ReLU(inplace=True))
        self.lstm = ConvLSTM(_FEATURES + num_keypoints, _HIDDEN)
        last = nn.Conv2d(_HEAD, num_keypoints, 1)
        nn.init.zeros_(last.weight)
        assert last.bias is not None
        nn.init.zeros_(last.bias)
        self.last = nn.Sequential(
            nn.Conv2d(_HIDDEN, _HEAD, 3, padding=1), nn.ReLU(inplace=True), last
        )

    def initialize(self, images: Tensor) -> LSTMOutput:
        """The first frame, at the initializer's size: its maps, and the memory for the next."""
        maps = self.initializer(images)
        small = functional.avg_pool2d(images, self.ratio)
        seen = functional.avg_pool2d(map_distribution(maps), self.ratio) * self.ratio**2
        features = self.per_frame.encoder(small)
        hidden, cell = self.lstm.start(torch.cat([self.narrow(features), seen], dim=1))
        return LSTMOutput(maps, torch.cat([seen, hidden, cell], dim=1))

    def step(self, images: Tensor, memory: Tensor) -> LSTMOutput:
        """A later frame, at the step's size, with the memory of the one before."""
        before, hidden, cell = torch.split(memory, [self.num_keypoints, _HIDDEN, _HIDDEN], dim=1)
        features = self.per_frame.encoder(images)
        x = torch.cat([self.narrow(features), before], dim=1)
        hidden, cell = self.lstm(x, hidden, cell)
        maps = self.per_frame.classifier(features) + self.last(hidden)
        return LSTMOutput(maps, torch.cat([map_distribution(maps), hidden, cell], dim=1))

    def forward(self, first: Tensor, later: Tensor) -> list[Tensor]:
        """A clip: first frame (N, 3, H, W), later ones (N, T-1, 3, H/2, W/2) -> T maps."""
        return unroll(self, first, later)


def start_from_frames(model: LSTMLite, initializer: PoseNet, per_frame: PoseNet) -> None:
    """Give it the weights of two per-frame networks: it starts as these."""
    model.initializer.load_state_dict(initializer.state_dict())
    model.per_frame.load_state_dict(per_frame.state_dict())
