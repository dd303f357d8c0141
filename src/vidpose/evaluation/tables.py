"""Tables of figures as Markdown and CSV, and the machine that they were measured on."""

from __future__ import annotations

import csv
import io
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

from vidpose.files import AtomicFile, cannot_write

SUFFIXES = (".csv", ".md")


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; cells are shown as `str` shows them."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def csv_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], conditions: Mapping[str, object]
) -> str:
    """The same as CSV; `conditions` hold for all rows and become further columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*columns, *conditions])
    writer.writerows([*row, *conditions.values()] for row in rows)
    return text.getvalue()


def write_text(path: Path, text: str) -> None:
    """Write a file that appears complete or not at all. Raises OutputError."""
    target = AtomicFile(path)
    try:
        target.temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        target.discard()
        raise cannot_write(path, error) from error
    target.commit()


def machine_name() -> str:
    """The processor and how many CPUs of it this process may use, e.g. "AMD EPYC, 2 CPUs"."""
    allowed = getattr(os, "sched_getaffinity", None)
    cpus = len(allowed(0)) if allowed else os.cpu_count() or 1
    return f"{processor_name()}, {cpus} CPU{'s' if cpus != 1 else ''}"


def processor_name() -> str:
    """The processor, e.g. "AMD EPYC"."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
