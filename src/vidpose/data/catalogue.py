"""The data sets that the command line knows, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from vidpose.data import jhmdb, penn_action
from vidpose.data.clips import ClipSet
from vidpose.data.jhmdb import Part, Subset


@dataclass(frozen=True, slots=True)
class DataSet:
    """How a data set is opened.

    `open`: the clips of a split, given the data set's root. `evaluated`: the splits that stand
    for the data set, one after the other, never together. `more`: other splits to evaluate on.
    `parts`: all that makes up the data set, for a check.
    """

    open: Callable[[Path, str], ClipSet]
    evaluated: tuple[str, ...]
    more: tuple[str, ...]
    parts: Mapping[str, Callable[[Path], ClipSet]]


def _split_by_flag(open_clips: Callable[[Path, str], ClipSet], first: str, *others: str) -> DataSet:
    """A data set whose parts are its splits."""
    splits = (first, *others)
    parts = {split: partial(_opened, open_clips, split) for split in splits}
    return DataSet(open_clips, (first,), others, parts)


def _opened(open_clips: Callable[[Path, str], ClipSet], split: str, root: Path) -> ClipSet:
    return open_clips(root, split)


def _jhmdb(subset: Subset) -> DataSet:
    def open_test(root: Path, split: str) -> ClipSet:
        if split == jhmdb.UNSPLIT:
            return jhmdb.open_unsplit(root, subset)
        return jhmdb.open_split(root, split, "test", subset)

    def opened(split: str, part: Part, root: Path) -> ClipSet:
        return jhmdb.open_split(root, split, part, subset)

    parts: tuple[Part, Part] = ("train", "test")
    every = {f"{s} {p}": partial(opened, s, p) for s in jhmdb.SPLITS for p in parts}
    return DataSet(open_test, jhmdb.SPLITS, (jhmdb.UNSPLIT,), every)


DATA_SETS: Mapping[str, DataSet] = MappingProxyType(
    {
        "penn_action": _split_by_flag(penn_action.open_clips, "test", "train"),
        "jhmdb": _jhmdb("jhmdb"),
        "sub_jhmdb": _jhmdb("sub_jhmdb"),
    }
)
