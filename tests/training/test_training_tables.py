"""The tables of trainings: every row is a recipe, and rows find their teachers."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from vidpose.training.distil import DistilConfig
from vidpose.training.recipe import read_recipe

ROOT = Path(__file__).resolve().parents[2]
TABLES = sorted((ROOT / "recipes" / "tables").glob("*.yaml"))


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return runpy.run_path(str(ROOT / "benchmarks" / "train_table.py"))


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_row_is_a_recipe(path: Path, script: dict[str, Any]) -> None:
    content = yaml.safe_load(path.read_text())
    teachers = script["read_teachers"](content, path.stem)
    runs = script["read_runs"](content, path.stem)
    names = [row["name"] for row in content["rows"]]
    assert {run.row for run in runs} == set(names)
    assert {row["against"] for row in content["rows"] if "against" in row} <= set(names)
    assert len({run.name for run in [*teachers, *runs]}) == len(teachers) + len(runs)
    own = {Path("runs") / run.name for run in teachers}
    for run in [*teachers, *runs]:
        recipe = read_recipe(ROOT / run.recipe, list(run.overrides))
        assert recipe.steps == run.steps
        if isinstance(recipe.task, DistilConfig) and recipe.task.teacher.path.parts[0] == "runs":
            assert recipe.task.teacher.path in own


def test_a_try_has_a_folder_and_teachers_of_its_own(script: dict[str, Any]) -> None:
    rows = [{"name": "student", "recipe": "a.yaml", "set": ["task.teacher.path={runs}/big"]}]
    teachers = [{"name": "big", "recipe": "b.yaml", "set": []}]
    common = ["steps=30", "evaluate_every=30"]
    content = {"seeds": [4, 5], "common": common, "rows": rows, "teachers": teachers}
    (teacher,) = script["read_teachers"](content, "table")
    first, _ = script["read_runs"](content, "table")
    assert (teacher.name, teacher.seed) == ("table/big", 4)
    assert first.overrides[2:] == (
        "task.teacher.path=runs/table/big", "name=table/00-seed4", "seed=4",
    )  # fmt: skip
    content = script["tried"](content, 2)
    assert [run.steps for run in script["read_runs"](content, "table-2-steps")] == [2, 2]
    (teacher,) = script["read_teachers"](content, "table-2-steps")
    assert "evaluate_every=2" in teacher.overrides
