"""The stages as a picture; needs matplotlib, of the optional part `vidpose[bench]`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from vidpose.bench.measure import Run
from vidpose.bench.stages import LATENCY, STEP
from vidpose.files import AtomicFile, cannot_write

COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "decode video": "#8c8c8c",
        "detect": "#d55e00",
        "crop": "#f6d55c",
        "initialise": "#0b3c8c",
        STEP: "#5aa9e6",
        "decode maps": "#c5b0d5",
        "track": "#2a9d5c",
        "smooth": "#b7e4a8",
        "draw": "#c9c9c9",
        "write": "#e6e6e6",
    }
)
"""The video in greys, the networks in strong colours, what lies between them in light ones."""
ROOM = 0.07  # of the longest bar, from which a stage's figure fits into its part


def draw_stages(runs: Sequence[Run], title: str, path: Path) -> None:
    """A .png with one bar for each run: mean milliseconds for each frame, stacked by stage.

    Raises ModuleNotFoundError without matplotlib, OutputError when `path` cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 2.9 + 0.45 * len(runs)), layout="constrained")
    axes = figure.add_subplot()
    totals = [sum(_means(run).values()) for run in runs]
    rows = range(len(runs))  # not the names: two runs may have the same one
    left = [0.0] * len(runs)
    for name in _means(runs[0]):
        widths = [_means(run)[name] for run in runs]
        bars = axes.barh(
            rows, widths, left=left, label=name, color=COLOURS[name], edgecolor="white", height=0.7
        )
        shown = [f"{width:.1f}" if width > ROOM * max(totals) else "" for width in widths]
        ink = "white" if name in ("detect", "initialise") else "black"
        axes.bar_label(bars, shown, label_type="center", fontsize=8, color=ink)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    for row, total in enumerate(totals):
        axes.text(total, row, f" {total:.1f} ms", va="center", fontweight="bold")
    axes.set_yticks(rows, [_name(run) for run in runs])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12 * max(totals))
    axes.set_xlabel(
        "ms for each frame of the video: mean over all frames, all people together,\n"
        "the stages one after the other (vidpose run overlaps the grey ones with the rest)"
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(f"Where the time of a frame goes: {title}", loc="left")
    figure.legend(
        loc="outside right center", frameon=False, title="stages, left to right", alignment="left"
    )
    target = AtomicFile(path)
    try:
        figure.savefig(target.temporary, format="png", dpi=150)
    except OSError as error:
        target.discard()
        raise cannot_write(path, error) from error
    target.commit()


def _means(run: Run) -> dict[str, float]:
    """Mean milliseconds of each stage, in order, without the sum of others."""
    return {stage.name: stage.mean_ms for stage in run.stages.stages if stage.name != LATENCY}


def _name(run: Run) -> str:
    return f"{run.scene}, {run.threads} thread{'s' if run.threads > 1 else ''}"
