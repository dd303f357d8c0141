"""Trains every row of a table with every seed, and prints the table.

    python benchmarks/train_table.py recipes/tables/small-networks.yaml --jobs 2

A table is a YAML file: `seeds`; `metrics`, names of the last evaluation's figures; `common`,
overrides of every row's recipe; and `rows`, each with `name`, `recipe`, overrides `set`, fewer
`seeds` if it wants, and `against`, the row that it is compared with. `teachers`, if it has any, are
such rows too, trained before the others and with the first seed alone; in overrides `{runs}` is
the folder of the table's runs, where they lie by their names. Each run is a `vidpose train` of one
thread in a process of its own, in `runs/TABLE/`. Finished runs are kept and killed ones go on, so
the same command ends a half-done table; `--print` trains nothing. `--steps 2` tries all rows out,
in `runs/TABLE-2-steps/`.

Figures are means over the seeds, +- the standard deviation. A difference is the mean over the seeds
of the row's figure less that of the row it is compared with at the same seed, +- half the 95 %
interval of that mean by Student's t: a difference smaller than that is not shown to be one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from report import finish, machine, table

_STUDENT_T = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78}
"""Two-sided 95 % quantiles by the number of seeds."""


@dataclass(frozen=True)
class Run:
    """One training: a row with one seed. `name` is that of its folder under `runs/`."""

    row: str
    seed: int
    name: str
    recipe: str
    overrides: tuple[str, ...]
    steps: int

    @property
    def log(self) -> Path:
        return Path("runs") / self.name / "log.jsonl"

    def scores(self) -> dict[str, float] | None:
        """The last evaluation, if the run is finished."""
        if not self.log.exists():
            return None
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        last = [line for line in lines if line["step"] == self.steps and "loss" not in line]
        return last[-1] if last and self.log.with_name("last.pt").exists() else None


def read_runs(content: dict[str, Any], folder: str) -> list[Run]:
    """Runs in the order of training: all rows with the first seed, then with the next."""
    runs = []
    for seed in content["seeds"]:
        for number, row in enumerate(content["rows"]):
            if seed not in row.get("seeds", content["seeds"]):
                continue
            runs.append(_run(content, row, seed, f"{folder}/{number:02d}-seed{seed}"))
    return runs


def read_teachers(content: dict[str, Any], folder: str) -> list[Run]:
    """Runs that some rows learn from."""
    seed, rows = content["seeds"][0], content.get("teachers", [])
    return [_run(content, row, seed, f"{folder}/{row['name']}") for row in rows]


def tried(content: dict[str, Any], steps: int) -> dict[str, Any]:
    """The table with runs of few steps, each measured at its end."""
    few = [f"{key}={steps}" for key in ("steps", "evaluate_every")]
    return {**content, "common": [*content["common"], *few]}


def row_overrides(content: dict[str, Any], row: dict[str, Any], folder: str) -> list[str]:
    """A row's changes of its recipe, but for name and seed; `folder`: of the runs, in `runs/`."""
    given = [*content["common"], *row.get("set", [])]
    return [one.replace("{runs}", f"runs/{folder}") for one in given]


def _run(content: dict[str, Any], row: dict[str, Any], seed: int, name: str) -> Run:
    given = row_overrides(content, row, str(Path(name).parent))
    steps = int([o for o in given if o.startswith("steps=")][-1].removeprefix("steps="))
    overrides = (*given, f"name={name}", f"seed={seed}")
    return Run(row["name"], seed, name, row["recipe"], overrides, steps)


def train(run: Run) -> None:
    if run.scores() is not None:
        return
    output = run.log.with_name("output.txt")
    output.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "vidpose", "train", run.recipe, *run.overrides]
    with output.open("w") as file:
        code = subprocess.run(command, env=environment, stdout=file, stderr=file, check=False)
    if code.returncode:
        print(f"{run.row}, seed {run.seed}: failed, see {output}", file=sys.stderr)


def rows(content: dict[str, Any], runs: Sequence[Run]) -> Iterator[dict[str, str]]:
    """A row's cells by column, the difference of a metric under `METRIC difference`."""
    found = {(run.row, run.seed): run.scores() for run in runs}
    for row in content["rows"]:
        name, reference = row["name"], row.get("against")
        seeds = [seed for (other, seed), s in found.items() if other == name and s]
        cells = {"network": name, "seeds": str(len(seeds))}
        for metric in content["metrics"]:
            cells[metric] = _spread([_score(found[name, seed], metric) for seed in seeds])
            both = [s for s in seeds if reference and found.get((reference, s))]
            cells[f"{metric} difference"] = _difference(
                [_score(found[name, s], metric) - _score(found[reference, s], metric) for s in both]
            )
        yield cells


def _score(scores: dict[str, float] | None, metric: str) -> float:
    assert scores is not None
    return scores[metric]


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "-"
    spread = f" +- {np.std(values, ddof=1):.1f}" if len(values) > 1 else ""
    return f"{np.mean(values):.1f}{spread}"


def _difference(values: Sequence[float]) -> str:
    if not values:
        return ""
    if len(values) == 1:
        return f"{values[0]:+.1f}"
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):+.1f} +- {_STUDENT_T[len(values)] * error:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=Path, help="a file of recipes/tables/")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at the same time (1)")
    parser.add_argument("--steps", type=int, help="of every run, to try the table out")
    parser.add_argument("--print", action="store_true", dest="only_print", help="train nothing")
    parser.add_argument("--json", type=Path, help="also write the table to this file")
    given = parser.parse_args()
    content = yaml.safe_load(given.table.read_text())
    folder = given.table.stem
    if given.steps is not None:
        folder += f"-{given.steps}-steps"
        content = tried(content, given.steps)
    runs = read_runs(content, folder)
    if not given.only_print:
        with ThreadPoolExecutor(given.jobs) as pool:
            list(pool.map(train, read_teachers(content, folder)))
        with ThreadPoolExecutor(given.jobs) as pool:
            list(pool.map(train, runs))
    found = list(rows(content, runs))
    columns = [key.split(" ")[-1] if key.endswith(" difference") else key for key in found[0]]
    print(table(columns, [list(row.values()) for row in found]))
    finish(given.json, {"machine": machine(1), "rows": found})


if __name__ == "__main__":
    main()
