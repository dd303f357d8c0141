"""``vidpose models``: what models are at hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from vidpose.cli._errors import DebugOption

_MACS = "_mmacs"


def models(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME|PATH]", help="Show the card of this model.", show_default=False
        ),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """List the shipped models, or show one model's card: data, licences, accuracy.

    \b
    Examples:
      vidpose models
      vidpose models dkd-lite
    """
    from vidpose.bundle import bundled_models, find_bundle, read_bundle

    if name is not None:
        print(read_bundle(find_bundle(name)).card)
        return
    names = bundled_models()
    if not names:
        print("no models are shipped with this installation")
        return
    _print_table(names)


def _print_table(names: list[str]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from vidpose.bundle import find_bundle, read_bundle

    table = Table(box=box.SIMPLE)
    for column in ("model", "kind", "skeleton", "MB", "M params", "MMACs", "measured", "licence"):
        table.add_column(column, justify="right" if column.startswith("M") else "left")
    for name in names:
        path = find_bundle(name)
        bundle = read_bundle(path)
        parameters, macs, measured = _sorted_out(bundle.metrics)
        table.add_row(
            f"{bundle.name} {bundle.version}",
            bundle.kind,
            bundle.skeleton.name if bundle.skeleton else "-",
            f"{path.stat().st_size / 1e6:.1f}",
            parameters,
            macs,
            measured,
            bundle.licence,
        )
    Console().print(table)


def _sorted_out(metrics: Mapping[str, Any]) -> tuple[str, str, str]:
    """Parameters (millions), multiply-adds (millions, by graph) and the other figures as text."""
    count = metrics.get("parameters")
    macs = {name[: -len(_MACS)]: value for name, value in metrics.items() if name.endswith(_MACS)}
    others = {
        name: value
        for name, value in metrics.items()
        if name != "parameters" and not name.endswith(_MACS)
    }
    return (
        "-" if count is None else f"{count / 1e6:.2f}",
        "\n".join(f"{name} {value:.1f}" for name, value in macs.items()) or "-",
        "\n".join(f"{name} {value}" for name, value in others.items()) or "-",
    )
