"""Teachers: finished pose networks of any origin that show a student what their maps look like.

A teacher looks at uint8 crops of any size with its own normalisation and size, and answers with
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
from typing import NamedTuple, TypeVar

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from vidpose.errors import BundleError, DataError
from vidpose.inference.pose_model import PoseModel
from vidpose.methods.distilpose.model import TokenHeatmaps, Tokens
from vidpose.nn.heatmap_logits import MapKind, distribution_heatmaps

_Self = TypeVar("_Self", bound="Teacher")


class TeacherOutput(NamedTuple):
    """`heatmaps` (N, K, h, w), peaks near 1; `tokens`, None for a teacher without."""

    heatmaps: Tensor
    tokens: Tokens | None


class Teacher(ABC):
    """A finished network.

    `name` is for messages; `size` (H, W) of the crops that it looks at; `num_keypoints` K.
    """

    name: str
    size: tuple[int, int]
    num_keypoints: int

    def __deepcopy__(self: _Self, _: object) -> _Self:
        return self  # it never changes, so copies of a task share it

    def __call__(self, crops: Tensor, map_size: tuple[int, int]) -> TeacherOutput:
        """Look at uint8 RGB crops (N, 3, H, W).

        Crops of another size are scaled to the teacher's, its maps to `map_size`; a map's cells
        cover the crop evenly in both. Raises DataError for crops of another shape.
        """
        height, width = crops.shape[2:]
        if abs(height * self.size[1] - width * self.size[0]) > max(height, width):
            raise DataError(
                f"teacher {self.name} looks at crops of {self.size[0]} x {self.size[1]}, "
                f"the student's {height} x {width} have another shape"
            )
        with torch.no_grad():
            heatmaps, tokens = self._look(_scaled(crops, self.size))
            return TeacherOutput(_resampled(heatmaps, map_size), tokens)

    @abstractmethod
    def _look(self, crops: Tensor) -> TeacherOutput:
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

    def _look(self, crops: Tensor) -> TeacherOutput:
        self._network.to(crops.device)
        images = crops.float() / 127.5 - 1
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

    def _look(self, crops: Tensor) -> TeacherOutput:
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

    mean: Sequence[float] = (0.485, 0.456, 0.406)
    std: Sequence[float] = (0.229, 0.224, 0.225)
    kind: MapKind = "heatmaps"
    corners: bool = False
    output: str | None = None


class OnnxTeacher(Teacher):
    """Any ONNX file with one input [1 or N, 3, H, W] of floats and heatmaps [.., K, h, w].

    Raises BundleError when the file cannot be read or has other ports.
    """

    def __init__(self, path: Path, adapter: OnnxAdapter, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime raises its own types for each fault
            raise BundleError(f"{path}: not a readable ONNX file ({error})") from error
        self._input = self._session.get_inputs()[0]
        shape = self._input.shape
        fixed = all(isinstance(side, int) for side in shape[1:])
        if len(shape) != 4 or not fixed or shape[1] != 3 or len(self._session.get_inputs()) != 1:
            raise BundleError(f"{path}: expected one input [N, 3, H, W], found {shape}")
        outputs = {port.name: port.shape for port in self._session.get_outputs()}
        self._output = adapter.output or next(iter(outputs))
        maps = outputs.get(self._output)
        if maps is None or len(maps) != 4 or not isinstance(maps[1], int):
            raise BundleError(
                f"{path}: output '{self._output}' is no heatmap [N, K, h, w]; it has {outputs}"
            )
        self.name, self.size, self.num_keypoints = path.name, (shape[2], shape[3]), maps[1]
        self._adapter = adapter

    def _look(self, crops: Tensor) -> TeacherOutput:
        mean = torch.tensor(list(self._adapter.mean))[:, None, None]
        std = torch.tensor(list(self._adapter.std))[:, None, None]
        images = ((crops.cpu().float() / 255 - mean) / std).numpy()
        maps = torch.from_numpy(self._run(images)).to(crops.device)
        heatmaps = _heatmaps(maps, self._adapter.kind)
        if self._adapter.corners:
            heatmaps = _from_corners(heatmaps, self.size[1] / heatmaps.shape[3])
        return TeacherOutput(heatmaps, None)

    def _run(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        one_by_one = self._input.shape[0] == 1
        parts = np.split(images, len(images)) if one_by_one else [images]
        found = [self._session.run([self._output], {self._input.name: part})[0] for part in parts]
        return np.concatenate(found).astype(np.float32)


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


def _from_corners(heatmaps: Tensor, stride: float) -> Tensor:
    """Maps whose cell i lies at i * stride as maps whose cell i lies at (i + 1/2) * stride - 1/2:
    a part of a cell further, interpolated."""
    shift = (stride - 1) / (2 * stride)
    padded = functional.pad(heatmaps, (0, 1, 0, 1), mode="replicate")
    down = torch.lerp(padded[:, :, :-1], padded[:, :, 1:], shift)
    return torch.lerp(down[..., :-1], down[..., 1:], shift)
