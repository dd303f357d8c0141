"""MoveNet's published graph, run by ONNX Runtime up to its heatmaps: the oracle of our networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
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
