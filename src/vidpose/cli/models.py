"""``vidpose models``: what models are at hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from vidpose.cli._errors import DebugOption


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
    from rich.console import Console
    from rich.table import Table

    from vidpose.bundle import find_bundle, read_bundle

    table = Table()
    for column in ("model", "kind", "skeleton", "MB", "measured", "licence"):
        table.add_column(column, justify="right" if column == "MB" else "left")
    for name in names:
        path = find_bundle(name)
        bundle = read_bundle(path)
        table.add_row(
            f"{bundle.name} {bundle.version}",
            bundle.kind,
            bundle.skeleton.name if bundle.skeleton else "-",
            f"{path.stat().st_size / 1e6:.1f}",
            "\n".join(_flat(bundle.metrics)) or "-",
            bundle.licence,
        )
    Console().print(table)


def _flat(metrics: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """One line per number, nested names joined: ``lspet PCK@0.2: 71.3``."""
    for key, value in metrics.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key} ")
        else:
            yield f"{prefix}{key}: {value}"
