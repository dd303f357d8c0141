"""The same maps from fewer, lighter nodes: rewriting of exported graphs.

A small network spends as much time between its layers as in some of them. So, in graphs whose only
open axis is the first one, the people's:

- shapes are constants, with -1 for the people, instead of being worked out in every call;
- constants that all people share (`PlaneWaves`) are neither copied for each of them nor appended
  to the features: products with them are products with a constant matrix;
- constants that are added one after the other are one;
- the scale of the picture's normalisation is in the weights of the convolution that reads it.

What is computed stays the same but for the order of sums.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto
from onnxruntime.quantization.shape_inference import quant_pre_process

from vidpose.export.rewriting.shapes import (
    drop_reshapes,
    note_shapes,
    only_people_open,
    open_first,
    settle_shapes,
)
from vidpose.export.rewriting.surgery import Surgery


def lighten(model: ModelProto) -> ModelProto:
    """A lighter `model`: constants folded, padding merged into convolutions, and the list above.

    Graphs with other open axes are only folded.
    """
    model = _folded(model)
    if not all(only_people_open(port) for port in model.graph.input):
        return model
    surgery = Surgery(model)
    settle_shapes(model, surgery)
    _split_shared_channels(surgery)
    _merge_added_constants(surgery)
    _scale_weights_not_pictures(surgery)
    surgery.sweep()
    drop_reshapes(model, surgery)
    return note_shapes(model)


def _folded(model: ModelProto) -> ModelProto:
    with tempfile.TemporaryDirectory() as folder, quiet():
        given, folded = Path(folder) / "given.onnx", Path(folder) / "folded.onnx"
        onnx.save(model, str(given))
        quant_pre_process(str(given), str(folded), skip_symbolic_shape=True)
        return onnx.load(str(folded))


class quiet:
    """Without the quantiser's advice, which is taken already."""

    def __enter__(self) -> None:
        logging.disable(logging.WARNING)

    def __exit__(self, *_: object) -> None:
        logging.disable(logging.NOTSET)


def _split_shared_channels(surgery: Surgery) -> None:
    """Products with features to which constant channels are appended become two products.

    From  x = Reshape(Concat(f, Expand(c))),  k x  and  h x^T  come  k_1 f + k_2 c  and
    [h f^T, h c^T].  Only where every reader of x is such a product.
    """
    for concat in surgery.nodes:
        if concat.op_type != "Concat" or len(concat.input) != 2:
            continue
        expand = surgery.maker(concat.input[1])
        if expand is None or expand.op_type != "Expand":
            continue
        shared = surgery.constant(expand.input[0])
        if shared is None or shared.ndim != 3 or concat.attribute[0].i != 1:
            continue
        matrix = shared.reshape(len(shared), -1)
        for reshape in surgery.users(concat.output[0]):
            target = surgery.constant(reshape.input[1]) if reshape.op_type == "Reshape" else None
            if target is not None and open_first(target) and target[2:] == matrix.shape[1:]:
                _split_products(surgery, reshape, concat.input[0], matrix)


def _split_products(
    surgery: Surgery, reshape: NodeProto, features: str, matrix: NDArray[np.float32]
) -> None:
    """`reshape`: of the features (N, C, h, w) and the `matrix` (D, h w) to (N, C + D, h w)."""
    value = reshape.output[0]
    turns = [n for n in surgery.users(value) if n.op_type == "Transpose" and _turns(n)]
    sums = [n for n in surgery.users(value) if _multiplies(n, value)]
    products = [(turn, n) for turn in turns for n in surgery.users(turn.output[0])]
    if (
        surgery.is_output(value)
        or len(turns) + len(sums) != len(surgery.users(value))
        or not all(_multiplies(node, turn.output[0]) for turn, node in products)
    ):
        return
    target = surgery.constant(reshape.input[1])
    assert target is not None
    channels = int(target[1]) - len(matrix)
    shape = surgery.store(reshape.input[1], np.array([-1, channels, target[2]]))
    cells = surgery.node("Reshape", [features, shape], reshape)
    for node in sums:
        _split_sum(surgery, node, cells, matrix, channels)
    for turn, node in products:
        across = surgery.node("Transpose", [cells], turn, perm=[0, 2, 1])
        constant = surgery.store(node.name, matrix.T)
        parts = [surgery.node("MatMul", [node.input[0], of], node) for of in (across, constant)]
        surgery.replace(node, "Concat", parts, axis=-1)


def _turns(node: NodeProto) -> bool:
    return list(node.attribute[0].ints) == [0, 2, 1]


def _multiplies(node: NodeProto, value: str) -> bool:
    return node.op_type == "MatMul" and node.input[1] == value != node.input[0]


def _split_sum(
    surgery: Surgery, node: NodeProto, cells: str, matrix: NDArray[np.float32], channels: int
) -> None:
    """k x = k_1 f + k_2 c. What k x is divided by, both are: the runtime divides in the product."""
    bounds = (0, channels, channels + len(matrix), 2)
    first, middle, last, axis = (surgery.store(node.name, np.array([n])) for n in bounds)
    ours = surgery.node("Slice", [node.input[0], first, middle, axis], node)
    theirs = surgery.node("Slice", [node.input[0], middle, last, axis], node)
    parts = [
        surgery.node("MatMul", [ours, cells], node),
        surgery.node("MatMul", [theirs, surgery.store(node.name, matrix)], node),
    ]
    users = surgery.users(node.output[0])
    if len(users) == 1 and users[0].op_type == "Div" and not surgery.is_output(users[0].output[0]):
        divisor = surgery.constant(users[0].input[1])
        if divisor is not None and divisor.size == 1:
            parts = [surgery.node("Div", [part, users[0].input[1]], node) for part in parts]
            surgery.redirect(users[0].output[0], node.output[0])
    surgery.replace(node, "Add", parts)


def _merge_added_constants(surgery: Surgery) -> None:
    """c + (d + x) = (c + d) + x, through sums that nothing else reads."""
    for node in surgery.nodes:
        places = list(_constants_below(surgery, node)) if node.op_type == "Add" else []
        while len(places) > 1:
            (owner, place, first), (other, at, second) = places[:2]
            owner.input[place] = surgery.store(owner.input[place], first + second)
            surgery.redirect(other.output[0], other.input[1 - at])
            places = list(_constants_below(surgery, node))


def _constants_below(
    surgery: Surgery, node: NodeProto
) -> Iterator[tuple[NodeProto, int, NDArray[np.float32]]]:
    """The constants of a sum of sums: the node that adds one, at which place, and its numbers."""
    for place, value in enumerate(node.input):
        constant, made = surgery.constant(value), surgery.maker(value)
        if constant is not None:
            yield node, place, constant
        elif made is not None and made.op_type == "Add" and surgery.read_once(value):
            yield from _constants_below(surgery, made)


def _scale_weights_not_pictures(surgery: Surgery) -> None:
    """Conv(x / s - t) = Conv(x - s t) with weights divided by s; zero padding stays the same."""
    for sub in surgery.nodes:
        div = surgery.maker(sub.input[0]) if sub.op_type == "Sub" else None
        if div is None or div.op_type != "Div":
            continue
        scale, shift = surgery.constant(div.input[1]), surgery.constant(sub.input[1])
        convs = convolutions_of(surgery, sub.output[0])
        if scale is None or shift is None or scale.size > 1 or shift.size > 1 or not convs:
            continue
        for conv in convs:
            weights = surgery.constant(conv.input[1])
            assert weights is not None
            conv.input[1] = surgery.store(conv.input[1], weights / scale.reshape(()))
        sub.input[0] = div.input[0]
        sub.input[1] = surgery.store(sub.input[1], shift * scale)


def convolutions_of(surgery: Surgery, picture: str) -> list[NodeProto]:
    """The convolutions of known weights that read a picture or its averages; none where something
    else reads it, too."""
    found = []
    for node in surgery.users(picture):
        if node.op_type == "AveragePool":
            inner = convolutions_of(surgery, node.output[0])
            if not inner:
                return []
            found += inner
        elif node.op_type == "Conv" and surgery.constant(node.input[1]) is not None:
            found.append(node)
        else:
            return []
    return found
