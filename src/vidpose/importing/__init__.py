"""Other projects' pose networks as bundles: `vidpose import`.

An ONNX file is recognised by the shapes of its inputs and outputs and by its metadata
(`recognise`); what no file says is asked for (`options`). The graph stays as it is, so the bundle
needs nothing but ONNX Runtime to be made; only `--carry` cuts a graph and needs `onnx`.
"""

from vidpose.importing.build import import_network
from vidpose.importing.options import ImportOptions, NotSaidError

__all__ = ["ImportOptions", "NotSaidError", "import_network"]
