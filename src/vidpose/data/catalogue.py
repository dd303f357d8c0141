"""The data sets that the command line knows, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType

from vidpose.data.clips import ClipSet
from vidpose.data.datasets import coco, jhmdb, lsp, lspet, mpii, penn_action, posetrack18
from vidpose.data.datasets.jhmdb import Part, Subset
from vidpose.data.datasets.own import Part as OwnPart
from vidpose.data.datasets.own import open_own
from vidpose.skeleton import Skeleton


@dataclass(frozen=True, slots=True)
class DataSet:
    """How a data set is opened.

    `open`: the clips of a split, given the data set's root. `evaluated`: the splits that stand
    for the data set, one after the other, never together. `more`: other splits to evaluate on.
    `parts`: all that makes up the data set, for a check; `without_splits` in place of them where
    none of them can be opened. `unlabelled`: images that no label speaks of.
    """

    open: Callable[[Path, str], ClipSet]
    evaluated: tuple[str, ...]
    more: tuple[str, ...]
    parts: Mapping[str, Callable[[Path], ClipSet]]
    without_splits: Callable[[Path], ClipSet] | None = None
    unlabelled: Callable[[Path], list[Path]] | None = None


def _by_split(
    open_clips: Callable[[Path, str], ClipSet],
    first: str,
    *others: str,
    more: tuple[str, ...] = (),
    unlabelled: Callable[[Path], list[Path]] | None = None,
) -> DataSet:
    """A data set whose parts are its splits; the first is the one to evaluate on."""

    def opened(split: str, root: Path) -> ClipSet:
        return open_clips(root, split)

    parts = {split: partial(opened, split) for split in (first, *others)}
    return DataSet(open_clips, (first,), (*others, *more), parts, unlabelled=unlabelled)


def _lspet_for_training(root: Path) -> ClipSet:
    return lspet.open_people(root, "train")


def _jhmdb(subset: Subset) -> DataSet:
    def open_test(root: Path, split: str) -> ClipSet:
        if split == jhmdb.UNSPLIT:
            return unsplit(root)
        return jhmdb.open_split(root, split, "test", subset)

    def unsplit(root: Path) -> ClipSet:
        return jhmdb.open_unsplit(root, subset)

    def opened(split: str, part: Part, root: Path) -> ClipSet:
        return jhmdb.open_split(root, split, part, subset)

    halves: tuple[Part, Part] = ("train", "test")
    parts = {f"{s} {p}": partial(opened, s, p) for s in jhmdb.SPLITS for p in halves}
    # Images that sub-JHMDB does not use are none of its faults.
    unlabelled = jhmdb.unlabelled if subset == "jhmdb" else None
    more = (jhmdb.UNSPLIT,)
    return DataSet(open_test, jhmdb.SPLITS, more, parts, unsplit, unlabelled)


def own_data_set(where: str, skeleton: Skeleton) -> DataSet:
    """One's own data, coco:PATH or yolo:PATH, with the keypoints of a skeleton; the root that its
    functions take says nothing."""

    @cache
    def opened(part: OwnPart) -> ClipSet:
        return open_own(where, part, skeleton).clips()

    def by_split(root: Path, split: str) -> ClipSet:
        return opened("train" if split == "train" else "val")

    return _by_split(by_split, "val", "train")


DATA_SETS: Mapping[str, DataSet] = MappingProxyType(
    {
        "penn_action": _by_split(
            penn_action.open_clips, "test", "train", unlabelled=penn_action.unlabelled
        ),
        "jhmdb": _jhmdb("jhmdb"),
        "sub_jhmdb": _jhmdb("sub_jhmdb"),
        "coco": _by_split(coco.open_people, "val2017", "train2017"),
        "mpii": _by_split(mpii.open_people, "val", "train", more=("release",)),
        "lsp": _by_split(lsp.open_people, "test", "train"),
        "lspet": DataSet(
            lspet.open_people, ("kept_out",), ("train",), {"train": _lspet_for_training}
        ),
        "posetrack18": _by_split(posetrack18.open_clips, "val", "train"),
    }
)
