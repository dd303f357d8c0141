"""The pages' tables are those that results/ and the shipped bundles give."""

from __future__ import annotations

import json
from pathlib import Path

import fill_figures
import page_tables
import pytest
import table_parts


def test_pages_are_filled() -> None:
    assert [str(page) for page in fill_figures.outdated(fill_figures.PAGES)] == []


def test_results_are_of_the_shipped_models() -> None:
    assert fill_figures.contradictions() == []


@pytest.mark.parametrize("file", sorted(table_parts.RESULTS.glob("*.json")), ids=lambda f: f.stem)
def test_results_name_their_command(file: Path) -> None:
    figures = json.loads(file.read_text())
    script = figures["command"].split()[1]
    assert figures["command"].startswith("python benchmarks/")
    assert (table_parts.REPOSITORY / script).is_file()
    parts = [figures, *(each for each in figures.values() if isinstance(each, dict))]
    assert any("cpu" in each.get("machine", {}) for each in parts)


def test_every_table_is_made_and_shown() -> None:
    shown = {
        m[2] for page in fill_figures.PAGES for m in fill_figures.BLOCK.finditer(page.read_text())
    }
    assert shown == set(page_tables.TABLES)


def test_a_changed_figure_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"PCK@0.2": 61.24, "+-": 2.0, "acceleration error": 51.0}
    figures = {"command": "python benchmarks/video_accuracy.py", "networks": {"a step": row}}
    (tmp_path / "video_accuracy.json").write_text(json.dumps(figures))
    monkeypatch.setattr(table_parts, "RESULTS", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("Before\n<!-- figures: video_accuracy -->\n<!-- end -->\nafter\n")
    assert fill_figures.outdated([page]) == [page]
    page.write_text(fill_figures.filled(page.read_text()))
    assert fill_figures.outdated([page]) == []
    assert "| a step | 61.2 | 2.0 | 51.0 |" in page.read_text()
    row["PCK@0.2"] = 71.24
    (tmp_path / "video_accuracy.json").write_text(json.dumps(figures))
    assert fill_figures.outdated([page]) == [page]


def test_a_retired_models_figure_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = table_parts.shipped()[0]
    own = bundle.metrics["initializer_pck@0.2"]
    figures = {"lspet": {f"{bundle.name} initializer": {"PCK@0.2": own + 0.04}}}
    monkeypatch.setattr(table_parts, "RESULTS", tmp_path)
    (tmp_path / "crops_accuracy.json").write_text(json.dumps(figures))
    assert fill_figures.contradictions() == []
    figures["lspet"][f"{bundle.name} initializer"]["PCK@0.2"] = own - 3
    (tmp_path / "crops_accuracy.json").write_text(json.dumps(figures))
    (fault,) = fill_figures.contradictions()
    assert bundle.name in fault
