"""Graphs run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import onnxruntime as ort
from numpy.typing import NDArray

from vidpose.errors import BundleError
from vidpose.inference.backends.base import Port, open_session

_ELEMENTS = {"float": "float32", "double": "float64"}  # where the names are not numpy's


class OnnxRuntimeSession:
    """See `vidpose.inference.backends.base.Session`. `inference` is ONNX Runtime's own session."""

    def __init__(self, graph: bytes, name: str, threads: int) -> None:
        """Raises BundleError when the graph cannot be loaded; `name` is its name in messages."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Within a call threads wait by spinning, which the many small layers need; after it they
        # sleep, or they would take the CPU from decoding and from the other graphs.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        try:
            session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime's own errors share no narrower base
            reason = str(error).strip().splitlines()[0]
            raise BundleError(f"{name}: the graph cannot be loaded ({reason})") from error
        self.inference = session
        self._origin = graph, name, threads
        self.inputs = tuple(_port(port) for port in session.get_inputs())
        self.outputs = tuple(_port(port) for port in session.get_outputs())

    def run(
        self, outputs: Sequence[str] | None, feed: Mapping[str, NDArray[Any]]
    ) -> list[NDArray[Any]]:
        """See `Session.run`."""
        found: list[NDArray[Any]] = self.inference.run(outputs, feed)
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        return open_session, (*self._origin, "onnxruntime")

    def __deepcopy__(self, memo: object) -> OnnxRuntimeSession:
        return self


def _port(argument: Any) -> Port:
    """From "tensor(uint8)" and sides that are numbers, names or None."""
    element = argument.type.removeprefix("tensor(").removesuffix(")")
    sides = tuple(side if isinstance(side, int) else None for side in argument.shape)
    return Port(argument.name, _ELEMENTS.get(element, element), sides)
