"""Graphs run by OpenVINO, which comes with the optional part `vidpose[openvino]`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from threading import Lock
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidpose.errors import BundleError, VidposeError
from vidpose.inference.backends.base import Port, open_session


def has_openvino() -> bool:
    """Whether OpenVINO is installed."""
    return find_spec("openvino") is not None


class OpenVinoSession:
    """See `vidpose.inference.backends.base.Session`.

    Single precision throughout: on some processors OpenVINO would else compute in bfloat16, and
    keypoints would differ from those of the bundle's figures. Its threads are not pinned to
    CPUs, since several graphs, decoding and encoding share them.
    """

    def __init__(self, graph: bytes, name: str, threads: int) -> None:
        """Raises BundleError when the graph cannot be loaded; VidposeError without OpenVINO."""
        if not has_openvino():
            raise VidposeError(
                "the runtime 'openvino' is not installed: pip install 'vidpose[openvino]'"
            )
        openvino = _silent_import()
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
            "ENABLE_CPU_PINNING": False,
        }
        core = openvino.Core()
        try:
            model = core.read_model(model=graph)
            # Names before compiling: it may add further ones to a port.
            self.inputs = tuple(_port(port) for port in model.inputs)
            self.outputs = tuple(_port(port) for port in model.outputs)
            # OpenVINO (2026.4) gives the thread that compiles a stack for signals. After several
            # graphs were freed that stack is gone but still in force, and the next signal crashes
            # the process. So a thread compiles that ends before any signal can reach it.
            with ThreadPoolExecutor(1) as pool:
                compiled = pool.submit(core.compile_model, model, "CPU", settings).result()
        except Exception as error:  # the runtime's own errors share no narrower base
            reason = " ".join(str(error).split())
            raise BundleError(f"{name}: OpenVINO cannot load the graph ({reason})") from error
        self.compiled = compiled
        self._origin = graph, name, threads
        self._request = compiled.create_infer_request()
        self._lock = Lock()  # a request serves one caller at a time

    def run(
        self, outputs: Sequence[str] | None, feed: Mapping[str, NDArray[Any]]
    ) -> list[NDArray[Any]]:
        """See `Session.run`."""
        with self._lock:
            self._request.infer(
                {
                    number: np.ascontiguousarray(feed[port.name])
                    for number, port in enumerate(self.inputs)
                },
                share_inputs=True,
            )
            found = {
                port.name: self._request.get_output_tensor(number).data.copy()
                for number, port in enumerate(self.outputs)
            }
        return list(found.values()) if outputs is None else [found[name] for name in outputs]

    def __reduce__(self) -> tuple[Any, ...]:
        return open_session, (*self._origin, "openvino")

    def __deepcopy__(self, memo: object) -> OpenVinoSession:
        return self


def _silent_import() -> ModuleType:
    """The library, without what reports each of its imports to its makers and keeps an id file
    under HOME. It does without that where it is not installed, so it is made to appear so."""
    reporter = "openvino_telemetry"
    hidden = "openvino" not in sys.modules and reporter not in sys.modules
    if hidden:
        sys.modules[reporter] = None  # type: ignore[assignment]
    try:
        return import_module("openvino")
    finally:
        if hidden:
            del sys.modules[reporter]


def _port(port: Any) -> Port:
    shape = port.get_partial_shape()
    if shape.rank.is_dynamic:
        raise ValueError(f"the number of axes of '{port.get_any_name()}' is not known")
    sides = tuple(side.get_length() if side.is_static else None for side in shape)
    return Port(port.get_any_name(), port.get_element_type().to_dtype().name, sides)
