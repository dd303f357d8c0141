"""What is wrong with a recipe, in words: the nearest known key, numbers that cannot be meant."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ValidationError

LARGEST = 1e9
"""No number of a recipe is larger."""


def describe(error: ValidationError, model: type[BaseModel]) -> str:
    """All faults in one line, each with its key."""
    return "; ".join(
        ": ".join([".".join(map(str, fault["loc"])), _said(fault, model)]).removeprefix(": ")
        for fault in error.errors()
    )


def impossible_number(content: object, key: str = "") -> str | None:
    """The first number that is infinite, none at all, or beyond `LARGEST`, by its key."""
    if isinstance(content, Mapping):
        parts = [(f"{key}.{name}" if key else str(name), each) for name, each in content.items()]
    elif isinstance(content, (list, tuple)):
        parts = [(f"{key}.{place}", each) for place, each in enumerate(content)]
    elif isinstance(content, (int, float)) and not abs(content) <= LARGEST:
        return f"{key}: {content} is no number that can be meant here"
    else:
        return None
    return next(filter(None, (impossible_number(each, name) for name, each in parts)), None)


def _said(fault: Mapping[str, Any], model: type[BaseModel]) -> str:
    message = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        *path, key = fault["loc"]
        names = sorted(_names(_classes_at(path, model)))
        near = get_close_matches(str(key), names, 1)
        return f"unknown key; did you mean {near[0]}?" if near else _known(names)
    if fault["type"] == "union_tag_invalid":
        tags = str(fault["ctx"]["expected_tags"]).replace("'", "").split(", ")
        near = get_close_matches(str(fault["ctx"]["tag"]), tags, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        which = str(fault["ctx"]["discriminator"]).strip("'")
        return f"no {which} '{fault['ctx']['tag']}'{hint}; known are {', '.join(tags)}"
    return message


def _known(names: Sequence[str]) -> str:
    return f"unknown key; known are {', '.join(names)}" if names else "unknown key"


def _classes_at(path: Sequence[int | str], model: type[BaseModel]) -> list[type]:
    """The classes that a path of keys, union tags and places leads to."""
    classes: list[type] = [model]
    for part in path:
        hints = [hint for each in classes for name, hint in _hints(each).items() if name == part]
        if hints:
            classes = [found for hint in hints for found in _classes_in(hint)]
        else:  # not a key: which of several classes it is
            classes = [each for each in classes if part in _tags(each)] or classes
    return classes


def _classes_in(hint: Any) -> Iterator[type]:
    if get_origin(hint) in (Annotated, Union, types.UnionType, tuple, list, dict):
        for part in get_args(hint):
            yield from _classes_in(part)
    elif isinstance(hint, type) and (issubclass(hint, BaseModel) or is_dataclass(hint)):
        yield hint


def _hints(each: type) -> dict[str, Any]:
    hints = get_type_hints(each, include_extras=True)
    return {name: hint for name, hint in hints.items() if name in _names([each])}


def _names(classes: Sequence[type]) -> set[str]:
    return {
        name
        for each in classes
        for name in (
            each.model_fields
            if issubclass(each, BaseModel)
            else [field.name for field in fields(each)]  # type: ignore[arg-type]
        )
    }


def _tags(each: type) -> set[str]:
    """What a union may call the class: its name, or the value of its discriminator."""
    literals = [
        value
        for hint in _hints(each).values()
        if get_origin(hint) is Literal
        for value in get_args(hint)
    ]
    return {each.__name__, *map(str, literals)}
