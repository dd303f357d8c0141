"""The figures as Markdown tables and as JSON, with all that they depend on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from vidpose.bench.measure import Alone, Measured, Plan, Run
from vidpose.bench.scenes import SIZE
from vidpose.bench.stages import LATENCY, STEP, Stage
from vidpose.evaluation.tables import machine_name, markdown_table

DISTILLING = "of the step: distilling"


@dataclass(frozen=True, slots=True)
class Report:
    """Figures and the conditions under which they were measured."""

    measured: Measured
    conditions: Mapping[str, str]

    def markdown(self) -> str:
        """The tables and the conditions, a line each."""
        parts = []
        runs = self.measured.runs
        if runs:
            parts += ["## Whole pipeline", "", _summary(runs), ""]
            parts += ["## Stages", "", _stages(runs), ""]
        for alone in self.measured.alone:
            parts += [f"## Networks alone, threads: {alone.threads}", "", _networks(alone), ""]
        notes = [*(f"{name}: {text}" for name, text in self.conditions.items())]
        return "\n".join([*parts, *(f"- {note}" for note in [*notes, *self.measured.notes])])

    def json(self) -> str:
        """The same as JSON text, unrounded."""
        figures = asdict(self.measured)
        for run, values in zip(self.measured.runs, figures["runs"], strict=True):
            values["stages"] |= _derived(run)
        return json.dumps({"conditions": dict(self.conditions), **figures}, indent=1) + "\n"


def conditions(plan: Plan, load: str, choices: Sequence[str]) -> dict[str, str]:
    """What the figures depend on.

    `load`: of the machine before the first measurement. `choices`: of runtimes, made by "auto".
    """
    networks = plan.networks
    height, width = SIZE
    found = {
        "machine": machine_name(),
        "load before": load,
        "runtime": "; ".join([_runtime(networks.runtime), *choices]),
        "model": networks.model,
        "detector": networks.detector,
        "frames": f"{plan.frames} of each clip, as many rounds of the networks alone",
        "vidpose": version("vidpose"),
    }
    if plan.source is not None:
        found["video"] = str(plan.source)
        if plan.people:
            found["scenes"] = f"copies of one person of the video in a {width}x{height} picture"
    else:
        found["video"] = "none, so the networks only"
    return found


def _runtime(name: str) -> str:
    return name if name == "auto" else f"{name} {version(name)}"


def machine_load() -> str:
    """Processes that want a CPU, averaged over the last minute."""
    average = getattr(os, "getloadavg", None)
    return f"{average()[0]:.1f}" if average else "not known"


def _summary(runs: Sequence[Run]) -> str:
    columns = ["people", "threads", "followed", "frames/s .jsonl", "and .mp4", "peak MB .jsonl"]
    columns += ["and .mp4", "in to out ms", "p95 ms"]
    columns += ["pose ms / person", "GMACs / person", "initialised %"]
    cells = [
        [
            run.scene,
            run.threads,
            f"{run.stages.people:.1f}",
            *(f"{whole.frames_per_second:.1f}" for whole in (run.table, run.whole)),
            *(
                "" if whole.peak_mb is None else f"{whole.peak_mb:.0f}"
                for whole in (run.table, run.whole)
            ),
            f"{_stage(run, LATENCY).median_ms:.1f}",
            f"{_stage(run, LATENCY).p95_ms:.1f}",
            f"{run.stages.pose_ms_per_person:.2f}" if run.stages.person_frames else "",
            "" if run.gmacs_per_person is None else f"{run.gmacs_per_person:.3f}",
            f"{100 * run.stages.initialise_rate:.1f}" if run.stages.person_frames else "",
        ]
        for run in runs
    ]
    return markdown_table(columns, cells)


def _stages(runs: Sequence[Run]) -> str:
    columns = ["ms, median / p95"]
    columns += [f"{run.scene}, threads {run.threads}" for run in runs]
    names = [stage.name for stage in runs[0].stages.stages]
    cells = [[name, *(_shown(_stage(run, name)) for run in runs)] for name in names]
    shares = ["" if run.distilling is None else f"{100 * run.distilling:.0f} %" for run in runs]
    cells.insert(names.index(STEP) + 1, [DISTILLING, *shares])
    return markdown_table(columns, cells)


def _shown(stage: Stage) -> str:
    if not stage.share:
        return ""
    often = "" if stage.share > 0.995 else f" ({100 * stage.share:.0f} %)"
    return f"{stage.median_ms:.2f} / {stage.p95_ms:.2f}{often}"


def _networks(alone: Alone) -> str:
    references = list(alone.timings[0].ratios)
    columns = ["network", "median ms", "p95 ms", *(f"of {reference}" for reference in references)]
    cells = [
        [
            timing.name,
            f"{timing.median_ms:.2f}",
            f"{timing.p95_ms:.2f}",
            *(f"{timing.ratios[reference]:.2f}" for reference in references),
        ]
        for timing in alone.timings
    ]
    return markdown_table(columns, cells)


def _stage(run: Run, name: str) -> Stage:
    return next(stage for stage in run.stages.stages if stage.name == name)


def _derived(run: Run) -> dict[str, Any]:
    return {
        "people": run.stages.people,
        "initialise_rate": run.stages.initialise_rate,
        "step_rate": run.stages.step_rate,
        "pose_ms_per_person": run.stages.pose_ms_per_person,
    }
