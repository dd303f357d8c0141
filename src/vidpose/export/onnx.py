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
from vidpose.export.rewriting.lighten import lighten
from vidpose.nn.far_end_padding import FarEndConv2d, same_padding

OPSET = 18
_SMALLEST = 1024  # elements; below it half precision saves nothing
_SAME = (Conv2dSame, FarEndConv2d)
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
    graph = with_fixed_padding(graph.eval(), tuple(inputs.values()))
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
            # The exporter by tracing is deprecated, but the one by torch.export (tried with torch
            # 2.14) takes 35 to 80 s for a graph of 1 to 4, refuses example batches of one person,
            # and needs onnxscript. Another one has to pass tests/export/test_lighten.py.
            dynamo=False,
        )
        return bytes(lighten(onnx.load(str(path))).SerializeToString())


@torch.no_grad()
def with_fixed_padding(graph: nn.Module, inputs: tuple[Tensor, ...]) -> nn.Module:
    """A copy of `graph` whose convolutions of TensorFlow's SAME rule pad by constants.

    The rule asks for the input's size; an exported graph would work that out for every layer and
    call, and could not fuse padding and convolution. `inputs` show the sizes; another input must
    leave the same remainders when its sides are divided by the strides, as multiples of 32 do.
    """
    graph = copy.deepcopy(graph)
    convs = {name: m for name, m in graph.named_modules() if isinstance(m, _SAME)}
    sizes: dict[nn.Module, torch.Size] = {}
    handles = [
        conv.register_forward_pre_hook(lambda m, x: sizes.__setitem__(m, x[0].shape[2:]))
        for conv in convs.values()
    ]
    graph(*inputs)
    for handle in handles:
        handle.remove()
    for name, conv in convs.items():
        if conv not in sizes:  # of a part that this graph does not use
            continue
        (rows, columns), (down, across) = _pair(conv.kernel_size), _pair(conv.stride)
        height = same_padding(sizes[conv][0], rows, down)
        width = same_padding(sizes[conv][1], columns, across)
        halves = isinstance(conv, Conv2dSame)
        top, left = (height // 2, width // 2) if halves else (0, 0)
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
    is half as large. Weights that float16 cannot hold exactly stay as they are, so `settle_weights`
    comes first; so do the scales of quantised tensors.
    """
    model = onnx.load_from_string(content)
    scales = {n.input[1] for n in model.graph.node if n.op_type in _QUANTISING}
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < _SMALLEST:
            continue
        if tensor.name in scales:
            continue
        name, values = tensor.name, numpy_helper.to_array(tensor)
        half = values.astype(np.float16)
        if not np.array_equal(half, values):  # made of several weights by the export
            continue
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
