"""Options that several verbs have: said in the same words wherever they mean the same.

An option that one verb alone has, or that means another thing there, stands in the verb's file.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from vidpose.defaults import DEFAULT_MODEL, FAST_MODEL

PART, PEOPLE = "Which part of the video", "Which people, and how"
DRAWING = "How they are drawn"


class RuntimeChoice(str, Enum):
    """What ``--runtime`` takes."""

    onnxruntime = "onnxruntime"
    openvino = "openvino"
    auto = "auto"


ResultArgument = Annotated[
    Path, typer.Argument(metavar="RESULT", help="A result of vidpose: .jsonl or .parquet.")
]

ModelOption = Annotated[
    str | None,
    typer.Option(
        help="Name of a shipped model (see `vidpose models`) or a bundle's path.",
        show_default=DEFAULT_MODEL,
    ),
]
FastOption = Annotated[
    bool, typer.Option("--fast", help=f"Less accurate in about half of the time: {FAST_MODEL}.")
]
DetectorOption = Annotated[
    str | None,
    typer.Option(
        help="Another person detector: a bundle, or a YOLOX- or RTMDet-style ONNX file.",
        show_default="the shipped finder",
    ),
]
RuntimeOption = Annotated[
    RuntimeChoice,
    typer.Option(
        help="What runs the networks. openvino: needs `pip install 'vidpose\\[openvino]'`, "
        "takes the float version of an INT8 model. auto: "
        "each model is timed on both for a moment, and the choice is printed."
    ),
]
AllThreadsOption = Annotated[
    int | None, typer.Option(min=1, help="Threads of the networks.", show_default="all cores")
]
AnglesOption = Annotated[
    bool, typer.Option("--angles", help="Add joint and segment angles to .csv and .parquet.")
]

StartOption = Annotated[
    str,
    typer.Option(
        metavar="TIME",
        help="Begin here: seconds or hh:mm:ss.mmm from the video's first frame.",
        show_default="the beginning",
        rich_help_panel=PART,
    ),
]
EndOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Stop before the frame of this time.",
        show_default="the end",
        rich_help_panel=PART,
    ),
]
EveryOption = Annotated[
    int,
    typer.Option(min=1, metavar="N", help="Take only every Nth frame.", rich_help_panel=PART),
]
MaxSideOption = Annotated[
    int | None,
    typer.Option(
        min=16,
        metavar="PIXELS",
        help="Make larger pictures smaller, before people are detected and drawn, until "
        "their longer side has so many pixels: for 4K. Coordinates in tables stay those of "
        "the video.",
        show_default=False,
        rich_help_panel=PART,
    ),
]

MaxPeopleOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Follow at most this many people at a time; those who are there first stay.",
        show_default="all",
        rich_help_panel=PEOPLE,
    ),
]
MinScoreOption = Annotated[
    float,
    typer.Option(
        min=0.0,
        max=1.0,
        help="Leave people out of the frames in which their score is below this.",
        rich_help_panel=PEOPLE,
    ),
]
ConfirmScoreOption = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=1.0,
        help="Leave out who never has this median score over a second, as drawings and posters "
        "do; 0 takes everybody.",
        show_default="0.6, or 0 for models without calibrated confidences",
        rich_help_panel=PEOPLE,
    ),
]
NoSmoothOption = Annotated[
    bool,
    typer.Option(
        "--no-smooth", help="Leave the keypoints as the network gives them.", rich_help_panel=PEOPLE
    ),
]

DrawMinConfidenceOption = Annotated[
    float,
    typer.Option(
        min=0.0,
        max=1.0,
        help="Keypoints below this confidence are not drawn.",
        rich_help_panel=DRAWING,
    ),
]
TrailsOption = Annotated[
    float,
    typer.Option(
        min=0.0,
        max=3600.0,
        metavar="SECONDS",
        help="Show everybody's way of the last seconds.",
        rich_help_panel=DRAWING,
    ),
]
IdsOnlyOption = Annotated[
    bool, typer.Option("--ids-only", help="Draw boxes and ids alone.", rich_help_panel=DRAWING)
]
BlurFacesOption = Annotated[
    bool,
    typer.Option(
        "--blur-faces",
        help="Make the heads of the people who were found unrecognisable.",
        rich_help_panel=DRAWING,
    ),
]
OnBlackOption = Annotated[
    bool,
    typer.Option("--on-black", help="Draw skeletons without the picture.", rich_help_panel=DRAWING),
]

BundleOutOption = Annotated[
    Path, typer.Option("--out", "-o", help="Bundle to write, NAME.vidpose.")
]
LabelsOutOption = Annotated[Path, typer.Option("--out", "-o", help="File for the labels, .json.")]

QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Say nothing but warnings and errors.")
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace outputs that exist already.")
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")]
