"""From a training checkpoint to a bundle: ONNX graphs, parity gate, calibration, model card."""

from vidpose.export.package import export_checkpoint

__all__ = ["export_checkpoint"]
