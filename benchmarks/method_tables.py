"""The tables of docs/methods.md and of the kernels, made of results/*.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from table_parts import Figures, caption, load, rows_table

LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")


def methods_jhmdb() -> str | None:
    """DKD's networks on real labelled video."""
    names = {"seeds": "seeds", "box/pck@0.2": "PCK@0.2 of the box",
             "pck@0.2": "of the torso", "pck@0.2 difference": "difference",
             "acceleration_error": "acceleration error",
             "acceleration_error difference": "difference of it"}  # fmt: skip
    return _trainings("methods_jhmdb", names)


def methods_jhmdb_limbs() -> str | None:
    """The same by limb, at 0.2 of the box."""
    figures = load("methods_jhmdb")
    names = {f"box/{limb}": limb for limb in LIMBS}
    return None if figures is None else rows_table(_finished(figures), names, "network")


def methods_small() -> str | None:
    """OKDHP, FFL, MCL and FasterPose on everyday people, sport and video."""
    names = {"seeds": "seeds", "pck@0.2": "LSPET", "pck@0.2 difference": "difference",
             "coco/pck@0.2": "COCO people", "coco/pck@0.2 difference": "difference",
             "jhmdb/pck@0.2": "JHMDB", "jhmdb/pck@0.2 difference": "difference"}  # fmt: skip
    return _trainings("methods_small", names)


def _trainings(name: str, names: Mapping[str, str]) -> str | None:
    """A table of benchmarks/train_table.py beside what benchmarks/table_costs.py says."""
    figures, costs = load(name), load(f"{name}_costs")
    if figures is None:
        return None
    rows = _finished(figures)
    text = caption(figures)
    if costs is not None:
        for network, row in rows.items():
            row |= costs["networks"].get(network, {})
        names = {
            **names,
            "parameters, M": "parameters, 10^6",
            "MMAC": "multiply-adds, 10^6",
            "of movenet_lightning": "time, of MoveNet Lightning",
        }
        text += f"\n\n{caption(costs)}"
    return f"{rows_table(rows, names, 'network', 2)}\n\n{text}"


def _finished(figures: Figures) -> dict[str, dict[str, Any]]:
    """The rows by network, but for those of which no seed is finished."""
    return {row["network"]: dict(row) for row in figures["rows"] if row["seeds"] != "0"}


def kernel_ablation() -> str | None:
    """The step network with kernels that know less and less of the person."""
    figures = load("kernel_ablation")
    if figures is None:
        return None
    names = {"jhmdb": "labelled video", "coco": "COCO's clips"}
    keys = {"PCK@0.2": "PCK@0.2", "PCK@0.1": "@0.1", "acceleration error": "acceleration error"}
    rows: dict[str, dict[str, Any]] = {}
    for part, scored in figures["sets"].items():
        for kernels, row in scored.items():
            cells = {f"{part} {key}": row[key] for key in keys}
            rows[kernels] = rows.get(kernels, {}) | cells
    columns = {
        f"{part} {key}": f"{names[part]}: {name}"
        for part in figures["sets"]
        for key, name in keys.items()
    }
    return f"{rows_table(rows, columns, 'kernels')}\n\n{caption(figures)}"
