"""Weights of published networks, read from their ONNX files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidpose.errors import BundleError

Convolution = tuple[NDArray[np.float32], NDArray[np.float32]]


def convolutions(path: Path | str) -> list[Convolution]:
    """(weight, bias) of every convolution in the order of the graph; an absent bias is empty.

    Raises BundleError when the file is missing or no ONNX file.
    """
    import onnx

    try:
        graph = onnx.load(str(path)).graph
    except Exception as error:  # onnx and protobuf raise their own types
        raise BundleError(f"{path}: not a readable ONNX file ({error})") from error
    arrays = {i.name: i for i in graph.initializer}
    # Weights may be stored as float16 behind a Cast.
    alias = {n.output[0]: n.input[0] for n in graph.node if n.op_type == "Cast"}

    def array(name: str) -> NDArray[np.float32]:
        tensor = arrays[alias.get(name, name)]
        return np.asarray(onnx.numpy_helper.to_array(tensor), dtype=np.float32)

    empty = np.zeros(0, np.float32)
    return [
        (array(n.input[1]), array(n.input[2]) if len(n.input) > 2 else empty)
        for n in graph.node
        if n.op_type == "Conv"
    ]
