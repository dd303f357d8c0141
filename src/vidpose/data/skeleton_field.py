"""The skeleton of a recipe: a name or a file on the way in, whole in the checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator

from vidpose.errors import SkeletonError
from vidpose.skeleton import SKELETONS, Skeleton, find_skeleton


def _read(value: Any) -> Skeleton:
    if isinstance(value, Skeleton):
        return value
    try:
        if isinstance(value, Mapping):
            return Skeleton.from_dict(value)
        if isinstance(value, (str, Path)):
            return find_skeleton(value)
    except SkeletonError as error:
        raise ValueError(str(error)) from error
    raise ValueError("give a skeleton's name or its file")


def _written(skeleton: Skeleton) -> str | dict[str, Any]:
    """Its name where it comes with vidpose; files change, so all of it otherwise."""
    known = SKELETONS.get(skeleton.name) == skeleton
    return skeleton.name if known else skeleton.to_dict()


SkeletonField = Annotated[Skeleton, PlainValidator(_read), PlainSerializer(_written)]
