"""The tag by which a video that vidpose drew is known, in its metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av

from vidpose.files import NOTES_FOLDER

_WORDS = "drawn by vidpose "
_SUFFIXES = (".mp4", ".m4v", ".mov")


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
    """Whether vidpose drew this video: an mp4 whatever its name and place, a .gif or .webp as long
    as its note lies beside it."""
    if path.suffix.lower() in _SUFFIXES:
        return read_tag(path) is not None
    return (path.parent / NOTES_FOLDER / f"{path.name}.json").is_file()
