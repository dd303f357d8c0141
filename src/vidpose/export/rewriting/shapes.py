"""Shapes of a graph as constants, instead of being worked out in every call.

For graphs whose only open axis is the first one, the people's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from vidpose.export.parity import open_graph
from vidpose.export.rewriting.surgery import Surgery

_TRIED = (2, 3)  # people, to see which sides of a shape follow them
_ELEMENTS = {TensorProto.FLOAT: np.float32, TensorProto.UINT8: np.uint8}


def only_people_open(port: onnx.ValueInfoProto) -> bool:
    """Whether all sides but the first of an input of floats or bytes are known."""
    sides = port.type.tensor_type.shape.dim
    known = port.type.tensor_type.elem_type in _ELEMENTS
    return known and all(side.HasField("dim_value") for side in sides[1:])


def _tried(model: ModelProto) -> tuple[int, int]:
    """Two numbers of people that the graph takes; the same one twice where it is fixed."""
    first = model.graph.input[0].type.tensor_type.shape.dim[0]
    return (first.dim_value,) * 2 if first.HasField("dim_value") else _TRIED


def settle_shapes(model: ModelProto, surgery: Surgery) -> None:
    """Constant shapes for Reshape and Expand, found by running the graph for 2 and for 3 people.

    A side that differs follows the people. Reshape can leave one such side open; Expand keeps
    those that its input has already.
    """
    nodes = [n for n in surgery.nodes if n.op_type in ("Reshape", "Expand")]
    if not nodes:
        return
    names = [name for n in nodes for name in (n.input[0], n.output[0])]
    few, more = (_shapes_for(model, names, people) for people in _tried(model))
    for node in nodes:
        given, made = node.input[0], node.output[0]
        follows = few[made] != more[made]
        if node.op_type == "Reshape":
            shape = np.where(follows, -1, few[made])
            possible = follows.sum() <= 1
        else:
            shape = np.where(follows, 1, few[made])
            possible = few[given].shape == few[made].shape and bool(
                ((few[given] != more[given]) == follows).all()
            )
        if possible:
            node.input[1] = surgery.store(node.input[1], shape)


def note_shapes(model: ModelProto) -> ModelProto:
    """Write down, in place, the shapes that come out of enlargements.

    Inference loses the people's axis there, and the runtime adds two maps inside a convolution
    only where it knows that their shapes are the same.
    """
    names = [node.output[0] for node in model.graph.node if node.op_type == "Resize"]
    if not names or not all(only_people_open(port) for port in model.graph.input):
        return model
    first = model.graph.input[0].type.tensor_type.shape.dim[0]
    people = first.dim_param or first.dim_value
    known = [port for port in model.graph.value_info if port.name not in names]
    del model.graph.value_info[:]
    model.graph.value_info.extend(known)
    for name, shape in _shapes_for(model, names, _tried(model)[0]).items():
        sides = [people, *shape[1:].tolist()]
        port = helper.make_tensor_value_info(name, TensorProto.FLOAT, sides)
        model.graph.value_info.append(port)
    return model


def _shapes_for(
    model: ModelProto, names: Sequence[str], people: int
) -> dict[str, NDArray[np.int64]]:
    """The shapes of these values of the graph for so many people."""
    watched = ModelProto.FromString(model.SerializeToString())
    names = list(dict.fromkeys(names))
    del watched.graph.output[:]
    outputs = [f"shape_{number}" for number in range(len(names))]
    for name, output in zip(names, outputs, strict=True):
        watched.graph.node.append(helper.make_node("Shape", [name], [output]))
        port = helper.make_tensor_value_info(output, TensorProto.INT64, None)
        watched.graph.output.append(port)
    feed = {}
    for port in model.graph.input:
        kind = port.type.tensor_type
        sides = [side.dim_value for side in kind.shape.dim[1:]]
        feed[port.name] = np.zeros((people, *sides), _ELEMENTS[kind.elem_type])
    found = open_graph(watched.SerializeToString()).run(outputs, feed)
    return dict(zip(names, found, strict=True))


def drop_reshapes(model: ModelProto, surgery: Surgery) -> None:
    """Reshapes of reshapes become one, and those that change nothing none."""
    for node in surgery.nodes:
        if node.op_type != "Reshape" or not open_first(surgery.constant(node.input[1])):
            continue
        former = surgery.maker(node.input[0])
        while former is not None and former.op_type == "Reshape":
            node.input[0] = former.input[0]
            former = surgery.maker(node.input[0])
    shapes = _shapes(model)
    for node in surgery.nodes:
        if node.op_type != "Reshape" or surgery.is_output(node.output[0]):
            continue
        target, given = surgery.constant(node.input[1]), shapes.get(node.input[0])
        if target is None or given is None or not open_first(target):
            continue
        if given[1:] == target[1:].tolist():
            surgery.redirect(node.output[0], node.input[0])
    surgery.sweep()


def open_first(shape: NDArray[Any] | None) -> bool:
    """Whether the shape is known but for the first side, the people's."""
    return shape is not None and shape[0] == -1 and bool((shape[1:] > 0).all())


def _shapes(model: ModelProto) -> dict[str, list[int | None]]:
    """Inferred shapes by value, None for open sides."""
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    found: dict[str, list[int | None]] = {}
    for port in (*inferred.input, *inferred.value_info, *inferred.output):
        kind = port.type.tensor_type
        if kind.HasField("shape"):
            sides = kind.shape.dim
            found[port.name] = [s.dim_value if s.HasField("dim_value") else None for s in sides]
    return found
