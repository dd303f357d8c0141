"""torch -> ONNX, with half-precision storage of the weights."""

from __future__ import annotations

import copy
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from timm.layers.conv2d_same import Conv2dSame
from torch import Tensor, nn

from vidpose.export.fold import fold_norms
from vidpose.export.lighten import lighten

OPSET = 18
_SMALLEST = 1024  # elements; below it half precision saves nothing
_QUANTISING = ("QuantizeLinear", "DequantizeLinear")


def to_onnx(
    graph: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    dynamic: Mapping[str, Mapping[int, str]],
) -> bytes:
    """An ONNX file of `graph` in eval mode, made lighter to run (`lighten`).

    Args:
        inputs: example inputs by name, in the order of the graph's arguments.
        outputs: names of the outputs.
        dynamic: names of the axes that may change, by input or output.
    """
    graph = with_fixed_padding(graph.eval())
    with (
        tempfile.TemporaryDirectory() as folder,
        torch.no_grad(),
        warnings.catch_warnings(),
    ):
        # Sizes become constants on purpose, and where one must not, the parity gate says so.
        warnings.simplefilter("ignore")
        path = Path(folder) / "graph.onnx"
        torch.onnx.export(
            graph,
            tuple(inputs.values()),
            str(path),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={name: dict(axes) for name, axes in dynamic.items()},
            opset_version=OPSET,
            dynamo=False,
        )
        return bytes(lighten(onnx.load(str(path))).SerializeToString())


def with_fixed_padding(graph: nn.Module) -> nn.Module:
    """A copy of `graph` whose convolutions of TensorFlow's SAME rule pad by constants.

    The rule asks for the input's size; an exported graph would work that out for every layer and
    call, and could not fuse padding and convolution. For sides that are multiples of the stride,
    which multiples of 32 are in every layer, the answer is always kernel - stride.
    """
    graph = copy.deepcopy(graph)
    for name, conv in list(graph.named_modules()):
        if not isinstance(conv, Conv2dSame):
            continue
        (rows, columns), (down, across) = _pair(conv.kernel_size), _pair(conv.stride)
        height, width = max(rows - down, 0), max(columns - across, 0)
        top, left = height // 2, width // 2
        plain = nn.Conv2d(
            conv.in_channels,
            conv.out_channels,
            (rows, columns),
            (down, across),
            groups=conv.groups,
            bias=conv.bias is not None,
        )
        plain.weight, plain.bias = conv.weight, conv.bias
        pad = nn.ZeroPad2d((left, width - left, top, height - top))
        graph.set_submodule(name, nn.Sequential(pad, plain))
    return graph


def _pair(sizes: tuple[int, ...]) -> tuple[int, int]:
    rows, columns = sizes
    return rows, columns


def store_weights_in_half(content: bytes) -> bytes:
    """The same graph with its large float32 weights stored as float16 behind a Cast.

    Computation stays in float32 (the runtime folds the casts when it loads the file); the file
    is half as large and the weights are rounded to 11 bits. Scales of quantised tensors stay.
    """
    model = onnx.load_from_string(content)
    scales = {n.input[1] for n in model.graph.node if n.op_type in _QUANTISING}
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < _SMALLEST:
            continue
        if tensor.name in scales:
            continue
        name = tensor.name
        half = numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(casts + nodes)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@torch.no_grad()
def settle_weights(network: nn.Module) -> None:
    """Give a trained network, in place, the very weights that its ONNX file will hold.

    BatchNorm is folded into the convolutions, then large weights and constants are rounded to half
    precision.
    """
    fold_norms(network)
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.is_floating_point() and tensor.numel() >= _SMALLEST:
            tensor.copy_(tensor.half().float())
