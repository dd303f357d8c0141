"""The stages as a picture; needs matplotlib, of the optional part `vidpose[bench]`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vidpose.bench.measure import Run
from vidpose.bench.stages import LATENCY
from vidpose.io.atomic import AtomicFile, cannot_write


def draw_stages(runs: Sequence[Run], title: str, path: Path) -> None:
    """A .png with one bar for each run: mean milliseconds for each frame, stacked by stage.

    Raises ModuleNotFoundError without matplotlib, OutputError when `path` cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.8 + 0.4 * len(runs)), layout="constrained")
    axes = figure.add_subplot()
    names = [f"{run.scene}, threads {run.threads}" for run in runs]
    left = [0.0] * len(runs)
    colours = _colours()
    for number, stage in enumerate(runs[0].stages.stages):
        if stage.name == LATENCY:  # the sum of others
            continue
        widths = [run.stages.stages[number].mean_ms for run in runs]
        axes.barh(names, widths, left=left, label=stage.name, color=colours[number])
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("ms for each frame, mean")
    axes.set_title(title)
    figure.legend(loc="outside right upper", frameon=False)
    target = AtomicFile(path)
    try:
        figure.savefig(target.temporary, format="png", dpi=150)
    except OSError as error:
        target.discard()
        raise cannot_write(path, error) from error
    target.commit()


def _colours() -> Sequence[tuple[float, float, float]]:
    """More than there are stages, easy to tell apart."""
    from matplotlib import colormaps

    return [colormaps["tab20"](number)[:3] for number in range(20)]
