"""Several measures as the further columns of one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vidpose.io import FurtherColumns
from vidpose.results import FrameResult


@dataclass(frozen=True, slots=True)
class _Joined:
    parts: tuple[FurtherColumns, ...]

    @property
    def names(self) -> Sequence[str]:
        return [name for part in self.parts for name in part.names]

    def rows(self, result: FrameResult) -> list[list[float]]:
        rows: list[list[float]] = [[] for _ in result.people]
        for part in self.parts:
            for row, more in zip(rows, part.rows(result), strict=True):
                row.extend(more)
        return rows


def joined_columns(parts: Sequence[FurtherColumns]) -> FurtherColumns:
    """The columns of all ``parts`` after each other, as `vidpose.open_writer` takes them."""
    return _Joined(tuple(parts))
