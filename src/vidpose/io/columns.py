"""The columns of .csv and .parquet: one row per person, one row without person per empty frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from vidpose.results import FrameResult

FIXED = ("frame", "time", "id", "score", "box_x", "box_y", "box_width", "box_height")
_PARTS = ("x", "y", "confidence")


def column_names(keypoints: Sequence[str]) -> list[str]:
    """All columns for these keypoint names, in order."""
    return [*FIXED, *(f"{name}_{part}" for name in keypoints for part in _PARTS)]


class FurtherColumns(Protocol):
    """Numbers that a table holds beside the keypoints, such as angles.

    ``names``: their columns, which come last. ``rows``: their values for every person of a frame,
    in the people's order; NaN where there is none. Readers leave them out.
    """

    @property
    def names(self) -> Sequence[str]: ...

    def rows(self, result: FrameResult) -> list[list[float]]: ...


def count_result_columns(columns: Sequence[str]) -> int:
    """How many of ``columns``, the first ones, make a result; what follows are further columns.

    Raises ValueError unless ``columns`` are those of a result table.
    """
    end = len(FIXED)
    names: list[str] = []
    while len(names) < len(columns):
        name = columns[end].removesuffix("_x") if end < len(columns) else ""
        if list(columns[end : end + 3]) != [f"{name}_{part}" for part in _PARTS]:
            break
        names.append(name)
        end += len(_PARTS)
    if not names or list(columns[:end]) != column_names(names):
        raise ValueError(f"the columns are not those of vidpose ({', '.join(FIXED)}, ...)")
    return end
