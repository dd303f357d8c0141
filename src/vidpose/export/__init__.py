"""From a training checkpoint to a bundle: ONNX graphs, parity gate, calibration, model card; and
from a float bundle to an INT8 one."""

from vidpose.export.int8 import export_int8
from vidpose.export.package import export_checkpoint

__all__ = ["export_checkpoint", "export_int8"]
