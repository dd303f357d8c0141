"""One person in one frame, without torch: pose models, crops, decoding, person detectors."""

from vidpose.inference.detectors.bundle import Detector, load_detector
from vidpose.inference.pose_model import PoseModel

__all__ = ["Detector", "PoseModel", "load_detector"]
