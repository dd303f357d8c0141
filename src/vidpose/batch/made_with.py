"""With which settings the finished videos of a batch were made, and how others differ from them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidpose.batch.layout import Layout
from vidpose.batch.rows import DONE, VideoRow
from vidpose.batch.sources import Source
from vidpose.errors import OutputError
from vidpose.files import AtomicFile, cannot_write

_NAMES = {"smooth": "--no-smooth"}


@dataclass(frozen=True, slots=True)
class Marks:
    """What rows say of how results were made: model's name and digest of all settings; and what
    is behind the digest, ``values`` by the names of the settings."""

    model: str
    settings: str
    values: Mapping[str, Any] = field(default_factory=dict)


def refuse_other_settings(
    layout: Layout, rows: Mapping[str, VideoRow], sources: Iterable[Source], marks: Marks
) -> None:
    """Raise OutputError where finished results of these sources would be made again, because the
    settings are others now."""
    found = [rows[source.name] for source in sources if source.name in rows]
    others = [
        row
        for row in found
        if row.status == DONE
        and row.settings != marks.settings
        and layout.table(row.video).exists()
    ]
    if not others:
        return
    count = "1 video is" if len(others) == 1 else f"{len(others)} videos are"
    differ = _differing(_read_values(layout, others[0].settings), marks.values)
    raise OutputError(
        f"{layout.dest}: {count} finished there with other settings ({', '.join(differ)}); give "
        "the same, or another --out; --overwrite makes them again"
    )


def keep_values(layout: Layout, marks: Marks) -> None:
    """Note what is behind the digest of the settings."""
    path = _path(layout, marks.settings)
    try:
        path.parent.mkdir(exist_ok=True)
        if path.exists():
            return
        target = AtomicFile(path)
        try:
            target.temporary.write_text(json.dumps(dict(marks.values), sort_keys=True))
            target.commit()
        finally:
            target.discard()
    except OSError as error:
        raise cannot_write(path, error) from error


def _path(layout: Layout, settings: str) -> Path:
    return layout.settings / f"{settings}.json"


def _read_values(layout: Layout, settings: str) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(_path(layout, settings).read_text())
    except (OSError, ValueError):
        return {}
    return values


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The command line's names of what differs; what was before may be unknown."""
    if not before:
        return ["it is not known which"]
    names = sorted(n for n in before.keys() | now.keys() if before.get(n) != now.get(n))
    return [_NAMES.get(name, "--" + name.replace("_", "-")) for name in names]
