"""``vidpose export``: from a training checkpoint to a bundle that ``vidpose run`` takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidpose.cli._errors import DebugOption, needs_extra


def export(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="Checkpoint that training has written.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Bundle to write, NAME.vidpose.")],
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
        from vidpose.export import export_checkpoint
    export_checkpoint(checkpoint, out)
    print(f"wrote {out}")
