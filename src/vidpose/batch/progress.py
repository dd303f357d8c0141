"""How far a batch is, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from vidpose.batch.rows import VideoRow


@dataclass(frozen=True, slots=True)
class Summary:
    """Videos of a batch: ``total`` asked for, of these ``kept`` from earlier runs, ``done`` now,
    ``failed`` now, and ``quarantined``, now or earlier. ``frames``, ``seconds``: of this run."""

    total: int
    kept: int
    done: int
    failed: int
    quarantined: int
    frames: int
    seconds: float


class Monitor(Protocol):
    """Is told what happens."""

    def planned(self, total: int, kept: int, share: float) -> None:
        """So many videos were asked for and are done already; ``share`` of the work, in [0, 1]."""
        ...  # pragma: no cover

    def frames(self, count: int) -> None:
        """So many more frames are done."""
        ...  # pragma: no cover

    def video(self, row: VideoRow, share: float) -> None:
        """A video is finished, failed or crashed; so large a share of all work is done now."""
        ...  # pragma: no cover


class Silence:
    """Says nothing."""

    def planned(self, total: int, kept: int, share: float) -> None:
        pass

    def frames(self, count: int) -> None:
        pass

    def video(self, row: VideoRow, share: float) -> None:
        pass
