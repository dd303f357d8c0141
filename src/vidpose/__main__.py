"""The command ``vidpose``: the table of its verbs, and the exit codes.

Exit codes: 0 done; 1 something failed (each failure named on stderr); 2 wrong usage;
130 interrupted, 143 terminated.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated

import typer

from vidpose.cli._errors import FAILED, WRONG_USAGE, UsageMistake, say_error, show_notices
from vidpose.cli._interrupt import end_on_termination
from vidpose.cli._streams import exit_code_of, print_anything
from vidpose.cli.batch import batch
from vidpose.cli.bench import bench
from vidpose.cli.convert import convert
from vidpose.cli.data import data
from vidpose.cli.doctor import doctor
from vidpose.cli.draw import draw
from vidpose.cli.eval import evaluate
from vidpose.cli.export import export
from vidpose.cli.import_ import import_network
from vidpose.cli.label import label
from vidpose.cli.label_people import label_people
from vidpose.cli.live import live
from vidpose.cli.models import models
from vidpose.cli.recipe import recipe
from vidpose.cli.report import report
from vidpose.cli.run import run
from vidpose.cli.train import train
from vidpose.errors import RecipeError

VERBS: dict[str, Callable[..., None]] = {
    "run": run,
    "batch": batch,
    "live": live,
    "convert": convert,
    "draw": draw,
    "report": report,
    "models": models,
    "doctor": doctor,
    "eval": evaluate,
    "bench": bench,
    "label": label,
    "label-people": label_people,
    "train": train,
    "export": export,
    "import": import_network,
}

app = typer.Typer(
    name="vidpose",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for _name, _function in VERBS.items():
    app.command(_name)(_function)
app.add_typer(data, name="data")
app.add_typer(recipe, name="recipe")


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"vidpose {version('vidpose')}")
        raise typer.Exit


@app.callback(epilog="Each verb explains itself with examples: vidpose run --help")
def vidpose(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """2D human pose in video on ordinary CPUs."""


def main() -> None:
    """Entry point of the console script."""
    print_anything()
    show_notices()
    with end_on_termination():
        sys.exit(exit_code_of(_run))


def _run() -> None:
    try:
        _refuse_empty(sys.argv[1:])
        app()
    except (UsageMistake, RecipeError) as mistake:
        say_error(mistake)
        sys.exit(WRONG_USAGE)
    except KeyboardInterrupt:
        print("vidpose: interrupted", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        say_error(error)
        sys.exit(FAILED)


def _refuse_empty(arguments: list[str]) -> None:
    """No argument may be empty: as a path it would stand for the current folder."""
    for before, argument in zip(["vidpose", *arguments], arguments, strict=False):
        if not argument.strip() or (argument.startswith("--") and argument.endswith("=")):
            place = f"after '{before}'" if not argument.strip() else f"of {argument[:-1]}"
            raise UsageMistake(
                f"the argument {place} is empty (a shell variable without a value?); give one, or "
                "leave it out"
            )


if __name__ == "__main__":
    main()
