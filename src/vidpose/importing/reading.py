"""An ONNX file as bytes and as a session, or one line that says why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnxruntime

from vidpose.errors import BundleError
from vidpose.files import read_bytes
from vidpose.inference.backends.base import Session
from vidpose.inference.backends.ort import OnnxRuntimeSession

# An entry of a tensor's external data, as protocol buffers write it: key "location", then a value.
_EXTERNAL = b"\n\x08location\x12"


@dataclass(frozen=True, slots=True, eq=False)
class NetworkFile:
    """A network of another project. `metadata`: what its exporter noted in it."""

    path: Path
    graph: bytes
    session: Session
    metadata: Mapping[str, str]


def read_network(path: Path) -> NetworkFile:
    """Raises BundleError for what is not one complete ONNX graph that ONNX Runtime knows."""
    graph = read_bytes(path, BundleError)
    if _EXTERNAL in graph:
        raise BundleError(
            f"{path}: its weights lie in other files (external data); put all into one file: "
            f"python -c \"import onnx; onnx.save(onnx.load('{path}'), 'one.onnx')\""
        )
    try:
        session = OnnxRuntimeSession(graph, str(path), 1)
    except BundleError as error:
        if "ValidateOpset" in str(error):
            raise BundleError(
                f"{path}: its opset is newer than ONNX Runtime {onnxruntime.__version__} knows; "
                "export it with a lower opset, or update onnxruntime"
            ) from error
        raise
    metadata = dict(session.inference.get_modelmeta().custom_metadata_map)
    return NetworkFile(path, graph, session, metadata)
