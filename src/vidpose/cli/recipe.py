"""``vidpose recipe``: recipe files for labels of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidpose.cli._errors import DebugOption, needs_extra

recipe = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Write recipes for labels of your own.\n\nExample: vidpose recipe new "
    "--data coco:labels.json --skeleton mine.yaml --movenet movenet_lightning.onnx",
)


@recipe.callback()
def _recipe() -> None:
    """Write recipes for labels of your own."""


@recipe.command("new")
def new(
    data: Annotated[
        str,
        typer.Option(
            metavar="coco:PATH|yolo:PATH",
            help="Your labels: a COCO keypoint file, a folder of them, or a YOLO-pose data.yaml.",
        ),
    ],
    skeleton: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="Your keypoints, e.g. mine.yaml.")
    ],
    movenet: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="Start of both networks: MoveNet Lightning's .onnx (Apache-2.0)."
        ),
    ],
    thunder: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="MoveNet Thunder's .onnx: a wider initializer, slower to train.",
            show_default="Lightning's",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Of the bundle and the recipes.", show_default="the skeleton's"),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Of the initializer's training.")] = 1500,
    batch: Annotated[int, typer.Option(min=1, help="People in a step.")] = 32,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the recipes.")] = Path(
        "recipes"
    ),
    debug: DebugOption = False,
) -> None:
    """Check labels and write two recipes: an initializer, and a step network for video.

    The next commands are printed: train both, export, evaluate by OKS, run.

    Needs the training libraries: pip install 'vidpose\\[train]'.

    \b
    Example:
      vidpose recipe new --data coco:labels.json --skeleton mine.yaml --movenet lightning.onnx
    """
    with needs_extra("train"):
        from vidpose.training.own_recipes import FEW, NewRecipes, write_recipes
    from vidpose.skeleton import find_skeleton

    chosen = name or find_skeleton(skeleton).name
    recipes = NewRecipes(chosen, data, skeleton, thunder or movenet, movenet, steps, batch)
    first, second, parts = write_recipes(recipes, out)
    for part in parts:
        images = len({person.image_id for person in part.people})
        print(f"{part.clips().split}: {len(part.people):,} people in {images:,} images")
    if len(parts[0].people) < FEW:
        print(f"fewer than {FEW} people to learn from: a try of the commands, no more")
    print(f"wrote {first} and {second}; next:")
    bundle = f"{chosen}.vidpose"
    for line in (
        f"vidpose train {first}",
        f"vidpose train {second}",
        f"vidpose export runs/{chosen} --out {bundle}",
        f"vidpose eval {bundle} --data {data} --skeleton {skeleton} --protocol coco-oks",
        f"vidpose run VIDEO --model {bundle}",
    ):
        print(f"  {line}")
