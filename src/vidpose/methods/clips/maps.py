"""What a clip's maps are and how far they are from the labels: heatmaps, or distributions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vidpose.inference.decode import decode_maps, map_to_crop
from vidpose.nn.map_cells import map_distribution
from vidpose.training.heatmaps import (
    gaussian_heatmaps,
    heatmap_loss,
    heatmaps_to_logits,
    logits_to_heatmaps,
)
from vidpose.training.losses import gaussian_maps, spatial_cross_entropy

MapLossKind = Literal["l2", "cross-entropy"]


@dataclass(frozen=True, slots=True)
class ClipMapping:
    """How maps of any size speak of a crop.

    Attributes:
        loss: l2: maps are Gaussian heatmaps; cross-entropy: logits of distributions.
        sigma: of the target Gaussians, in cells.
        height: of the crop in whose pixels the keypoints are.
    """

    loss: MapLossKind
    sigma: float
    height: int

    def distance(self, maps: Tensor, keypoints: Tensor) -> Tensor:
        """The loss of maps (N, K, h, w) to keypoints (N, K, 3); the third column weighs."""
        size, weight = (maps.shape[2], maps.shape[3]), keypoints[..., 2]
        if self.loss == "l2":
            return heatmap_loss(maps, self.heatmaps(keypoints, size), weight)
        target = gaussian_maps(keypoints, size, self._stride(size), self.sigma)
        return spatial_cross_entropy(maps, target, weight)

    def heatmaps(self, keypoints: Tensor, size: tuple[int, int]) -> Tensor:
        """The true heatmaps (..., K, h, w) of keypoints (..., K, 3)."""
        return gaussian_heatmaps(keypoints, size, self._stride(size), self.sigma)

    def as_heatmaps(self, maps: Tensor, size: tuple[int, int]) -> Tensor:
        """Maps (N, K, ...) as heatmaps of `size` = (h, w)."""
        if self.loss == "l2":
            return maps
        return logits_to_heatmaps(_on_cells(maps, size), self.sigma)

    def points(self, maps: Tensor) -> NDArray[np.float32]:
        """Keypoints (N, K, 2) in crop pixels, decoded as the runtime decodes."""
        logits = heatmaps_to_logits(maps, self.sigma) if self.loss == "l2" else maps
        size = (maps.shape[2], maps.shape[3])
        return map_to_crop(decode_maps(logits.float().cpu().numpy())[0], self._stride(size))

    def _stride(self, size: tuple[int, int]) -> float:
        return self.height / size[0]


def _on_cells(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Logits of the distributions (N, K, ...) on coarser cells; those of this `size` as they are.

    dkd-lite's first maps have more cells than its later ones.
    """
    ratio = logits.shape[2] // size[0]
    if ratio == 1:
        return logits
    mass = functional.avg_pool2d(map_distribution(logits), ratio) * ratio**2
    return mass.clamp_min(1e-9).log()
