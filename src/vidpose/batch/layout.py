"""Where things lie in the folder of a batch.

    DEST/video=NAME/part-0.parquet     the results; the partitions of one data set
    DEST/_annotated/NAME_pose.mp4      videos with the poses drawn in
    DEST/_vidpose/manifest/*.parq      what became of each video
    DEST/_vidpose/settings/*.json      what their digests in the manifest stand for
    DEST/_vidpose/lock                 who is at work here
    DEST/_vidpose/pieces/NAME/         finished pieces of videos that are under way

Readers of partitioned Parquet pass over names with an underscore in front, or over those that do
not end in .parquet; so nothing else here does.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

_LONGEST = 150  # bytes of a name, so that what is added still fits into a file name


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths below ``dest``."""

    dest: Path

    @property
    def house(self) -> Path:
        """The folder of all that is no result."""
        return self.dest / "_vidpose"

    @property
    def manifest(self) -> Path:
        return self.house / "manifest"

    @property
    def settings(self) -> Path:
        return self.house / "settings"

    @property
    def lock(self) -> Path:
        return self.house / "lock"

    def table(self, video: str) -> Path:
        """The results of a video."""
        return self.dest / f"video={video}" / "part-0.parquet"

    def annotated(self, video: str) -> Path:
        """The drawn video."""
        return self.dest / "_annotated" / f"{video}_pose.mp4"

    def pieces(self, video: str) -> Path:
        """The folder of a long video's pieces."""
        return self.house / "pieces" / video

    def piece(self, video: str, number: int) -> Path:
        """The results of a piece of a long video."""
        return self.pieces(video) / f"{number:05}.jsonl"

    def shared(self) -> list[Path]:
        """The folders in which files of several videos are written, or of none, where they are
        made already."""
        drawn = self.annotated("").parent
        return [self.manifest, self.settings, drawn, *self.pieces("").glob("*/")]


def video_name(source: str, taken: Container[str]) -> str:
    """A video's name in the data set: of its file, made fit for a partition, and new.

    Never a bare number, which readers would take for one.
    """
    base = re.split(r"[/\\]", source.partition("?")[0].rstrip("/\\"))[-1]
    plain = re.sub(r"[^\w.-]", "_", base).strip(".") or "video"
    plain = os.fsencode(plain)[:_LONGEST].decode(errors="ignore")
    if plain != base or plain in taken or re.fullmatch(r"[\d.eE_+-]+", plain):
        plain += f"-{hashlib.sha256(os.fsencode(source)).hexdigest()[:8]}"
    return plain
