"""``vidpose label``: a teacher's keypoints for images without labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidpose.cli._errors import DebugOption, needs_extra


def label(
    data: Annotated[
        str,
        typer.Argument(metavar="DATA", help="Data set to label: its kind and folder, KIND:FOLDER."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="File for the labels.")],
    teacher: Annotated[Path, typer.Option(help="ONNX file of the teacher.")],
    detector: Annotated[
        Path | None,
        typer.Option(help="ONNX file of a person detector, for data without boxes."),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Write the keypoints that a teacher network sees in a data set's images.

    Needs the training libraries: pip install 'vidpose\\[train]'.

    \b
    Example:
      vidpose label ccp:data/ccp --teacher tinypose_256x192.onnx --out cache/ccp_labels.npz
    """
    with needs_extra("train"):
        from vidpose.train.label import write_labels
    write_labels(data, out, teacher, detector)
