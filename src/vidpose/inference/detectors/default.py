"""Which detector goes with a pose model unless one is named."""

from __future__ import annotations

from pathlib import Path

from vidpose.inference.backends.base import Runtime
from vidpose.inference.detectors.bundle import Detector, load_detector
from vidpose.inference.graphs import OneStageGraph
from vidpose.inference.one_stage import OneStageDetector
from vidpose.inference.pose_model import PoseModel, check_model

DEFAULT_DETECTOR = "finder"


def detector_for(
    model: PoseModel,
    name_or_path: str | Path = DEFAULT_DETECTOR,
    threads: int | None = None,
    runtime: Runtime = "onnxruntime",
) -> Detector:
    """The detector of a name or path, as `load_detector`; in place of the default one a model that
    finds people itself. Raises InputError for what is no model."""
    check_model(model)
    graph = model.initializer
    if isinstance(graph, OneStageGraph) and str(name_or_path) == DEFAULT_DETECTOR:
        return OneStageDetector(graph.everybody, model.digest)
    return load_detector(name_or_path, threads, runtime)
