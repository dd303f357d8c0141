"""One source from its first frame to its finished outputs, for programs and the command line."""

from vidpose.pipeline.options import TrackOptions
from vidpose.pipeline.process import Outcome, process_video, track

__all__ = ["Outcome", "TrackOptions", "process_video", "track"]
