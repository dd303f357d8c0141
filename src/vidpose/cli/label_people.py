"""``vidpose label-people``: boxes of people for the person finder's training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidpose.cli._errors import UsageMistake
from vidpose.cli._files import check_outputs
from vidpose.cli._options import DebugOption, LabelsOutOption, OverwriteOption
from vidpose.words import counted


def label_people(
    out: LabelsOutOption,
    teacher: Annotated[
        list[Path],
        typer.Option(help="ONNX file of a detector (YOLOX's or RTMDet's form); give two."),
    ],
    data: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DATA]...",
            help="Image sets, KIND:FOLDER; KIND: lspet, ccp, coco, coco_people, jhmdb.",
            show_default=False,
        ),
    ] = None,
    video: Annotated[
        list[str] | None,
        typer.Option(help="Video, folder or glob whose frames are labelled too; repeatable."),
    ] = None,
    rate: Annotated[float, typer.Option(min=0.01, help="Frames taken of a second of video.")] = 1.5,
    every: Annotated[
        int, typer.Option(min=1, help="Take one image in so many of lspet and of ccp.")
    ] = 1,
    overwrite: OverwriteOption = False,
    debug: DebugOption = False,
) -> None:
    """Write where two detectors agree that there are people.

    coco keeps its own boxes, coco_people too, and the detectors add whom it does not label. Frames
    of videos and of jhmdb's training clips go to folders beside the labels, NAME_frames and
    NAME_jhmdb.

    \b
    Example:
      vidpose label-people lspet:data/lspet ccp:data/ccp --video clips/ \\
        --teacher rtmdet_nano.onnx --teacher yolox_nano.onnx --out labels/finder.json
    """
    from vidpose.data.pseudo_labels.label_people import write_finder_labels

    if not (data or video):
        raise UsageMistake("nothing to label: give DATA as KIND:FOLDER, or --video, or both")
    if len(teacher) != 2:
        raise UsageMistake(f"give --teacher twice, two different detectors; got {len(teacher)}")
    check_outputs([out], overwrite=overwrite)
    count = write_finder_labels(data or [], video or [], rate, teacher, out, every)
    print(f"wrote {out}: {counted(count, 'image')}")
