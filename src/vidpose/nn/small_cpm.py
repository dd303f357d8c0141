"""A small convolutional pose machine as DKD's lightest frame encoder.

An interpretation: DKD's tables name a "SmallCPM" without its layers being known here. This keeps
what marks the first stage of a Convolutional Pose Machine (Wei et al., CVPR 2016, arXiv
1602.00134), few layers with large kernels and poolings of 3/2, with two poolings instead of three
(stride 4, as DKD's maps need), fewer channels, and BatchNorm.
"""

from __future__ import annotations

from torch import Tensor, nn

_LAYERS = ((9, 32), (5, 48), (9, 48), (9, 48))  # kernel, channels
_POOLED = 2  # layers that a pooling follows


class SmallCPM(nn.Module):
    """(N, 3, H, W) RGB in [-1, 1], H and W multiples of 4 -> features (N, channels, H/4, W/4)."""

    def __init__(self, channels: int = 128) -> None:
        super().__init__()
        self.channels = channels
        layers: list[nn.Module] = []
        inputs = 3
        for number, (kernel, width) in enumerate((*_LAYERS, (1, channels))):
            layers += [
                nn.Conv2d(inputs, width, kernel, padding=kernel // 2, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            if number < _POOLED:
                layers.append(nn.MaxPool2d(3, 2, padding=1))
            inputs = width
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.layers(images)
        return features
