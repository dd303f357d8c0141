"""A skeleton by its name or from a file."""

from __future__ import annotations

from pathlib import Path

from vidpose.errors import SkeletonError
from vidpose.skeleton.file import SUFFIXES, read_skeleton
from vidpose.skeleton.known import SKELETONS
from vidpose.skeleton.skeleton import Skeleton


def find_skeleton(name_or_path: str | Path) -> Skeleton:
    """The shipped skeleton of a name, or the one in a .yaml, .yml or .json file.

    Raises SkeletonError that names the shipped ones when there is none of that name, or as
    `read_skeleton`.
    """
    path = Path(name_or_path)
    if path.suffix.lower() in SUFFIXES:
        return read_skeleton(path)
    if str(name_or_path) in SKELETONS:
        return SKELETONS[str(name_or_path)]
    raise SkeletonError(
        f"skeleton '{name_or_path}' is not known: give a file ({' '.join(SUFFIXES)}) or one of "
        f"{', '.join(SKELETONS)}"
    )
