"""The tag by which a video or picture that vidpose drew is known, in its metadata."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import av

PICTURE_TAG = "drawn by vidpose"
"""The comment in a drawn picture: PNG's text, JPEG's and GIF's comment, WebP's EXIF."""

_WORDS = f"{PICTURE_TAG} "
_SUFFIXES = (".mp4", ".m4v", ".mov")
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
_HEAD, _TAIL = 2048, 512  # bytes: comments come before the pixels, in WebP behind them


def tag_text(about: dict[str, Any]) -> str:
    """The comment for a drawn video's container; ``about`` has JSON values."""
    return _WORDS + json.dumps(about)


def read_tag(path: Path) -> dict[str, Any] | None:
    """What ``tag_text`` was given for this video; None for any other file, or a damaged one."""
    if path.suffix.lower() not in _SUFFIXES or not path.is_file():
        return None
    try:
        with av.open(f"file:{path}") as container:
            comment = container.metadata.get("comment", "")
        about = json.loads(comment.removeprefix(_WORDS)) if comment.startswith(_WORDS) else None
    except (av.error.FFmpegError, OSError, ValueError):
        return None
    return about if isinstance(about, dict) else None


def is_drawn(path: Path) -> bool:
    """Whether vidpose drew this video or picture, whatever its name and place."""
    if path.suffix.lower() in _PICTURES:
        return _has_picture_tag(path)
    return read_tag(path) is not None


def _has_picture_tag(path: Path) -> bool:
    """Only the file's ends are read, as a folder may hold thousands."""
    try:
        with path.open("rb") as file:
            ends = file.read(_HEAD)
            file.seek(max(_HEAD, file.seek(0, os.SEEK_END) - _TAIL))
            return PICTURE_TAG.encode() in ends + file.read(_TAIL)
    except OSError:
        return False
