"""One source from its first frame to its finished outputs, for programs and the command line."""

from vidpose.pipeline.options import TrackOptions
from vidpose.pipeline.process import Outcome, process_video, track
from vidpose.pipeline.redraw import draw_video

__all__ = ["Outcome", "TrackOptions", "draw_video", "process_video", "track"]
