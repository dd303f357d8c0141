"""The tables of docs/how-to/import.md: other projects' networks in our stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from table_parts import caption, load, rows_table

SETS = {"lspet": "LSPET, kept-out people", "coco": "COCO val2017, people of a part of it"}


def imported() -> str | None:
    """Time in one stream, and what is computed for it."""
    names = {"pose CPU ms": "pose, CPU ms a person", "of first": "times the first",
             "frame ms": "frame ms", "initialised %": "initialised %",
             "GMACs": "GMACs a person"}  # fmt: skip
    figures = load("imported")
    if figures is None:
        return None
    return f"{rows_table(figures['networks'], names, places=3)}\n\n{caption(figures)}"


def imported_accuracy() -> str | None:
    """On stills with given boxes."""
    names = {"PCK@0.2": "PCK@0.2", "+-": "+-", "PCK@0.1": "PCK@0.1",
             "sides free @0.2": "sides free", "OKS": "OKS AR"}  # fmt: skip
    return _sets("imported_accuracy", "", names)


def carried_looks() -> str | None:
    """An imported network carried by a step network: how often it looks."""
    names = {"PCK@0.2": "PCK@0.2", "+-": "+-", "acceleration error": "acceleration error",
             "time": "CPU"}  # fmt: skip
    return _sets("carried_looks", "models", names)


def _sets(name: str, key: str, columns: Mapping[str, str]) -> str | None:
    figures = load(name)
    if figures is None:
        return None
    sets = figures[key] if key else figures
    parts = [
        f"{title}:\n\n{rows_table({n: _shown(row) for n, row in sets[each].items()}, columns)}"
        for each, title in SETS.items()
        if each in sets
    ]
    return "\n\n".join([*parts, caption(figures)])


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with the numbers that need more places as text."""
    places = {"time": ("CPU", 2), "OKS": ("OKS AR", 3)}
    texts = {new: f"{row[old]:.{n}f}" for new, (old, n) in places.items() if old in row}
    return {**row, **texts}
