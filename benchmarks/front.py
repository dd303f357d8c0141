"""Accuracy against time: the family beside per-frame networks of the same making, and references.

    python benchmarks/clips_accuracy.py ... --json clips.json      # the same --bundle everywhere
    python benchmarks/video_agreement.py ... --json video.json
    python benchmarks/step_time.py ... --json time.json
    python benchmarks/front.py --bundle dkd-lite-int8 --bundle step-160.vidpose ... \\
        --accuracy clips.json --agreement video.json --time time.json --out front.png

Joins what the three have measured. Models with a memory count with one initialisation in 30 frames
(multiply-adds and time) and with the accuracy of the step network, which in clips_accuracy.py
never initialises anew. Bundles of kind `frame` and the references look at every frame anew.

"per-frame at equal accuracy": what a per-frame network of the family would cost to be as accurate,
by straight lines between the per-frame bundles of the same precision; how many times more that is
than the model's own cost. Above 1, the memory pays. ">" where the model is more accurate than all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from report import parser, table

from vidpose.bundle import Bundle, find_bundle, read_bundle

REFERENCE_NETWORKS = {"MoveNet Lightning": "lightning", "TinyPose": "tinypose"}
PEER_MMACS = {"MoveNet Lightning": 271.0, "TinyPose": 302.0}
FIGURES = ("lspet clips", "COCO clips", "video")


@dataclass(frozen=True, slots=True)
class Point:
    """A model's cost and accuracy; `memory`: it is not a per-frame network."""

    name: str
    memory: bool
    precision: str
    mmacs: float
    ms: float
    accuracy: Mapping[str, float]


def of_bundle(bundle: Bundle, measured: Mapping[str, Any]) -> Point:
    """The point of a bundle."""
    memory = bundle.kind == "dkd"
    name, part = bundle.name, "step" if memory else "initializer"
    accuracy = {
        f"{title} clips": rows[f"{name} {part}"]["PCK@0.2"]
        for title, rows in _clips(measured).items()
    }
    accuracy["video"] = measured["agreement"]["rows"][f"{name} stream"]["@0.05"]
    time = measured["time"]["networks"][f"{name} {'amortised' if memory else 'initializer'}"]
    mmacs = bundle.metrics["amortised_mmacs" if memory else "frame_mmacs"]
    return Point(name, memory, bundle.precision, mmacs, time["median ms"], accuracy)


def of_peer(name: str, measured: Mapping[str, Any]) -> Point:
    """A reference network's point; it is not streamed, so it sees the detector's boxes in video."""
    key = REFERENCE_NETWORKS[name]
    accuracy = {f"{title} clips": rows[key]["PCK@0.2"] for title, rows in _clips(measured).items()}
    rows = measured["agreement"]["rows"]
    accuracy["video"] = rows[key]["@0.05"] if key in rows else float("nan")
    ms = measured["time"]["networks"][name]["median ms"]
    return Point(name, False, "float32", PEER_MMACS[name], ms, accuracy)


def _clips(measured: Mapping[str, Any]) -> dict[str, Any]:
    names = {"lspet": "lspet", "coco": "COCO"}
    return {names[title]: rows for title, rows in measured["accuracy"]["models"].items()}


def times_less(model: Point, singles: Sequence[Point], figure: str, cost: str) -> str:
    """How many times more the per-frame networks cost at the model's accuracy."""
    front = sorted((p.accuracy[figure], getattr(p, cost)) for p in singles)
    reached = model.accuracy[figure]
    costs = np.interp(reached, [a for a, _ in front], [c for _, c in front])
    ratio = f"{float(costs) / getattr(model, cost):.2f}"
    return f"> {ratio}" if reached > front[-1][0] else ratio


def draw(points: Sequence[Point], out: Path) -> None:
    """One panel for each figure: accuracy over milliseconds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(16, 5.5), layout="constrained")
    panels = figure.subplots(1, len(FIGURES))
    for panel, name in zip(panels, FIGURES, strict=True):
        for point in points:
            colour = "tab:blue" if point.memory else "tab:grey"
            if point.name in REFERENCE_NETWORKS:
                colour = "tab:red"
            panel.scatter(point.ms, point.accuracy[name], color=colour)
            panel.annotate(
                point.name, (point.ms, point.accuracy[name]), xytext=(4, 4),
                textcoords="offset points", fontsize=8, color=colour,
            )  # fmt: skip
        panel.set(xlabel="network ms for each person and frame, amortised")
        panel.margins(0.22, 0.1)
        unit = "agreement within 5 % of the box, %" if name == "video" else "PCK@0.2, %"
        panel.set(title=name, ylabel=unit)
        panel.grid(alpha=0.3)
    figure.suptitle(
        "blue: with a memory; grey: the same networks, every frame anew; red: references"
    )
    figure.savefig(out, dpi=110)


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--bundle", action="append", required=True, help="name or path")
    for name in ("accuracy", "agreement", "time"):
        arguments.add_argument(f"--{name}", type=Path, required=True, help="JSON, see above")
    arguments.add_argument("--out", type=Path, help="also draw this .png (needs matplotlib)")
    given = arguments.parse_args()

    measured = {
        name: json.loads(getattr(given, name).read_text())
        for name in ("accuracy", "agreement", "time")
    }
    points = [of_bundle(read_bundle(find_bundle(name)), measured) for name in given.bundle]
    singles = [point for point in points if not point.memory]
    points += [of_peer(name, measured) for name in REFERENCE_NETWORKS]
    points.sort(key=lambda point: point.ms)
    cells = [
        [p.name, f"{p.mmacs:.0f}", f"{p.ms:.2f}", *(f"{p.accuracy[f]:.1f}" for f in FIGURES)]
        for p in points
    ]
    print(table(["model", "MMACs", "ms", *FIGURES], cells))
    alike = [p for p in points if p.memory and any(p.precision == s.precision for s in singles)]
    if alike:
        print("\nper-frame at equal accuracy, times the model's cost: multiply-adds, ms\n")
        rows = [
            [p.name, *(", ".join(times_less(p, singles, f, c) for c in ("mmacs", "ms"))
                       for f in FIGURES)]
            for p in alike
        ]  # fmt: skip
        print(table(["model", *FIGURES], rows))
    if given.out is not None:
        draw(points, given.out)


if __name__ == "__main__":
    main()
