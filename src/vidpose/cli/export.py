"""``vidpose export``: from a training checkpoint to a bundle that ``vidpose run`` takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidpose.cli._errors import DebugOption, needs_extra
from vidpose.errors import InputError


def export(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="Checkpoint that training has written.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Bundle to write, NAME.vidpose.")],
    trust: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="A threshold of the bundle's trust, e.g. max_age=0.5 (seconds between two looks "
            "of the initializer); may be given several times.",
            show_default=False,
        ),
    ] = None,
    stills: Annotated[
        str | None,
        typer.Option(
            metavar="NAME:PATH",
            help="Labelled stills (lspet, coco or mpii) on which a network that learnt from video "
            "is measured and calibrated.",
            show_default=False,
        ),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Write a bundle: ONNX graphs, settings and model card in one file.

    The ONNX graphs are compared with the torch network on real crops; where they differ, no file
    is written. Needs the training libraries: pip install 'vidpose\\[train]'.

    \b
    Example:
      vidpose export runs/dkd-lite/last.pt --out dkd-lite.vidpose
    """
    with needs_extra("train"):
        from vidpose.data.stills import StillsConfig
        from vidpose.export import export_checkpoint
    measured = None if stills is None else StillsConfig.model_validate(_stills(stills))
    export_checkpoint(checkpoint, out, _thresholds(trust or []), measured)
    print(f"wrote {out}")


def _stills(given: str) -> dict[str, Path]:
    name, _, path = given.partition(":")
    if name not in ("lspet", "coco", "mpii") or not path:
        raise InputError(f"--stills {given}: give NAME:PATH with lspet, coco or mpii")
    return {name: Path(path)}


def _thresholds(words: list[str]) -> dict[str, float]:
    found = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            found[name] = float(value)
        except ValueError:
            raise InputError(f"--trust {word}: give NAME=VALUE, e.g. max_age=0.5") from None
    return found
