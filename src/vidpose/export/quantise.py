"""Float ONNX -> INT8 ONNX by static quantisation, as quantise and dequantise pairs (QDQ).

What becomes INT8: convolutions, with their ReLU or ReLU6, and additions. What stays in float:

- convolutions that see the picture itself, depthwise and narrowing ones right behind them, and the
  last ones before an output;
- everything from the first enlargement of the maps on (`Resize`, `ConvTranspose`), and what is
  added there: a heatmap's peak is found between cells, and 8 bits there move it;
- all that is no convolution: kernel matching, softmax, distillator.

Activations are uint8 for each tensor, from the least and the largest value of the calibration;
weights are symmetric int8 for each output channel. Weights use 7 of the 8 bits: processors
without VNNI add two products of 8 bits in 16, which would overflow with larger weights, so that
accuracy would depend on the machine. Depthwise weights use all 8: their products are added in 32.

Rounded weights shift the mean of a channel's output, most of all in depthwise layers, where no
others make up for it. The bias takes the shift back: Nagel et al., "Data-Free Quantization
Through Weight Equalization and Bias Correction", ICCV 2019, section 4.2, with measured means.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from vidpose.export.onnx import store_weights_in_half
from vidpose.export.parity import open_graph
from vidpose.export.rewriting.lighten import lighten, quiet
from vidpose.export.rewriting.picture import read_bytes
from vidpose.export.rewriting.shapes import note_shapes

Feed: TypeAlias = Mapping[str, NDArray[Any]]

_QUANTISED = ["Conv", "Clip", "Relu", "Add"]
_ENLARGING = ("Resize", "Upsample", "ConvTranspose")
_LARGEST_WEIGHT = 64  # int8 in 7 bits
_LARGEST_DEPTHWISE = 127


def quantise(content: bytes, feeds: Sequence[Feed]) -> bytes:
    """An INT8 file of the float graph `content`, calibrated on `feeds`, its real inputs.

    Large weights that stay in float are stored as float16.
    """
    model = lighten(weights_in_full(onnx.load_from_string(content)))
    kept = float_nodes(model)
    _correct_biases(model, feeds, kept)
    with tempfile.TemporaryDirectory() as folder, quiet():
        path = Path(folder) / "int8.onnx"
        quantize_static(
            model,
            path,
            _Reader(feeds),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_QUANTISED,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=kept,
            extra_options={"TensorQuantOverrides": _eight_bits(model, kept)},
        )
        small = note_shapes(read_bytes(onnx.load(str(path))))
        return store_weights_in_half(small.SerializeToString())


def weights_in_full(model: ModelProto) -> ModelProto:
    """`model`, changed in place: weights stored as float16 behind a Cast are float32 again."""
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        tensor = stored.get(node.input[0]) if node.op_type == "Cast" else None
        if tensor is None or tensor.data_type != TensorProto.FLOAT16:
            nodes.append(node)
            continue
        full = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(full, node.output[0]))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def float_nodes(model: ModelProto) -> list[str]:
    """Names of the nodes that stay in float, by the rule above. Nodes must be in running order."""
    kept = [*_first_nodes(model), *_enlarged_nodes(model), *_last_convolutions(model)]
    return list(dict.fromkeys(kept))


def _first_nodes(model: ModelProto) -> Iterator[str]:
    """Convolutions of the picture, and those behind them up to the first one that widens the maps:
    of few, large maps most of the time is that of the way to INT8."""
    shapes = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    seen, first = set[str](), set[str]()
    for node in model.graph.node:
        given = node.input[0] if node.input else ""
        if node.op_type == "Conv":
            out, channels = shapes.get(node.input[1], (1, 0))[:2]
            light = channels == 1 or out < channels  # depthwise, or fewer maps than before
            stays = given not in seen or (given in first and light)
        else:
            stays = node.op_type in ("Clip", "Relu") and given in first
        if stays:
            first.update(node.output)
            yield node.name
        if node.op_type == "Conv" or seen.intersection(node.input):
            seen.update(node.output)


def _enlarged_nodes(model: ModelProto) -> Iterator[str]:
    """Enlargements, all behind them, and convolutions whose maps are only added there."""
    enlarged, readers = set[str](), dict[str, list[NodeProto]]()
    for node in model.graph.node:
        if node.op_type in _ENLARGING or enlarged.intersection(node.input):
            enlarged.update(node.output)
            yield node.name
        for value in node.input:
            readers.setdefault(value, []).append(node)
    for node in model.graph.node:
        ends = readers.get(node.output[0], [])
        if (
            node.op_type == "Conv"
            and ends
            and all(end.op_type == "Add" and end.output[0] in enlarged for end in ends)
        ):
            yield node.name


def _last_convolutions(model: ModelProto) -> Iterator[str]:
    """Convolutions with a way to an output on which there is no other one."""
    open_ends = {output.name for output in model.graph.output}
    for node in reversed(model.graph.node):
        if not open_ends.intersection(node.output):
            continue
        if node.op_type == "Conv":
            yield node.name
        else:
            open_ends.update(node.input)


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, feeds: Sequence[Feed]) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        feed = next(self._feeds, None)
        return None if feed is None else dict(feed)


def _eight_bits(model: ModelProto, kept: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The quantiser's exceptions for depthwise weights, by name."""
    depthwise = {t.name for t in model.graph.initializer if len(t.dims) == 4 and t.dims[1] == 1}
    whole = {"axis": 0, "quant_type": QuantType.QInt8, "symmetric": True, "reduce_range": False}
    convs = (n for n in model.graph.node if n.op_type == "Conv" and n.name not in kept)
    return {node.input[1]: [whole] for node in convs if node.input[1] in depthwise}


def _correct_biases(model: ModelProto, feeds: Sequence[Feed], kept: Sequence[str]) -> None:
    """Add to each bias what the rounding of its weights takes from the mean output."""
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    convs = [n for n in model.graph.node if n.op_type == "Conv" and n.name not in kept]
    convs = [n for n in convs if n.input[1] in stored]
    means = _channel_means(model, feeds, [node.input[0] for node in convs])
    for node in convs:
        weights = numpy_helper.to_array(stored[node.input[1]]).astype(np.float64)
        shift = _lost_mean(weights, means[node.input[0]])
        if len(node.input) > 2 and node.input[2]:
            shift = shift + numpy_helper.to_array(stored[node.input[2]])
        bias = numpy_helper.from_array(shift.astype(np.float32), f"{node.output[0]}_bias")
        model.graph.initializer.append(bias)  # a bias of its own: files may share equal ones
        del node.input[2:]
        node.input.append(bias.name)
    used = {name for node in model.graph.node for name in node.input}
    tensors = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(tensors)


def _lost_mean(weights: NDArray[np.float64], means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean output (O,) that rounding takes from weights (O, I / groups, kh, kw) on inputs of
    these means (I,)."""
    largest = _LARGEST_DEPTHWISE if weights.shape[1] == 1 else _LARGEST_WEIGHT
    scale = np.abs(weights).max(axis=(1, 2, 3), keepdims=True) / largest
    scale[scale == 0] = 1
    lost = (weights - np.round(weights / scale) * scale).sum(axis=(2, 3))
    groups = len(means) // lost.shape[1]
    by_group = np.repeat(means.reshape(groups, -1), len(lost) // groups, axis=0)
    found: NDArray[np.float64] = (lost * by_group).sum(axis=1)
    return found


def _channel_means(
    model: ModelProto, feeds: Sequence[Feed], tensors: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Mean of each channel (C,) of the tensors (N, C, h, w), over all feeds."""
    names = list(dict.fromkeys(tensors))
    watched = ModelProto.FromString(model.SerializeToString())
    del watched.graph.output[:]
    axes = numpy_helper.from_array(np.array([0, 2, 3], np.int64), "axes_of_means")
    watched.graph.initializer.append(axes)
    for number, name in enumerate(names):
        mean = f"mean_of_channels_{number}"
        watched.graph.node.append(_reduction(name, axes.name, mean))
        port = helper.make_tensor_value_info(mean, TensorProto.FLOAT, None)
        watched.graph.output.append(port)
    session = open_graph(watched.SerializeToString())
    found = [session.run(None, dict(feed)) for feed in feeds]
    return {
        name: np.mean([values[number] for values in found], axis=0, dtype=np.float64)
        for number, name in enumerate(names)
    }


def _reduction(tensor: str, axes: str, mean: str) -> NodeProto:
    return helper.make_node("ReduceMean", [tensor, axes], [mean], keepdims=0)
