"""``vidpose recipe``: recipe files for labels of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidpose.cli._errors import needs_extra
from vidpose.cli._options import DebugOption
from vidpose.words import counted

recipe = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Write recipes for labels of your own.\n\nExample: vidpose recipe new "
    "--data coco:labels.json --skeleton mine.yaml",
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
    start: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            help="Bundle whose weights are the start: a shipped model's name or a path.",
        ),
    ] = "dkd-lite-int8",
    name: Annotated[
        str | None,
        typer.Option(help="Of the bundle and the recipes.", show_default="the skeleton's"),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Of the initializer's training.")] = 200,
    batch: Annotated[int, typer.Option(min=1, help="People in a step.")] = 16,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the recipes.")] = Path(
        "recipes"
    ),
    debug: DebugOption = False,
) -> None:
    """Check labels and write two recipes: an initializer, and a step network for video.

    Both start with the weights of a shipped model: maps of keypoints that it has by name (COCO's)
    are copied, others start as their neighbours'. The next commands are printed: train both,
    export, evaluate by OKS and PCK, run.

    Needs the training libraries: pip install 'vidpose\\[train]'.

    \b
    Example:
      vidpose recipe new --data coco:labels.json --skeleton mine.yaml
    """
    with needs_extra("train"):
        from vidpose.training.own_recipes import FEW, NewRecipes, write_recipes
    from vidpose.skeleton import find_skeleton

    chosen = name or find_skeleton(skeleton).name
    recipes = NewRecipes(chosen, data, skeleton, start, steps, batch)
    first, second, parts = write_recipes(recipes, out)
    for part in parts:
        images = len({person.image_id for person in part.people})
        people = counted(len(part.people), "person", "people")
        print(f"{part.clips().split}: {people} in {counted(images, 'image')}")
    if len(parts[0].people) < FEW:
        print(f"fewer than {FEW} people to learn from: a try of the commands, no more")
    print(f"wrote {first} and {second}; next:")
    bundle = f"{chosen}.vidpose"
    for line in (
        f"vidpose train {first}",
        f"vidpose train {second}",
        f"vidpose export runs/{chosen} --out {bundle}",
        f"vidpose export runs/{chosen} --int8 --out {chosen}-int8.vidpose",
        f"vidpose eval {bundle} --data {data} --skeleton {skeleton} --protocol pck",
        f"vidpose eval {bundle} --data {data} --skeleton {skeleton} --protocol coco-oks",
        f"vidpose run VIDEO --model {bundle}",
    ):
        print(f"  {line}")
