"""The people of one video, frame by frame: memory, identity, smoothing."""

from vidpose.tracking.pose_stream import PoseStream
from vidpose.tracking.settings import SmoothingSettings, TrackerSettings

__all__ = ["PoseStream", "SmoothingSettings", "TrackerSettings"]
