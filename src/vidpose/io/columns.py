"""The columns of .csv and .parquet: one row per person, one row without person per empty frame.

The last two are empty unless the frame's picture has another shape than the video's first one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from vidpose.results import FrameResult

FIXED = ("frame", "time", "id", "score", "box_x", "box_y", "box_width", "box_height")
SIZE = ("width", "height")
_PARTS = ("x", "y", "confidence")


def column_names(keypoints: Sequence[str]) -> list[str]:
    """All columns for these keypoint names, in order."""
    parts = (f"{name}_{part}" for name in keypoints for part in _PARTS)
    return [*FIXED, *parts, *SIZE]


class FurtherColumns(Protocol):
    """Numbers that a table holds beside the keypoints, such as angles.

    ``names``: their columns, which come last. ``rows``: their values for every person of a frame,
    in the people's order; NaN where there is none. Readers leave them out.
    """

    @property
    def names(self) -> Sequence[str]: ...

    def rows(self, result: FrameResult) -> list[list[float]]: ...


def count_result_columns(columns: Sequence[str]) -> tuple[int, int]:
    """How many of ``columns``, the first ones, hold people, and how many make a result.

    Between the two is the frame's size, which tables of version 0.1.0 lack; what follows are
    further columns. Raises ValueError unless ``columns`` are those of a result table.
    """
    end = len(FIXED)
    names: list[str] = []
    while len(names) < len(columns):
        name = columns[end].removesuffix("_x") if end < len(columns) else ""
        if list(columns[end : end + 3]) != [f"{name}_{part}" for part in _PARTS]:
            break
        names.append(name)
        end += len(_PARTS)
    if not names or list(columns[:end]) != column_names(names)[:end]:
        raise ValueError(f"the columns are not those of vidpose ({', '.join(FIXED)}, ...)")
    sized = tuple(columns[end : end + len(SIZE)]) == SIZE
    return end, end + len(SIZE) * sized
