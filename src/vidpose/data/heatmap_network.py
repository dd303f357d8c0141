"""Anybody's heatmap network in an ONNX file, as a function of crops: the teachers' reader."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from vidpose.errors import BundleError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class OnnxHeatmaps:
    """An ONNX file with one input [1 or N, 3, H, W] of floats and heatmaps [.., K, h, w].

    Args:
        path: the file.
        mean, std: of each colour in [0, 1]: the input is (x / 255 - mean) / std.
        output: name of the output that holds the maps; the first one unless given.
        threads: of ONNX Runtime; 0: its own choice.

    `size` is (H, W), `num_keypoints` K.

    Raises BundleError when the file cannot be read or has other ports.
    """

    def __init__(
        self,
        path: Path,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        output: str | None = None,
        threads: int = 0,
    ) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime raises its own types for each fault
            raise BundleError(f"{path}: not a readable ONNX file ({error})") from error
        inputs = self._session.get_inputs()
        shape = inputs[0].shape
        fixed = all(isinstance(side, int) for side in shape[1:])
        if len(shape) != 4 or not fixed or shape[1] != 3 or len(inputs) != 1:
            raise BundleError(f"{path}: expected one input [N, 3, H, W], found {shape}")
        outputs = {port.name: port.shape for port in self._session.get_outputs()}
        self._output = output or next(iter(outputs))
        maps = outputs.get(self._output)
        if maps is None or len(maps) != 4 or not isinstance(maps[1], int):
            raise BundleError(
                f"{path}: output '{self._output}' is no heatmap [N, K, h, w]; it has {outputs}"
            )
        self._input, self._one_by_one = inputs[0].name, shape[0] == 1
        self._mean, self._std = np.array(mean, np.float32), np.array(std, np.float32)
        self.size: tuple[int, int] = (int(shape[2]), int(shape[3]))
        self.num_keypoints = int(maps[1])

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """RGB crops (N, H, W, 3) -> maps (N, K, h, w)."""
        images = ((crops.astype(np.float32) / 255 - self._mean) / self._std).transpose(0, 3, 1, 2)
        parts = np.split(images, len(images)) if self._one_by_one else [images]
        found = [self._session.run([self._output], {self._input: part})[0] for part in parts]
        return np.concatenate(found).astype(np.float32)
