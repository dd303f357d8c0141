"""What page_tables.py makes its tables of: files of results/, shipped bundles, rows, captions."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vidpose.bundle import Bundle, available_models, find_bundle, read_bundle
from vidpose.defaults import DEFAULT_MODEL, FAST_MODEL
from vidpose.evaluation.tables import markdown_table
from vidpose.inference.detectors.default import DEFAULT_DETECTOR

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "results"

Figures = Mapping[str, Any]


def load(name: str) -> Figures | None:
    """A file of results/, or None."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def shipped() -> list[Bundle]:
    """The pose models that come with this repository, the default first."""
    found = {path.stem: path for path in (REPOSITORY / "models").glob("*.vidpose")}
    found |= {name: find_bundle(name) for name in available_models() if name != DEFAULT_DETECTOR}
    order = dict.fromkeys([DEFAULT_MODEL, FAST_MODEL, *sorted(found)])
    return [read_bundle(found[name]) for name in order if name in found]


def caption(figures: Figures) -> str:
    """Data, command and machine, as a paragraph under a table."""
    machine = figures.get("machine", {})
    kept = ("cpu", "cpus", "threads", "onnxruntime", "load_before")
    named = {"cpus": "CPUs", "load_before": "load before"}
    where = ", ".join(f"{named.get(k, k)} {machine[k]}" for k in kept if k in machine)
    parts = [figures.get("data"), where and where.removeprefix("cpu "),
             f"`{figures['command']}`" if "command" in figures else None]  # fmt: skip
    text = ". ".join(part.rstrip(".") for part in parts if part)
    return "\n".join(textwrap.wrap(text, 100, break_long_words=False, break_on_hyphens=False))


def rows_table(
    rows: Mapping[str, Mapping[str, Any]],
    columns: Mapping[str, str],
    first: str = "model",
    places: int = 1,
) -> str:
    """Named rows as a table; `columns`: key of a row -> heading. A key no row has is left out."""
    kept = {key: name for key, name in columns.items() if any(key in row for row in rows.values())}
    cells = [[name, *(_cell(row.get(key), places) for key in kept)] for name, row in rows.items()]
    return markdown_table([first, *kept.values()], cells)


def _cell(value: Any, places: int) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.{3 if abs(value) < 1.5 and places == 3 else places}f}"
    return str(value)
