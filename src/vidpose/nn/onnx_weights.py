"""Weights of networks, read from their ONNX files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidpose.errors import BundleError

Convolution = tuple[NDArray[np.float32], NDArray[np.float32]]

_WEIGHT = re.compile(r"\.weight(_\w+)?$")


class GraphWeights:
    """The constants of an ONNX graph, whatever they are stored as: float32, float16 behind a Cast,
    or INT8 behind a DequantizeLinear.

    Args:
        source: a file, or the bytes of one.
        name: of the file in messages.

    Raises BundleError when the file is missing or no ONNX file.
    """

    def __init__(self, source: Path | str | bytes, name: str = "") -> None:
        import onnx

        self.name = name or str(source)
        try:
            model = (
                onnx.load_from_string(source)
                if isinstance(source, bytes)
                else onnx.load(str(source))
            )
        except Exception as error:  # onnx and protobuf raise their own types
            raise BundleError(f"{self.name}: not a readable ONNX file ({error})") from error
        self.nodes = list(model.graph.node)
        self._stored = {tensor.name: tensor for tensor in model.graph.initializer}
        self._makers = {name: node for node in self.nodes for name in node.output}

    def __contains__(self, value: str) -> bool:
        return self.stored_as(value) in self._stored

    def array(self, value: str) -> NDArray[np.float32]:
        """A constant input of a node, in float32."""
        from onnx import numpy_helper

        node = self._makers.get(value)
        if node is not None and node.op_type == "DequantizeLinear":
            axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
            return self._dequantised(*node.input, axis=axis)
        return np.asarray(numpy_helper.to_array(self._stored[self.stored_as(value)]), np.float32)

    def stored_as(self, value: str) -> str:
        """The name of the tensor in the file."""
        node = self._makers.get(value)
        known = node is not None and node.op_type in ("Cast", "DequantizeLinear")
        return str(node.input[0]) if known and node is not None else value

    def _dequantised(
        self, value: str, scale: str, zero: str | None = None, *, axis: int
    ) -> NDArray[np.float32]:
        numbers, scales = self.array(value), self.array(scale)
        zeros = self.array(zero) if zero else np.zeros_like(scales)
        if scales.ndim and scales.size > 1:
            shape = [1] * numbers.ndim
            shape[axis] = scales.size
            scales, zeros = scales.reshape(shape), zeros.reshape(shape)
        return np.asarray((numbers - zeros) * scales, np.float32)

    def constant(
        self, operation: str, place: int | None = None, shape: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """A constant input of the node that gives `operation`_output_0, or of one numbered after
        it: the input at `place`, or the one that is constant and has the `shape`.

        Raises BundleError where there is none.
        """
        names = re.compile(re.escape(operation) + r"(_\d+)?_output_0$")
        exact = f"{operation}_output_0"
        for node in self.nodes:
            if not names.match(node.output[0]) or (shape is None and node.output[0] != exact):
                continue
            for number, value in enumerate(node.input):
                if value in self and place in (None, number):
                    found = self.array(value)
                    if shape is None or found.shape == tuple(shape):
                        return found
        raise BundleError(f"{self.name}: not of vidpose's light family (it has no {operation})")

    def convolution(self, node: Any) -> Convolution:
        """(weight, bias) of a Conv node; an absent bias is empty."""
        has_bias = len(node.input) > 2 and node.input[2]
        bias = self.array(node.input[2]) if has_bias else np.zeros(0, np.float32)
        return self.array(node.input[1]), bias

    def convolutions(self) -> Mapping[str, Any]:
        """The Conv nodes of a graph that `vidpose export` wrote, by the names of their modules."""
        convs = [node for node in self.nodes if node.op_type == "Conv"]
        return {_WEIGHT.sub("", self.stored_as(node.input[1])): node for node in convs}

    def on_normalised(self, node: Any) -> Convolution:
        """A convolution of the picture as one of pixels in [-1, 1], whatever the graph makes of
        the picture's bytes."""
        weight, bias = self.convolution(node)
        factor, shift = self._picture(node.input[0])
        middle = 127.5 * factor + shift
        bias = bias + weight.sum(axis=(1, 2, 3)) * middle
        return weight * np.float32(127.5 * factor), np.asarray(bias, np.float32)

    def _picture(self, value: str) -> tuple[float, float]:
        """Factor and shift that have made this tensor of the picture's bytes."""
        node = self._makers.get(value)
        if node is None:
            return 1.0, 0.0
        factor, shift = self._picture(node.input[0])
        if node.op_type in ("Cast", "Transpose"):
            return factor, shift
        if node.op_type == "DequantizeLinear":
            scale, zero = (float(self.array(each).item()) for each in node.input[1:])
            return factor * scale, (shift - zero) * scale
        if node.op_type in ("Mul", "Div", "Add", "Sub") and node.input[1] in self:
            number = float(self.array(node.input[1]).item())
            if node.op_type in ("Mul", "Div"):
                number = number if node.op_type == "Mul" else 1 / number
                return factor * number, shift * number
            return factor, shift + (number if node.op_type == "Add" else -number)
        raise BundleError(f"{self.name}: {node.op_type} before the first convolution")


def convolutions(path: Path | str) -> list[Convolution]:
    """(weight, bias) of every convolution in the order of the graph; an absent bias is empty.

    Raises BundleError when the file is missing or no ONNX file.
    """
    weights = GraphWeights(path)
    return [weights.convolution(node) for node in weights.nodes if node.op_type == "Conv"]
