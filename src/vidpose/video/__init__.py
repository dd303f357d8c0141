"""Frames in, frames out, and drawing."""

from __future__ import annotations

from vidpose.video.draw import draw_result
from vidpose.video.file_object import FileObject
from vidpose.video.frames import Frame
from vidpose.video.images import IMAGE_RATE
from vidpose.video.reader import VideoReader
from vidpose.video.sources import expand_sources
from vidpose.video.writer import VideoWriter

__all__ = [
    "IMAGE_RATE",
    "FileObject",
    "Frame",
    "VideoReader",
    "VideoWriter",
    "draw_result",
    "expand_sources",
]
