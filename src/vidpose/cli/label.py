"""``vidpose label``: a teacher's keypoints for images without labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidpose.cli._errors import needs_extra
from vidpose.cli._files import check_outputs
from vidpose.cli._options import DebugOption, LabelsOutOption, OverwriteOption
from vidpose.words import counted


def label(
    data: Annotated[
        str,
        typer.Argument(metavar="DATA", help="Data set: lspet:FOLDER, ccp:FOLDER or coco:FOLDER."),
    ],
    out: LabelsOutOption,
    teacher: Annotated[Path, typer.Option(help="ONNX file of a teacher that gives 17 heatmaps.")],
    detector: Annotated[
        Path | None,
        typer.Option(help="Person detector for data without boxes: a bundle or an ONNX file."),
    ] = None,
    overwrite: OverwriteOption = False,
    debug: DebugOption = False,
) -> None:
    """Write the keypoints that a teacher network sees in a data set's images.

    Needs the training libraries: pip install 'vidpose\\[train]'.

    \b
    Example:
      vidpose label lspet:data/lspet --teacher tinypose_256x192.onnx --out labels/lspet.json
    """
    check_outputs([out], overwrite=overwrite)
    with needs_extra("train"):
        from vidpose.data.pseudo_labels.label_keypoints import write_labels
    people = counted(write_labels(data, out, teacher, detector), "person", "people")
    print(f"wrote {out}: {people}")
