"""The columns of .csv and .parquet: one row per person, one row without person per empty frame."""

from __future__ import annotations

from collections.abc import Sequence

FIXED = ("frame", "time", "id", "score", "box_x", "box_y", "box_width", "box_height")
_PARTS = ("x", "y", "confidence")


def column_names(keypoints: Sequence[str]) -> list[str]:
    """All columns for these keypoint names, in order."""
    return [*FIXED, *(f"{name}_{part}" for name in keypoints for part in _PARTS)]


def check_columns(columns: Sequence[str]) -> None:
    """Raise ValueError unless ``columns`` are those of a result table."""
    names = [name.removesuffix("_x") for name in columns[len(FIXED) :: len(_PARTS)]]
    if not names or list(columns) != column_names(names):
        raise ValueError(f"the columns are not those of vidpose ({', '.join(FIXED)}, ...)")
