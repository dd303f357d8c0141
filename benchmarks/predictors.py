"""A vidpose bundle used crop by crop, beside the peers: its initializer and its step network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from peers import Box

from vidpose.runtime.crop import CropRegion, crop_image, region_around, to_image
from vidpose.runtime.decode import decode_maps, map_to_crop
from vidpose.runtime.model import PoseGraph, PoseModel


def read_maps(
    graph: PoseGraph, maps: NDArray[np.float32], region: CropRegion
) -> NDArray[np.float32]:
    """Keypoints (K, 3) in image pixels of maps (1, K, h, w); the confidence is calibrated."""
    points, raw = decode_maps(maps)
    where = to_image(map_to_crop(points[0], graph.stride), region, graph.size)
    return np.column_stack([where, graph.calibrate(raw[0])]).astype(np.float32)


class Initializer:
    """The initializer (or memoryless network) of a bundle on every crop: (image, box) -> (K, 3)."""

    def __init__(self, model: PoseModel) -> None:
        self.model = model

    def __call__(self, image: NDArray[np.uint8], box: Box) -> NDArray[np.float32]:
        region = region_around(box, aspect=self.model.aspect, padding=self.model.padding)
        return self.look(image, region)[0]

    def look(
        self, image: NDArray[np.uint8], region: CropRegion
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Keypoints of the person in `region`, and the memory for `Stepper`."""
        crop = crop_image(image, region, self.model.initializer.size)
        maps, kernels = self.model.initialize(crop[None])
        return read_maps(self.model.initializer, maps, region), kernels


class Stepper:
    """Initialises on the first frame of a clip and then steps with its own memory."""

    def __init__(self, model: PoseModel) -> None:
        if model.stepper is None:
            raise SystemExit(f"model '{model.name}' has no step network")
        self.model, self.graph = model, model.stepper
        self.kernels: NDArray[np.float32] | None = None

    def look(self, image: NDArray[np.uint8], region: CropRegion) -> NDArray[np.float32]:
        """Keypoints (K, 3) of the next frame."""
        if self.kernels is None:
            keypoints, self.kernels = Initializer(self.model).look(image, region)
            return keypoints
        crop = crop_image(image, region, self.graph.size)
        maps, self.kernels = self.model.step(crop[None], self.kernels)
        return read_maps(self.graph, maps, region)
