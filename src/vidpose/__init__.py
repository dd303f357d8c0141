"""2D human pose in video on ordinary CPUs.

    import vidpose

    vidpose.process_video("dance.mp4", ["dance.jsonl", "dance_pose.mp4"])

    for frame, result in vidpose.track("dance.mp4"):
        print(result.time, [person.id for person in result.people])

    results = vidpose.read_results("dance.jsonl")
    smooth = vidpose.analysis.lowpass(results.frames, cutoff=6)
    vidpose.write_report(results, "dance.html", "dance.mp4")

The names below are imported when they are first used, so `import vidpose` costs nothing.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# ONNX Runtime reports to its makers from 1.32 on, and keeps an id file under HOME, as soon as it is
# imported. Every entry to this package passes here before that.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from vidpose import analysis, interop, skeleton, video
    from vidpose.errors import VidposeError
    from vidpose.inference import PoseModel, load_detector
    from vidpose.io import open_writer, read_results
    from vidpose.pipeline import draw_video, process_video, track
    from vidpose.report import write_report
    from vidpose.results import FrameResult, Person
    from vidpose.skeleton import SKELETONS, Skeleton
    from vidpose.tracking import PoseStream
    from vidpose.video import VideoReader, VideoWriter, draw_result

    __version__: str

__all__ = [
    "SKELETONS",
    "FrameResult",
    "Person",
    "PoseModel",
    "PoseStream",
    "Skeleton",
    "VideoReader",
    "VideoWriter",
    "VidposeError",
    "__version__",
    "analysis",
    "draw_result",
    "draw_video",
    "interop",
    "load_detector",
    "open_writer",
    "process_video",
    "read_results",
    "skeleton",
    "track",
    "video",
    "write_report",
]

_MODULES = ("analysis", "interop", "skeleton", "video")

_HOMES = {
    "FrameResult": "vidpose.results",
    "Person": "vidpose.results",
    "PoseModel": "vidpose.inference",
    "PoseStream": "vidpose.tracking",
    "SKELETONS": "vidpose.skeleton",
    "Skeleton": "vidpose.skeleton",
    "VideoReader": "vidpose.video",
    "VideoWriter": "vidpose.video",
    "VidposeError": "vidpose.errors",
    "draw_result": "vidpose.video",
    "draw_video": "vidpose.pipeline",
    "load_detector": "vidpose.inference",
    "open_writer": "vidpose.io",
    "process_video": "vidpose.pipeline",
    "read_results": "vidpose.io",
    "track": "vidpose.pipeline",
    "write_report": "vidpose.report",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("vidpose")
    if name in _MODULES:
        return import_module(f"vidpose.{name}")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'vidpose' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
