"""``vidpose draw``: a result, cleaned perhaps, drawn on its video."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidpose.cli._errors import UsageMistake
from vidpose.cli._files import check_outputs
from vidpose.cli._options import (
    BlurFacesOption,
    DebugOption,
    DrawMinConfidenceOption,
    IdsOnlyOption,
    OnBlackOption,
    OverwriteOption,
    ResultArgument,
    TrailsOption,
)
from vidpose.errors import OutputError
from vidpose.words import counted


def draw(
    result: ResultArgument,
    video: Annotated[str, typer.Argument(metavar="VIDEO", help="What it was made from.")],
    out: Annotated[
        list[Path],
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="What to draw; may be given several times: .mp4 with the video's sound, .gif or "
            ".webp, .jpg or .png (a contact sheet), 'frames/*.png'.",
        ),
    ],
    draw_min_confidence: DrawMinConfidenceOption = 0.05,
    trails: TrailsOption = 0.0,
    ids_only: IdsOnlyOption = False,
    blur_faces: BlurFacesOption = False,
    on_black: OnBlackOption = False,
    overwrite: OverwriteOption = False,
    debug: DebugOption = False,
) -> None:
    """Draw a result on its video: merged ids, filled gaps and filtered poses.

    \b
    Examples:
      vidpose convert dance.jsonl --out clean.jsonl --merge-ids auto --lowpass 6
      vidpose draw clean.jsonl dance.mp4 --out clean.mp4
    """
    from vidpose.io import read_results
    from vidpose.pipeline import draw_video
    from vidpose.pipeline.redraw import check_drawn_outputs
    from vidpose.video.drawing import DrawStyle

    try:
        check_drawn_outputs(out, video, overwrite=overwrite)
    except OutputError as error:
        raise UsageMistake(f"--out {error}") from error
    check_outputs(out, overwrite=overwrite, inputs=[result, video])
    style = DrawStyle(draw_min_confidence, trails, ids_only, blur_faces, on_black)
    frames = draw_video(read_results(result), video, out, style=style, overwrite=overwrite)
    for path in out:
        print(f"wrote {path} ({counted(frames, 'frame')})")
