"""``vidpose train``: train a model as its recipe says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidpose.cli._errors import needs_extra
from vidpose.cli._options import DebugOption


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

    A run goes on under its name with the same recipe, or with more steps; another recipe needs
    another name.

    Exit codes: 0 done; 1 data or weights are missing or faulty; 2 the recipe is.

    Needs the training libraries: pip install 'vidpose\\[train]'.

    \b
    Example:
      vidpose train recipes/dkd-base.yaml
    """
    with needs_extra("train"):
        from vidpose.training.loop import run_recipe
        from vidpose.training.recipe import read_recipe
        from vidpose.training.same_run import steps_done

    read = read_recipe(recipe, overrides or [])
    folder = Path("runs") / read.name
    done = steps_done(read, folder)
    checkpoint = run_recipe(recipe, overrides or [])
    if steps_done(read, folder) == done:
        print(f"already done: {checkpoint} ({done:,} steps; steps=NUMBER adds more)")
    else:
        print(f"trained: {checkpoint}")
