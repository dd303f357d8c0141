"""ONNX Runtime sessions on the CPU, and only there."""

from __future__ import annotations

import os

import onnxruntime as ort

from vidpose.errors import BundleError, InputError


def open_session(graph: bytes, name: str, threads: int | None = None) -> ort.InferenceSession:
    """A session for an ONNX graph on the CPU.

    Args:
        graph: the ONNX file's bytes.
        name: how messages call the graph.
        threads: for one call of the graph; None takes every CPU that this process may use.

    Raises BundleError when the graph cannot be loaded, InputError for threads below 1.
    """
    if threads is not None and threads < 1:
        raise InputError(f"threads must be at least 1, got {threads}")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or _cpus()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads that wait by spinning take the CPU from decoding and from the other graphs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's own errors share no narrower base
        reason = str(error).strip().splitlines()[0]
        raise BundleError(f"{name}: the graph cannot be loaded ({reason})") from error
    return session


def check_ports(
    session: ort.InferenceSession,
    name: str,
    inputs: dict[str, tuple[str, list[int | None]]],
    outputs: dict[str, list[int | None]],
) -> None:
    """Compare a graph's inputs and outputs with what is needed; None stands for any size.

    Args:
        inputs: for each input its element type ("uint8", "float") and shape.
        outputs: for each output its shape; all are float.

    Raises BundleError that names the first difference.
    """
    floats = {port: ("float", shape) for port, shape in outputs.items()}
    for ports, needed in ((session.get_inputs(), inputs), (session.get_outputs(), floats)):
        found = {port.name: (port.type, port.shape) for port in ports}
        if set(found) != set(needed):
            raise BundleError(f"{name}: needs the ports {sorted(needed)}, has {sorted(found)}")
        for port, (element, shape) in needed.items():
            kind, sides = found[port]
            if kind != f"tensor({element})" or not _fits(sides, shape):
                raise BundleError(f"{name}: '{port}' must be {element} {shape}, is {kind} {sides}")


def _cpus() -> int:
    """CPUs that this process may use; not every system can bind a process to some of them."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def _fits(sides: list[int | str | None], shape: list[int | None]) -> bool:
    return len(sides) == len(shape) and all(
        need is None or not isinstance(side, int) or side == need
        for side, need in zip(sides, shape, strict=True)
    )
