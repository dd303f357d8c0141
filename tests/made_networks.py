"""Small ONNX networks with the exact inputs and outputs of other projects' pose networks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT
_TYPES = {"float32": FLOAT, "int32": TensorProto.INT32, "uint8": TensorProto.UINT8}


def fixed(
    path: Path,
    outputs: dict[str, np.ndarray],
    shape: Sequence[int | str],
    *,
    element: str = "float32",
    metadata: dict[str, str] | None = None,
    opset: int = 17,
) -> Path:
    """A network that says the same of every picture: each output as given, for N pictures where
    the first side of `shape` is a name."""
    nodes = [
        helper.make_node("Cast", ["image"], ["values"], to=FLOAT),
        helper.make_node("ReduceMean", ["values"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "nothing"], ["zero"]),
    ]
    weights = [numpy_helper.from_array(np.float32(0), "nothing")]
    for name, value in outputs.items():
        sides = [-1] + [1] * (value.ndim - 1)
        weights.append(numpy_helper.from_array(value.astype(np.float32), f"{name}_value"))
        weights.append(numpy_helper.from_array(np.array(sides, np.int64), f"{name}_sides"))
        nodes.append(helper.make_node("Reshape", ["zero", f"{name}_sides"], [f"{name}_zero"]))
        nodes.append(helper.make_node("Add", [f"{name}_value", f"{name}_zero"], [name]))
    image = helper.make_tensor_value_info("image", _TYPES[element], list(shape))
    ports = [
        helper.make_tensor_value_info(name, FLOAT, [shape[0], *value.shape[1:]])
        for name, value in outputs.items()
    ]
    graph = helper.make_graph(nodes, "fixed", [image], ports, weights)
    _save(path, graph, opset, metadata)
    return path


def brightest(path: Path, size: tuple[int, int], joints: int = 17, batch: str | int = "N") -> Path:
    """Heatmaps [N, joints, h/4, w/4] of a picture [N, 3, h, w] in 0 to 1: the picture's brightness,
    averaged over cells, the same for every joint."""
    height, width = size
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["grey"], axes=[1], keepdims=1),
        helper.make_node("AveragePool", ["grey"], ["cells"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Add", ["cells", "zeros"], ["maps"]),
    ]
    weights = [numpy_helper.from_array(np.zeros((1, joints, 1, 1), np.float32), "zeros")]
    image = helper.make_tensor_value_info("image", FLOAT, [batch, 3, height, width])
    maps = helper.make_tensor_value_info("maps", FLOAT, [batch, joints, height // 4, width // 4])
    _save(path, helper.make_graph(nodes, "brightest", [image], [maps], weights), 17, None)
    return path


def _save(path: Path, graph: onnx.GraphProto, opset: int, metadata: dict[str, str] | None) -> None:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    if metadata:
        helper.set_model_props(model, metadata)
    onnx.save(model, path)


def pairs(joints: int, width: int, height: int) -> dict[str, np.ndarray]:
    """SimCC outputs of RTMPose, two bins a pixel: joint j at bin 2 j + 3 of x and 4 j + 1 of y,
    with scores 0.9 - j / 200 and 0.8."""
    x, y = np.zeros((1, joints, 2 * width)), np.zeros((1, joints, 2 * height))
    for joint in range(joints):
        x[0, joint, 2 * joint + 3] = 0.9 - joint / 200
        y[0, joint, 4 * joint + 1] = 0.8
    return {"simcc_x": x, "simcc_y": y}


def person(joints: int, left: float, top: float, score: float = 0.8) -> np.ndarray:
    """Keypoints (joints, 3) of a person: joint j at (left + j, top + 2 j)."""
    index = np.arange(joints)
    return np.stack([left + index, top + 2 * index, np.full(joints, score)], axis=1)
