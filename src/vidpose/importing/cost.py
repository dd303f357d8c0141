"""What one call of a network costs: multiply-adds and parameters of an ONNX graph.

Counted as for the project's own networks (`vidpose.nn.complexity`): convolutions, transposed
convolutions and matrix products; a multiply-add counts once, and norms, activations and poolings
not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from vidpose.importing.reading import NetworkFile
from vidpose.importing.recognise import Recognised
from vidpose.inference.backends.base import open_session

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

Shapes = Mapping[str, tuple[int, ...]]

_COUNTED = ("Conv", "ConvTranspose", "MatMul", "Gemm")


@dataclass(frozen=True, slots=True)
class Cost:
    """`parameters`: weights that are no integers. `multiply_adds`: of one picture's call, without
    what loops and branches (`Loop`, `If`) do."""

    parameters: int
    multiply_adds: int


def cost_of(network: NetworkFile, recognised: Recognised) -> Cost | None:
    """The cost of one picture; None where `onnx`, which reads graphs, is not installed, or where
    some shape cannot be told."""
    if find_spec("onnx") is None:
        return None
    import onnx

    model = onnx.load_model_from_string(network.graph)
    nodes = [node for node in model.graph.node if node.op_type in _COUNTED]
    try:
        shapes = _shapes(model, nodes, network, recognised)
    except Exception:  # the runtime's errors share no base; a cost is not worth a refused network
        return None
    weights = [t for t in model.graph.initializer if _is_weight(t.data_type)]
    constants = [
        attribute.t
        for node in model.graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.name == "value" and _is_weight(attribute.t.data_type)
    ]
    parameters = sum(prod(tensor.dims) for tensor in (*weights, *constants))
    return Cost(parameters, sum(_multiply_adds(node, shapes) for node in nodes))


def _is_weight(data_type: int) -> bool:
    from onnx import TensorProto

    return data_type in (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16)


def _shapes(
    model: ModelProto, nodes: list[NodeProto], network: NetworkFile, recognised: Recognised
) -> Shapes:
    """Shapes of all that the nodes read and write, in a call with one picture: by inference where
    the graph allows it, else by a run that gives these values too."""
    from onnx import ModelProto, ValueInfoProto, shape_inference

    sides = recognised.size
    shape = (1, 3, *sides) if recognised.layout == "nchw" else (1, *sides, 3)
    port = network.session.inputs[0].name
    (picture,) = (each for each in model.graph.input if each.name == port)
    for side, length in zip(picture.type.tensor_type.shape.dim, shape, strict=True):
        side.dim_value = length
    for end in model.graph.output:
        end.type.tensor_type.ClearField("shape")
    inferred = shape_inference.infer_shapes(model).graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    for value in (*inferred.input, *inferred.value_info, *inferred.output):
        dims = value.type.tensor_type.shape.dim
        if dims and all(side.dim_value > 0 for side in dims):
            shapes.setdefault(value.name, tuple(side.dim_value for side in dims))
    wanted = {name for node in nodes for name in (*node.input[:2], node.output[0])}
    asked = sorted(wanted - shapes.keys())
    if asked:
        watched = ModelProto.FromString(network.graph)
        del watched.graph.output[:]
        watched.graph.output.extend(ValueInfoProto(name=name) for name in asked)
        session = open_session(watched.SerializeToString(), str(network.path), 1, "onnxruntime")
        found = session.run(asked, {port: np.zeros(shape, recognised.element)})
        shapes |= {name: value.shape for name, value in zip(asked, found, strict=True)}
    return shapes


def _multiply_adds(node: NodeProto, shapes: Shapes) -> int:
    first, second = (shapes[name] for name in node.input[:2])
    result = shapes[node.output[0]]
    if node.op_type == "Conv":
        return prod(result) * prod(second[1:])
    if node.op_type == "ConvTranspose":
        return prod(first) * prod(second[1:])
    turned = any(each.name == "transA" and each.i for each in node.attribute)
    return prod(result) * first[0 if turned else -1]
