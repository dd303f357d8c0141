"""Tables as Markdown and CSV."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from vidpose.errors import OutputError
from vidpose.evaluation.tables import (
    csv_table,
    machine_name,
    markdown_table,
    write_text,
)


def test_markdown() -> None:
    assert markdown_table(["a", "b"], [["x", 1.5], ["y", 2]]) == (
        "| a | b |\n| --- | --- |\n| x | 1.5 |\n| y | 2 |"
    )


def test_csv_repeats_the_conditions_in_every_row() -> None:
    text = csv_table(["a"], [["x, y"], ["z"]], {"data": 'the "one"', "threads": 2})
    rows = list(csv.DictReader(text.splitlines()))
    assert rows == [
        {"a": "x, y", "data": 'the "one"', "threads": "2"},
        {"a": "z", "data": 'the "one"', "threads": "2"},
    ]


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    write_text(tmp_path / "t.md", "größer\n")
    assert (tmp_path / "t.md").read_text(encoding="utf-8") == "größer\n"
    assert [path.name for path in tmp_path.iterdir()] == ["t.md"]
    with pytest.raises(OutputError):
        write_text(tmp_path / "nowhere" / "t.md", "x")


def test_the_machine_is_named_with_its_cpus() -> None:
    assert re.fullmatch(r".+, \d+ CPUs?", machine_name())
