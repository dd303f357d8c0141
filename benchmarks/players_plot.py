"""Draws both players of adversarial trainings over their steps, from their logs.

    python benchmarks/players_plot.py --out players.svg \\
        "as in BEGAN=runs/jhmdb/03-seed1" "lambda free=runs/jhmdb/04-seed1"

Each run is TITLE=FOLDER, FOLDER one that `vidpose train` wrote with `task.adversarial`. Left: how
well the discriminator reconstructs the changes of true and of found maps (methods/dkd/
adversarial.py, equation 10). Middle: lambda, what the pose networks feel of it. Right: the pose
networks' loss on the labels and with the adversary's part; equal where the adversary is silent.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

PANELS = (
    ("reconstruction error", {"reconstruction_true": "true maps", "reconstruction_found": "found"}),
    ("lambda", {"balance": "lambda"}),
    ("loss of the pose networks", {"loss_maps": "labels", "loss_networks": "with the adversary"}),
)


def read_log(folder: Path) -> dict[str, list[float]]:
    """The figures of a run's training steps, by name. Raises SystemExit where there are none."""
    file = folder / "log.jsonl"
    if not file.is_file():
        raise SystemExit(f"{file} is missing: give the folder of a training")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    steps = [line for line in lines if "balance" in line]
    if not steps:
        raise SystemExit(f"{file}: no adversarial training (task.adversarial)")
    return {name: [line[name] for line in steps] for name in steps[0]}


def draw(runs: dict[str, dict[str, list[float]]], out: Path) -> None:
    """One row of panels for each run, into an .svg or .png file."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 2.6 * len(runs)), layout="constrained")
    rows = figure.subplots(len(runs), len(PANELS), sharex=True, squeeze=False)
    for row, (title, log) in zip(rows, runs.items(), strict=True):
        for axes, (label, lines) in zip(row, PANELS, strict=True):
            for name, called in lines.items():
                axes.plot(log["step"], log[name], label=called)
            axes.set_title(f"{title}: {label}", fontsize=9)
            axes.grid(alpha=0.3)
            axes.legend(fontsize=8)
            axes.ticklabel_format(useOffset=False)
    for axes in rows[-1]:
        axes.set_xlabel("step")
    out.parent.mkdir(parents=True, exist_ok=True)
    with rc_context({"svg.fonttype": "none"}):
        figure.savefig(out)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", help="TITLE=FOLDER")
    parser.add_argument("--out", type=Path, required=True, help=".svg or .png")
    given = parser.parse_args()
    named = [run.rpartition("=") for run in given.runs]
    if any(not title for title, _, _ in named):
        parser.error("each run is TITLE=FOLDER")
    draw({title: read_log(Path(folder)) for title, _, folder in named}, given.out)
    print(f"wrote {given.out}")


if __name__ == "__main__":
    main()
