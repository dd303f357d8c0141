"""A graph that is ready to run on the CPU: what every runtime gives, and how to get one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from numpy.typing import NDArray

from vidpose.errors import BundleError, InputError
from vidpose.inference.backends.cpus import bounded_threads

Runtime: TypeAlias = Literal["onnxruntime", "openvino"]


@dataclass(frozen=True, slots=True)
class Port:
    """An input or an output of a graph.

    `element`: numpy's name of the element type, e.g. "uint8". `shape`: None for a side that is
    known only when the graph runs.
    """

    name: str
    element: str
    shape: tuple[int | None, ...]


class Session(Protocol):
    """A loaded graph. It never changes, and threads may share it.

    It can be pickled, for other processes: as its graph, which is loaded anew there, by as many
    threads as that process has CPUs for. A copy of it is itself.
    """

    @property
    def inputs(self) -> tuple[Port, ...]: ...

    @property
    def outputs(self) -> tuple[Port, ...]: ...

    def run(
        self, outputs: Sequence[str] | None, feed: Mapping[str, NDArray[Any]]
    ) -> list[NDArray[Any]]:
        """The outputs of these names in that order (None: all, in the graph's order).

        `feed`: for each input an array of its element type, contiguous. Sides that the graph
        leaves open may differ from call to call. The arrays returned are the caller's.
        """
        ...  # pragma: no cover


def open_session(
    graph: bytes, name: str, threads: int | None = None, runtime: Runtime = "onnxruntime"
) -> Session:
    """A session for an ONNX graph on the CPU.

    Args:
        graph: the ONNX file's bytes.
        name: how messages call the graph.
        threads: for one call of the graph, at most one for each CPU that this process may use;
            None takes all of these.
        runtime: what runs it; there is no other if it is not installed.

    Raises BundleError when the graph cannot be loaded, InputError for threads below 1,
    VidposeError when the runtime is not installed.
    """
    if threads is not None and threads < 1:
        raise InputError(f"threads must be at least 1, got {threads}")
    count = bounded_threads(threads)
    if runtime == "openvino":
        from vidpose.inference.backends.openvino import OpenVinoSession

        return OpenVinoSession(graph, name, count)
    from vidpose.inference.backends.ort import OnnxRuntimeSession

    return OnnxRuntimeSession(graph, name, count)


def check_ports(
    session: Session,
    name: str,
    inputs: dict[str, tuple[str, list[int | None]]],
    outputs: dict[str, list[int | None]],
) -> None:
    """Compare a graph's inputs and outputs with what is needed; None stands for any size.

    Args:
        inputs: for each input its element type ("uint8", "float32") and shape.
        outputs: for each output its shape; all are float32.

    Raises BundleError that names the first difference.
    """
    floats = {port: ("float32", shape) for port, shape in outputs.items()}
    for ports, needed in ((session.inputs, inputs), (session.outputs, floats)):
        found = {port.name: port for port in ports}
        if set(found) != set(needed):
            raise BundleError(f"{name}: needs the ports {sorted(needed)}, has {sorted(found)}")
        for port, (element, shape) in needed.items():
            kind, sides = found[port].element, found[port].shape
            if kind != element or not _fits(sides, shape):
                raise BundleError(
                    f"{name}: '{port}' must be {element} {shape}, is {kind} {list(sides)}"
                )


def _fits(sides: tuple[int | None, ...], shape: list[int | None]) -> bool:
    return len(sides) == len(shape) and all(
        need is None or side is None or side == need
        for side, need in zip(sides, shape, strict=True)
    )
