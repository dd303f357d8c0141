"""Whether a run folder holds the run of a recipe: going on needs the same recipe, or more steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vidpose.errors import RecipeError
from vidpose.nn.checkpoint import LAST, load_checkpoint
from vidpose.training.recipe import Recipe

_FREE = frozenset({"name", "workers", "log_every", "evaluate_every", "checkpoint_every"})
"""Keys that do not change the result."""
_GROWING = ("steps", "minutes")
"""Keys that may grow: the run goes on."""


def steps_done(recipe: Recipe, folder: Path) -> int:
    """The steps that the folder's checkpoint has behind it; 0 without one.

    Raises RecipeError, naming the keys, where it is of a recipe with another result.
    """
    if not (folder / LAST).exists():
        return 0
    state = load_checkpoint(folder / LAST)
    refuse_another(recipe, state["recipe"], folder)
    return int(state["step"])


def refuse_another(recipe: Recipe, had: Mapping[str, Any], folder: Path) -> None:
    """Raise RecipeError where `had`, a checkpoint's recipe, gives another result than `recipe`."""
    try:  # fills in what an older version did not know
        then = dict(_flat(Recipe.model_validate(had).model_dump(mode="json")))
    except ValidationError:
        then = dict(_flat(had))
    now = dict(_flat(recipe.model_dump(mode="json")))
    changed = [
        f"{key} was {_shown(then.get(key))} and is {_shown(now.get(key))}"
        for key in dict.fromkeys([*now, *then])
        if not _may_differ(key, then.get(key), now.get(key))
    ]
    if changed:
        raise RecipeError(
            f"{folder}: holds a run of another recipe: {'; '.join(changed)}; move it away or give "
            "this recipe another name (only steps may grow)"
        )


def _may_differ(key: str, then: Any, now: Any) -> bool:
    if key in _FREE or key.rpartition(".")[2] == "cache":
        return True
    if key in _GROWING and then is not None and now is not None:
        return bool(now >= then)
    return bool(then == now) or _same_path(then, now)


def _same_path(then: Any, now: Any) -> bool:
    """Whether two values are paths of one place, written in two ways."""
    if not (isinstance(then, str) and isinstance(now, str) and "/" in then + now):
        return False
    return Path(then).resolve() == Path(now).resolve()


def _flat(content: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Every value by its dotted key; a key that is None is as good as not given."""
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        elif value is not None:
            yield f"{before}{key}", list(value) if isinstance(value, tuple) else value


def _shown(value: Any) -> str:
    return "not given" if value is None else str(value)
