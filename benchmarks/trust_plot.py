"""The picture of trust_curve.py; needs matplotlib, of `vidpose[bench]`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

NEVER = 3.0  # initialisations per minute where "never" is drawn on the logarithmic axis


class Point(Protocol):
    """What is drawn of a policy."""

    @property
    def family(self) -> str: ...
    @property
    def policy(self) -> str: ...
    @property
    def inits_per_minute(self) -> float: ...
    @property
    def pck(self) -> float: ...
    @property
    def acceleration(self) -> float: ...


def draw(sets: Mapping[str, Sequence[Point]], title: str, path: Path) -> None:
    """PCK above, acceleration error below, one column for each set, a line for each family.

    Policies between "never" and "every frame" that drew frames by lot would lie on the dotted line.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5 * len(sets) + 1.8, 5.5), layout="constrained")
    panels = figure.subplots(2, len(sets), sharex=True, squeeze=False)
    for column, (name, points) in enumerate(sets.items()):
        for row, (quantity, label) in enumerate(
            (("pck", "PCK@0.2, %"), ("acceleration", "acceleration error, 1/1000"))
        ):
            axes = panels[row][column]
            for family in dict.fromkeys(point.family for point in points):
                chosen = sorted(
                    (p for p in points if p.family == family),
                    key=lambda point: point.inits_per_minute,
                )
                axes.plot(
                    [max(point.inits_per_minute, NEVER) for point in chosen],
                    [getattr(point, quantity) for point in chosen],
                    label=_label(family) if (row, column) == (0, 0) else None,
                    **_style(family),
                )
            ends = [point for point in points if point.family == "ends"]
            by_lot = "frames drawn by lot" if (row, column) == (0, 0) else None
            line = {"color": "grey", "linestyle": ":", "linewidth": 1.5}
            axes.plot(*_straight(ends, quantity), label=by_lot, **line)
            axes.set_xscale("log")
            axes.grid(alpha=0.3)
            axes.set_ylabel(label)
        panels[0][column].set_title(name)
        panels[1][column].set_xlabel("initialisations per minute (left end: never)")
    figure.suptitle(title)
    figure.legend(loc="outside right upper", frameon=False)
    figure.savefig(path, format="png", dpi=90)


def _straight(ends: Sequence[Point], quantity: str) -> tuple[list[float], list[float]]:
    """The line between the two ends; on a logarithmic axis it is bent."""
    never, every = sorted(ends, key=lambda point: point.inits_per_minute)
    low, high = getattr(never, quantity), getattr(every, quantity)
    inits = [NEVER * (every.inits_per_minute / NEVER) ** (number / 50) for number in range(51)]
    return inits, [low + (high - low) * each / every.inits_per_minute for each in inits]


def _label(family: str) -> str:
    return "never, every frame" if family == "ends" else family


def _style(family: str) -> dict[str, object]:
    if family == "ends":
        return {"linestyle": "none", "marker": "s", "color": "black"}
    if family == "the bundle's":
        return {"linestyle": "none", "marker": "*", "markersize": 13, "color": "black"}
    style: dict[str, object] = {"marker": "o", "markersize": 4}
    colours = {"the bundle's, with drops": "black", "score and age": "tab:olive"}
    return style | ({"color": colours[family]} if family in colours else {})
