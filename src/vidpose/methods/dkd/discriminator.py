"""The discriminator of DKD's temporally adversarial training.

It sees two consecutive frames with their maps and reconstructs how the maps change,

    D(I_t, h_t, I_{t+1}, h_{t+1}) ~ d_t = h_{t+1} - h_t,

through a bottleneck: what it cannot keep is what changes of true maps do not look like. An
autoencoder as discriminator is the idea of BEGAN (Berthelot, Schumm, Metz, arXiv 1703.10717).

An interpretation: the paper's layers are not known here. These are BEGAN's kind, 3x3 convolutions
with ELU, strided on the way down and nearest-neighbour doubling on the way up, without norms; the
images are averaged down to the maps' size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_LEVELS = 3


class MapChangeAutoencoder(nn.Module):
    """(I_t, h_t, I_{t+1}, h_{t+1}) -> the reconstructed change of the maps.

    Args:
        num_maps: K.
        width: channels inside; the bottleneck has as many, at an eighth of the maps' size.
    """

    def __init__(self, num_maps: int, width: int = 64) -> None:
        super().__init__()
        down: list[nn.Module] = [nn.Conv2d(2 * (3 + num_maps), width, 3, padding=1), nn.ELU()]
        up: list[nn.Module] = []
        for _ in range(_LEVELS):
            down += [nn.Conv2d(width, width, 3, stride=2, padding=1), nn.ELU()]
            up += [nn.Upsample(scale_factor=2), nn.Conv2d(width, width, 3, padding=1), nn.ELU()]
        self.down = nn.Sequential(*down)
        self.up = nn.Sequential(*up)
        self.last = nn.Conv2d(width, num_maps, 3, padding=1)

    def forward(
        self, images: Tensor, maps: Tensor, next_images: Tensor, next_maps: Tensor
    ) -> Tensor:
        """Images (N, 3, H, W), maps (N, K, h, w) of both frames -> (N, K, h, w)."""
        size = maps.shape[2], maps.shape[3]
        small = [functional.adaptive_avg_pool2d(x, size) for x in (images, next_images)]
        x = self.up(self.down(torch.cat([small[0], maps, small[1], next_maps], dim=1)))
        change: Tensor = self.last(x[:, :, : size[0], : size[1]])
        return change
