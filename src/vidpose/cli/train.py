"""``vidpose train``: train a model as its recipe says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidpose.cli._errors import DebugOption, needs_extra


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="YAML file of the recipe.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...", help="Values in place of the recipe's.", show_default=False
        ),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Train a model; a run that was stopped goes on from its last checkpoint.

    Needs the training libraries: pip install 'vidpose\\[train]'.

    \b
    Example:
      vidpose train recipes/dkd-lite.yaml
    """
    with needs_extra("train"):
        from vidpose.training.loop import run_recipe
    print(f"trained: {run_recipe(recipe, overrides or [])}")
