"""An imported network that hands its poses to a step network: keypoints become kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidpose.bundle import CarriedSettings, Size
from vidpose.inference.backends.base import Port, Session
from vidpose.inference.crop import CropRegion, crop_image, to_crop
from vidpose.inference.imported import ImportedSession

SPREAD = 1.0  # cells, of the distribution that stands for a keypoint


class CarriedSession:
    """A session with the input `image`, uint8 RGB (N, height, width, 3) of the imported network's
    size, and the outputs `keypoints` as of `ImportedSession` and `kernels`.

    The step's crop is the largest one of its shape in the middle of the imported network's.
    """

    def __init__(
        self, imported: ImportedSession, memory: Session, settings: CarriedSettings
    ) -> None:
        self.inputs = imported.inputs
        (kernels,) = memory.outputs
        self.outputs = (*imported.outputs, Port("kernels", kernels.element, kernels.shape))
        self._imported = imported
        self._memory = memory
        self._settings = settings
        self._region = middle(settings.initializer.size, settings.step_size)

    def run(
        self, outputs: Sequence[str] | None, feed: Mapping[str, NDArray[Any]]
    ) -> list[NDArray[Any]]:
        """See `Session.run`."""
        (keypoints,) = self._imported.run(None, feed)
        size = self._settings.step_size
        crops = np.stack([crop_image(crop, self._region, size) for crop in feed["image"]])
        maps = keypoint_maps(to_crop(keypoints, self._region, size), size, self._settings.stride)
        (kernels,) = self._memory.run(["next_kernels"], {"image": crops, "maps": maps})
        return [keypoints, kernels]


def middle(whole: Size, part: Size) -> CropRegion:
    """The largest region of the shape of `part` in the middle of a crop of the size `whole`."""
    scale = min(whole[0] / part[0], whole[1] / part[1])
    height, width = part[0] * scale, part[1] * scale
    return CropRegion((whole[1] - width) / 2, (whole[0] - height) / 2, width, height)


def keypoint_maps(keypoints: NDArray[np.float32], size: Size, stride: int) -> NDArray[np.float32]:
    """Logits (N, K, h, w) that say where keypoints (N, K, 3), in pixels of a crop, are.

    Their softmax is a Gaussian of `SPREAD` around the keypoint with the weight of its confidence,
    and for the rest the same in all cells: a network that is not sure has no sharp map either.
    """
    height, width = size[0] // stride, size[1] // stride
    x, y = ((keypoints[..., axis] + 0.5) / stride - 0.5 for axis in (0, 1))
    rows = -((np.arange(height) - y[..., None]) ** 2) / (2 * SPREAD**2)
    columns = -((np.arange(width) - x[..., None]) ** 2) / (2 * SPREAD**2)
    gaussian = np.exp(rows)[..., :, None] * np.exp(columns)[..., None, :]
    gaussian /= np.maximum(gaussian.sum(axis=(2, 3), keepdims=True), 1e-6)
    weight = np.clip(keypoints[..., 2], 0.0, 1.0)[..., None, None]
    mixed = weight * gaussian + (1 - weight) / (height * width)
    return np.asarray(np.log(np.maximum(mixed, 1e-9)), np.float32)
