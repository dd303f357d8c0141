"""torch -> ONNX, with half-precision storage of the weights."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from vidpose.models.movenet import PoseBackbone, fold_batch_norm

OPSET = 18
_SMALLEST = 1024  # elements; below it half precision saves nothing


def to_onnx(
    graph: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    dynamic: Mapping[str, Mapping[int, str]],
) -> bytes:
    """An ONNX file of `graph` in eval mode.

    Args:
        inputs: example inputs by name, in the order of the graph's arguments.
        outputs: names of the outputs.
        dynamic: names of the axes that may change, by input or output.
    """
    graph.eval()
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
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
        return path.read_bytes()


def store_weights_in_half(content: bytes) -> bytes:
    """The same graph with its large float32 weights stored as float16 behind a Cast.

    Computation stays in float32 (the runtime folds the casts when it loads the file); the file
    is half as large and the weights are rounded to 11 bits.
    """
    model = onnx.load_from_string(content)
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < _SMALLEST:
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

    BatchNorm is folded into the convolutions, then large weights are rounded to half precision.
    """
    for backbone in network.modules():
        if isinstance(backbone, PoseBackbone):
            for part in (backbone.stem, backbone.blocks, backbone.head):
                fold_batch_norm(part)
    for parameter in network.parameters():
        if parameter.numel() >= _SMALLEST:
            parameter.copy_(parameter.half().float())
