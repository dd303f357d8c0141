"""The report of an evaluation: the table, and everything that its figures depend on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from vidpose.data.clips import ClipSet
from vidpose.evaluation.evaluate import Row, average, joint_notes
from vidpose.evaluation.scoring import ACCELERATION, INTERVAL
from vidpose.evaluation.tables import csv_table, markdown_table, write_text
from vidpose.metrics.protocols import Protocol

SMOKE_TEST = "SMOKE TEST, not a benchmark result"


@dataclass(frozen=True, slots=True)
class Report:
    """Columns and cells of the table, and the conditions under which it was measured."""

    columns: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    conditions: Mapping[str, str]

    @classmethod
    def of(
        cls,
        rows: Sequence[Row],
        sets: Sequence[ClipSet],
        protocol: Protocol,
        conditions: Mapping[str, str],
    ) -> Report:
        """The report of rows on splits; several splits get their mean as further rows."""
        notes = joint_notes(rows[0].source, rows[0].target)
        data = "; ".join(_data_note(each, rows) for each in sets)
        rows = [*rows, *_averages(rows)]
        figures = list(dict.fromkeys(name for row in rows for name in row.figures))
        networks = any(row.initialised is not None for row in rows)
        columns = ["predictor", "split", sets[0].unit, "frames", *figures]
        cells = [
            [row.predictor, row.split, str(row.clips), str(row.frames)]
            + [_shown(row.figures.get(name)) for name in figures]
            + ([_shown(100 * row.initialised)] if row.initialised is not None else [])
            for row in rows
        ]
        if networks:
            columns.append("initialised")
        return cls(
            tuple(columns),
            tuple(tuple(line) for line in cells),
            {
                "data": data,
                "protocol": f"{protocol.name}: {protocol.describe()}",
                "boxes": rows[0].boxes,
                "joints": "; ".join(notes) or "all those of the labels",
                "units": _units(figures, networks),
                **conditions,
                "vidpose": version("vidpose"),
            },
        )

    def markdown(self) -> str:
        """The table and its conditions, a line each."""
        notes = [f"- {name}: {text}" for name, text in self.conditions.items()]
        return "\n".join([markdown_table(self.columns, self.cells), "", *notes])

    def write(self, path: Path) -> None:
        """Write the report as its suffix says, .md or .csv. Raises OutputError."""
        if path.suffix.lower() == ".csv":
            write_text(path, csv_table(self.columns, self.cells, self.conditions))
        else:
            write_text(path, self.markdown() + "\n")


def _averages(rows: Sequence[Row]) -> list[Row]:
    """For each predictor that has several splits, their mean."""
    of: dict[str, list[Row]] = {}
    for row in rows:
        of.setdefault(row.predictor, []).append(row)
    return [average(same) for same in of.values() if len(same) > 1]


def _data_note(clips: ClipSet, rows: Sequence[Row]) -> str:
    """What was evaluated of a split, and whether that is all of it."""
    done = next(row.clips for row in rows if row.split == clips.split)
    name = f"{clips.data_set}, split {clips.split}"
    if clips.coco is not None and clips.coco.content is not None:
        return f"{name}: {done:,} {clips.unit} of your own labels"
    if clips.official is None:
        return f"{name}: {done} {clips.unit} of a split that is listed in part: {SMOKE_TEST}"
    text = f"{name}: {done:,} of {clips.official:,} {clips.unit}"
    whole = done == clips.official and clips.comparable
    return text if whole else f"{text}: {SMOKE_TEST}"


def _units(figures: Sequence[str], networks: bool) -> str:
    text = "percent"
    if ACCELERATION in figures:
        text += f"; {ACCELERATION} in 1/1000 of the box's longer side per frame squared"
    if INTERVAL in figures:
        text += f"; {INTERVAL}: half of the interval that holds 95 % of draws of as many people"
    if networks:
        text += "; initialised: percent of the frames that the initializer ran on"
    return text


def _shown(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.1f}"
