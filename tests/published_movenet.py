"""MoveNet's published graph up to its heatmaps, the oracle of our networks, and pictures for it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper

_HEATMAP_CONVOLUTION = 70  # MoveNet's 71st


def published_heatmaps(path: Path, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits (N, 17, S/4, S/4) of square RGB images (N, S, S, 3) of the file's own size."""
    model = onnx.load(str(path))
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    name = convolutions[_HEATMAP_CONVOLUTION].output[0]
    model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    port = session.get_inputs()[0].name
    found = [session.run([name], {port: image[None].astype(np.int32)})[0] for image in images]
    return np.concatenate(found)


def photographs(shared_data: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Real crops, uint8 RGB (4, h, w, 3)."""
    paths = sorted((shared_data / "coco" / "val2017").glob("*.jpg"))[:4]
    images = [cv2.imread(str(path))[..., ::-1] for path in paths]
    return np.stack([cv2.resize(np.ascontiguousarray(i), size[::-1]) for i in images])


def pixels(images: NDArray[np.uint8]) -> torch.Tensor:
    """What the networks take, (N, 3, h, w) in [-1, 1], of uint8 images (N, h, w, 3)."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
