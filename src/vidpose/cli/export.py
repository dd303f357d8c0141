"""``vidpose export``: from a training checkpoint to a bundle that ``vidpose run`` takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidpose.cli._errors import DebugOption, UsageMistake, needs_extra


def export(
    source: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT|MODEL",
            help="Checkpoint that training has written; for --int8 also a shipped model's name or "
            "a bundle's path.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Bundle to write, NAME.vidpose.")],
    int8: Annotated[
        bool,
        typer.Option(
            "--int8",
            help="Quantise, measure before and after, and refuse a loss beyond 0.5 points of PCK.",
        ),
    ] = False,
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME:PATH",
            help="For the INT8 of a MODEL: labelled people, lspet or coco, and penn_action to move "
            "them. A checkpoint's recipe names its own.",
        ),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Write a bundle: ONNX graphs, settings and model card in one file.

    The ONNX graphs are compared with the torch network on real crops; where they differ, no file
    is written. Needs the training libraries: pip install 'vidpose\\[train]'.

    \b
    Examples:
      vidpose export runs/dkd-lite/last.pt --out dkd-lite.vidpose
      vidpose export runs/dkd-lite/last.pt --int8 --out dkd-lite-int8.vidpose
      vidpose export dkd-lite --int8 --data lspet:LSPET --out dkd-lite-int8.vidpose
    """
    folders = _folders(data or [])
    is_bundle = _is_bundle(source)
    if is_bundle and not int8:
        raise UsageMistake(f"{source} is a bundle already: give a checkpoint, or --int8")
    if is_bundle and not folders:
        raise UsageMistake("--int8 of a model needs labelled people: --data lspet:PATH")
    if folders and not is_bundle:
        raise UsageMistake(
            "--data goes with --int8 of a model; a checkpoint's recipe names its own"
        )
    with needs_extra("train"):
        from vidpose.export import export_checkpoint, export_int8
    if is_bundle:
        export_int8(source, out, folders)
    else:
        export_checkpoint(Path(source), out, int8)
    print(f"wrote {out}")


def _is_bundle(source: str) -> bool:
    from vidpose.bundle import SUFFIX, bundled_models

    return source.endswith(SUFFIX) or (source in bundled_models() and not Path(source).exists())


def _folders(data: list[str]) -> dict[str, Path]:
    folders = {}
    for each in data:
        name, colon, folder = each.partition(":")
        if not colon or not name or not folder:
            raise UsageMistake(f"--data {each}: give NAME:PATH")
        folders[name] = Path(folder)
    return folders
