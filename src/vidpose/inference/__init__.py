"""Poses of people in a video, without torch: models, detectors and streams."""

from vidpose.runtime.detector import Detector, load_detector
from vidpose.runtime.model import PoseModel
from vidpose.runtime.settings import SmoothingSettings, TrackerSettings
from vidpose.runtime.stream import PoseStream

__all__ = [
    "Detector",
    "PoseModel",
    "PoseStream",
    "SmoothingSettings",
    "TrackerSettings",
    "load_detector",
]
