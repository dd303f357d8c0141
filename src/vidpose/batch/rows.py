"""What became of one video: a row of the manifest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

DONE, FAILED, QUARANTINED = "done", "failed", "quarantined"
CRASHED = "crashed"  # its process died, and it will be tried again

SCHEMA = pa.schema(
    [
        pa.field("video", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("frames", pa.int64()),
        pa.field("people", pa.int64()),
        pa.field("seconds", pa.float64()),
        pa.field("pieces", pa.int32()),
        pa.field("error", pa.string()),
        pa.field("crashes", pa.int32()),
        pa.field("warnings", pa.string()),
        pa.field("stamp", pa.string()),
        pa.field("digest", pa.string()),
        pa.field("model", pa.string()),
        pa.field("settings", pa.string()),
        pa.field("version", pa.string()),
        pa.field("worker", pa.string()),
        pa.field("finished", pa.timestamp("ms", tz="UTC")),
    ]
)


@dataclass(frozen=True, slots=True)
class VideoRow:
    """One video of a batch.

    ``video``: its name in the data set. ``source``: its path or address. ``status``: "done",
    "failed", "crashed" (its process died, and it will be tried again) or "quarantined" (it died
    too often). ``seconds``: of work, all pieces together. ``pieces``: how many it was split into.
    ``warnings``: a line each. ``stamp``: what tells a changed source without reading it.
    ``digest``: of the source's content. ``settings``: digest of models and options. ``version``:
    vidpose's. ``worker``: who did it, host and process. ``finished``: seconds since 1970.
    """

    video: str
    source: str
    status: str
    stamp: str
    model: str
    settings: str
    version: str
    worker: str
    finished: float
    frames: int = 0
    people: int = 0
    seconds: float = 0.0
    pieces: int = 1
    error: str | None = None
    crashes: int = 0
    warnings: str = ""
    digest: str | None = None


def to_table(rows: Iterable[VideoRow]) -> pa.Table:
    """The rows as an Arrow table."""
    values = [{**asdict(row), "finished": round(row.finished * 1000)} for row in rows]
    return pa.Table.from_pylist(values, schema=SCHEMA)


def from_table(table: pa.Table) -> list[VideoRow]:
    """The reverse. Raises KeyError or TypeError for a table that is none of ours."""
    milliseconds = table["finished"].cast(pa.int64()).to_pylist()
    found: list[dict[str, Any]] = table.drop_columns(["finished"]).to_pylist()
    return [
        VideoRow(**row, finished=time / 1000) for row, time in zip(found, milliseconds, strict=True)
    ]
