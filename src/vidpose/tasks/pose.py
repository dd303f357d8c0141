"""Per-frame pose network on stills: dkd-lite's initializer, and the start of its encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch import Tensor
from torch.utils.data import Dataset

from vidpose.data.samples import Sample, read_image
from vidpose.data.stills import StillsConfig, StillsDataset, training_samples
from vidpose.models.movenet import PoseNet, load_movenet_pose, restore_batch_norm
from vidpose.runtime.crop import crop_image, region_around
from vidpose.tasks.base import Batch, Task
from vidpose.tasks.heatmaps import gaussian_maps, spatial_cross_entropy
from vidpose.tasks.validation import kept_out_samples, stills_pck

STRIDE = 4
_CALIBRATION_CROPS = 96


class PoseConfig(BaseModel):
    """Recipe section of the per-frame pose task."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["pose"]
    size: tuple[int, int]
    """Height and width of the crops, multiples of 32."""
    movenet: Path
    """ONNX file of MoveNet Lightning, whose weights are the start."""
    sigma: float
    """Standard deviation of the target Gaussians, in map cells."""
    data: StillsConfig


class PoseTask(Task):
    """A PoseNet, its stills and the spatial cross-entropy."""

    def __init__(self, config: PoseConfig, seed: int) -> None:
        super().__init__()
        self.config = config
        self._seed = seed
        self._samples = training_samples(config.data)
        self.network = PoseNet()
        load_movenet_pose(self.network, config.movenet)
        restore_batch_norm(self.network, _calibration_batches(self._samples, config.size))

    def dataset(self) -> Dataset[dict[str, Any]]:
        return StillsDataset(self._samples, self.config.size, self._seed)

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        logits = self.network(normalise(batch["image"]))
        keypoints = batch["keypoints"]
        height, width = logits.shape[2:]
        target = gaussian_maps(keypoints, (height, width), STRIDE, self.config.sigma)
        return spatial_cross_entropy(logits, target, keypoints[..., 2]), {}

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        if self.config.data.lspet is None:
            return {}
        samples = kept_out_samples(self.config.data.lspet)
        return stills_pck(map_function(self.network), samples, self.config.size)


def normalise(images: Tensor) -> Tensor:
    """uint8 images (..., 3, h, w) -> float in [-1, 1]."""
    return images.float() / 127.5 - 1


def map_function(network: torch.nn.Module) -> Any:
    """A network on normalised tensors as a function of uint8 crops (N, h, w, 3)."""
    device = next(network.parameters()).device

    def run(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.no_grad():
            images = torch.from_numpy(crops).permute(0, 3, 1, 2).to(device)
            maps: NDArray[np.float32] = network(normalise(images)).cpu().numpy()
        return maps

    return run


def _calibration_batches(samples: list[Sample], size: tuple[int, int]) -> list[Tensor]:
    """Plain crops spread over the training samples, to measure BatchNorm's statistics on."""
    chosen = samples[:: max(len(samples) // _CALIBRATION_CROPS, 1)][:_CALIBRATION_CROPS]
    crops = [
        crop_image(read_image(s.image), region_around(s.box, aspect=size[1] / size[0]), size)
        for s in chosen
    ]
    images = normalise(torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2))
    return list(torch.split(images, 16))
