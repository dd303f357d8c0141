"""Teachers: finished pose networks of any origin that show a student what their maps look like.

A teacher takes uint8 crops of any size with its own normalisation and size, and answers with
heatmaps in [0, 1] at the student's map size, and with its tokens if it has any. It is no module: it
is in no checkpoint, has no parameters to train, and copies of a task share it.

| from | class |
|---|---|
| a torch network, such as a checkpoint of vidpose | `NetworkTeacher` |
| a bundle `NAME.vidpose` of kind `frame` or `dkd` (its initializer) | `BundleTeacher` |
| an ONNX file with one input [1 or N, 3, H, W] and heatmaps as output | `OnnxTeacher` |
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidpose.data.heatmap_network import IMAGENET_MEAN, IMAGENET_STD, OnnxHeatmaps
from vidpose.errors import DataError
from vidpose.inference.pose_model import PoseModel
from vidpose.methods.distilpose.model import TokenHeatmaps, Tokens
from vidpose.nn.heatmap_logits import MapKind, distribution_heatmaps
from vidpose.nn.map_cells import cells_from_corners
from vidpose.nn.pixels import normalise


class TeacherOutput(NamedTuple):
    """`heatmaps` (N, K, h, w), peaks near 1; `tokens`, None for a teacher without."""

    heatmaps: Tensor
    tokens: Tokens | None


class Teacher(ABC):
    """A finished network.

    `name` is for messages; `size` (H, W) of its crops; `num_keypoints` K.
    """

    name: str
    size: tuple[int, int]
    num_keypoints: int

    def __call__(self, crops: Tensor, map_size: tuple[int, int]) -> TeacherOutput:
        """Heatmaps of uint8 RGB crops (N, 3, H, W).

        Crops of another size are scaled to the teacher's, its maps to `map_size`; a map's cells
        cover the crop evenly in both. Raises DataError for crops of another shape.
        """
        height, width = crops.shape[2:]
        if abs(height * self.size[1] - width * self.size[0]) > max(height, width):
            raise DataError(
                f"teacher {self.name} takes crops of {self.size[0]} x {self.size[1]}, "
                f"the student's {height} x {width} have another shape"
            )
        with torch.no_grad():
            heatmaps, tokens = self._predict(_scaled(crops, self.size))
            return TeacherOutput(_resampled(heatmaps, map_size), tokens)

    @abstractmethod
    def _predict(self, crops: Tensor) -> TeacherOutput:
        """Heatmaps at the teacher's own map size, for uint8 crops of its own size."""


class NetworkTeacher(Teacher):
    """A torch network: images (N, 3, H, W) in [-1, 1] -> maps (N, K, h, w) of the `kind`.

    A `TokenHeatmaps` gives its tokens as well. The network is put into eval mode for good.
    """

    def __init__(
        self,
        network: nn.Module,
        kind: MapKind,
        size: tuple[int, int],
        num_keypoints: int,
        name: str,
    ) -> None:
        self._network = network.eval().requires_grad_(False)
        self._kind = kind
        self.size, self.num_keypoints, self.name = size, num_keypoints, name

    def _predict(self, crops: Tensor) -> TeacherOutput:
        self._network.to(crops.device)
        images = normalise(crops)
        if isinstance(self._network, TokenHeatmaps):
            tokens = self._network.tokens(images)[-1]
            return TeacherOutput(_heatmaps(self._network.draw(tokens), self._kind), tokens)
        return TeacherOutput(_heatmaps(self._network(images), self._kind), None)


class BundleTeacher(Teacher):
    """A bundle of kind `frame`, or the initializer of one of kind `dkd`.

    Raises BundleError for anything else.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self._model = PoseModel.load(path, threads)
        self.name = path.name
        self.size = self._model.initializer.size
        self.num_keypoints = self._model.skeleton.num_keypoints

    def _predict(self, crops: Tensor) -> TeacherOutput:
        images = crops.permute(0, 2, 3, 1).contiguous().cpu().numpy()
        maps, _ = self._model.initialize(images)
        return TeacherOutput(distribution_heatmaps(torch.from_numpy(maps).to(crops.device)), None)


@dataclass(frozen=True, slots=True)
class OnnxAdapter:
    """What an ONNX file does not say of itself.

    Attributes:
        mean, std: of each colour in [0, 1]: the input is (x / 255 - mean) / std.
        kind: of its maps.
        corners: cell i lies at crop pixel i * stride, as networks have it that were trained with
            rounded targets; otherwise in the middle of the stride's pixels, as in vidpose.
        output: name of the output that holds the maps; None: the only one.
    """

    mean: Sequence[float] = IMAGENET_MEAN
    std: Sequence[float] = IMAGENET_STD
    kind: MapKind = "heatmaps"
    corners: bool = False
    output: str | None = None


class OnnxTeacher(Teacher):
    """Any ONNX file with one input [1 or N, 3, H, W] of floats and heatmaps [.., K, h, w].

    Raises BundleError when the file cannot be read or has other ports.
    """

    def __init__(self, path: Path, adapter: OnnxAdapter, threads: int = 0) -> None:
        self._network = OnnxHeatmaps(path, adapter.mean, adapter.std, adapter.output, threads)
        self.name = path.name
        self.size, self.num_keypoints = self._network.size, self._network.num_keypoints
        self._adapter = adapter

    def _predict(self, crops: Tensor) -> TeacherOutput:
        images = crops.permute(0, 2, 3, 1).contiguous().cpu().numpy()
        maps = torch.from_numpy(self._network(images)).to(crops.device)
        heatmaps = _heatmaps(maps, self._adapter.kind)
        if self._adapter.corners:
            heatmaps = cells_from_corners(heatmaps, self.size[1] / heatmaps.shape[3])
        return TeacherOutput(heatmaps, None)


def _heatmaps(maps: Tensor, kind: MapKind) -> Tensor:
    if kind == "heatmaps":
        return maps
    return torch.sigmoid(maps) if kind == "sigmoid" else distribution_heatmaps(maps)


def _scaled(crops: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(crops.shape[2:]) == size:
        return crops
    images = functional.interpolate(
        crops.float(), size, mode="bilinear", align_corners=False, antialias=True
    )
    return images.round().clamp(0, 255).to(torch.uint8)


def _resampled(heatmaps: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(heatmaps.shape[2:]) == size:
        return heatmaps
    return functional.interpolate(heatmaps, size, mode="bilinear", align_corners=False)
