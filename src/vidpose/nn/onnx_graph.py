"""Other people's ONNX networks as torch modules, which run where a training runs, in any batch.

onnx2torch (Apache-2.0) converts the graph. What published files have and it does not take is put
right before: weights kept as float16 behind a Cast, a batch of 1 written into Reshape and Resize,
the attribute `spatial` of old BatchNormalizations. The result is compared with ONNX Runtime on two
pictures before it is used.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vidpose.errors import BundleError

_OPSET = 13  # to which older files are brought; onnx2torch knows its operators
_BATCH_NORM_WITHOUT_SPATIAL = 9
_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class OnnxGraph:
    """A network with one picture as input and maps as its first output.

    Attributes:
        network: images (N, 3, H, W) -> maps (N, K, h, w); in eval mode, without gradients.
        size: (H, W).
        maps: (K, h, w).
    """

    network: nn.Module
    size: tuple[int, int]
    maps: tuple[int, int, int]

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Maps (N, K, h, w) of images (N, 3, H, W), normalised as the network wants them."""
        found = self.network.to(images.device)(images)
        maps: Tensor = found[0] if isinstance(found, (tuple, list)) else found
        return maps


def load_onnx_graph(path: Path) -> OnnxGraph:
    """The network of an ONNX file.

    Raises BundleError when the file cannot be read, has other ports, has an operator that cannot be
    converted, or gives other maps as a module than in ONNX Runtime (by 1e-4 of the largest value).
    """
    import onnx

    try:
        model = onnx.load(str(path))
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnx, protobuf and onnxruntime raise their own types
        reason = " ".join(str(error).split())[:200]
        raise BundleError(f"{path}: not a readable ONNX file ({reason})") from error
    ports = session.get_inputs()
    shape = ports[0].shape
    fixed = all(isinstance(side, int) for side in shape[1:])
    if len(ports) != 1 or len(shape) != 4 or not fixed or shape[1] != 3:
        raise BundleError(f"{path}: expected one input [N, 3, H, W], found {shape}")
    try:
        network = _converted(model)
    except Exception as error:  # onnx2torch and onnx's converter raise many types
        reason = " ".join(str(error).split())[:200]
        raise BundleError(f"{path}: cannot be converted to torch ({reason})") from error
    size = (int(shape[2]), int(shape[3]))
    images = np.random.default_rng(0).normal(size=(2, 3, *size)).astype(np.float32)
    parts = [session.run(None, {ports[0].name: one[None]})[0] for one in images]
    wanted = np.concatenate(parts)
    if wanted.ndim != 4:
        raise BundleError(f"{path}: its first output is no heatmap [N, K, h, w]; {wanted.shape}")
    _, joints, height, width = (int(side) for side in wanted.shape)
    graph = OnnxGraph(network, size, (joints, height, width))
    _refuse_other_maps(graph, images, wanted, path)
    return graph


def _converted(model: Any) -> nn.Module:
    """A module of the graph, for any batch."""
    import onnx2torch
    from onnx import version_converter

    _widen(model.graph)
    opset = next(one.version for one in model.opset_import if one.domain in ("", "ai.onnx"))
    if opset < _BATCH_NORM_WITHOUT_SPATIAL:
        for node in model.graph.node:
            kept = [one for one in node.attribute if one.name != "spatial"]
            del node.attribute[:]
            node.attribute.extend(kept)
    if opset < _OPSET:
        model = version_converter.convert_version(model, _OPSET)
    _free_batch(model.graph)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of doubtful interpolation: the maps are compared
        network: nn.Module = onnx2torch.convert(model)
    for part in network.modules():
        if hasattr(part, "ignore_bs_ch_size"):  # Resize
            setattr(part, "ignore_bs_ch_size", True)  # noqa: B010 (no module declares it)
    return network.eval().requires_grad_(False)


def _widen(graph: Any) -> None:
    """Weights that are kept as float16, with a Cast to float32 behind, become float32."""
    from onnx import TensorProto, numpy_helper

    weights = {tensor.name: tensor for tensor in graph.initializer}
    nodes = []
    for node in graph.node:
        to = next((one.i for one in node.attribute if one.name == "to"), None)
        if node.op_type == "Cast" and node.input[0] in weights and to == TensorProto.FLOAT:
            values = numpy_helper.to_array(weights[node.input[0]]).astype(np.float32)
            graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _free_batch(graph: Any) -> None:
    """A first side of 1 in the shapes that Reshapes are given becomes whatever is left."""
    from onnx import numpy_helper

    shapes = {node.input[1] for node in graph.node if node.op_type == "Reshape"}
    for tensor in graph.initializer:
        if tensor.name in shapes:
            sides = numpy_helper.to_array(tensor).copy()
            if sides.size > 1 and sides[0] == 1 and -1 not in sides:
                sides[0] = -1
                tensor.CopyFrom(numpy_helper.from_array(sides, tensor.name))


def _refuse_other_maps(
    graph: OnnxGraph, images: NDArray[np.float32], wanted: NDArray[np.float32], path: Path
) -> None:
    try:
        found = graph(torch.from_numpy(images)).numpy()
        apart = float(np.abs(found - wanted).max() / np.abs(wanted).max().clip(1e-6))
    except Exception as error:  # shapes that do not go together in a batch of two
        reason = " ".join(str(error).split())[:200]
        raise BundleError(f"{path}: does not run in torch ({reason})") from error
    if not apart <= _TOLERANCE:
        raise BundleError(
            f"{path}: its maps in torch differ from ONNX Runtime's by {apart:.1g} of the largest "
            "value; such a network cannot teach online"
        )
