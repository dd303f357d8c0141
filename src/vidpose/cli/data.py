"""``vidpose data``: what of a data set is there, before hours are spent on it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidpose.cli._errors import FAILED, UsageMistake
from vidpose.cli._options import DebugOption

if TYPE_CHECKING:
    from vidpose.data.catalogue import DataSet
    from vidpose.skeleton import Skeleton

SHOWN = 20

data = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Check data sets and labels.\n\nExample: vidpose data check penn_action data/Penn_Action",
)


@data.callback()
def _data() -> None:
    """Check data sets and labels."""


@data.command("check")
def check(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|coco:PATH|yolo:PATH",
            help="Data set, e.g. penn_action (docs/training.md), or your own: a COCO keypoint "
            "file, a folder of them, or the data.yaml of a YOLO-pose set.",
        ),
    ],
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="[PATH]",
            help="The data set's folder, in the official layout.",
            show_default=False,
        ),
    ] = None,
    skeleton: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Keypoints of your own data, e.g. mine.yaml.",
            show_default="coco17",
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Open every image, not a sample of them.")
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Say what of a data set is there, what is missing and what is faulty.

    Exit code 0 when the set is complete and without faults, 1 otherwise.

    \b
    Examples:
      vidpose data check penn_action data/Penn_Action
      vidpose data check sub_jhmdb data/JHMDB --all
      vidpose data check coco:horses/labels.json --skeleton horse.yaml
    """
    from vidpose.cli._progress import show_progress
    from vidpose.data.check import check_data

    data_set, root, remarks = _chosen(name, path, skeleton)
    with show_progress(f"{name}, clips and images", None) as meter:
        report = check_data(data_set, root, every_image=every, seen=meter.advance)
    report.found += remarks if report.found else []
    print(f"{name} in {path}" if path else name)
    for kind, lines in (
        ("found", report.found),
        ("missing", report.missing),
        ("faulty", report.faulty),
    ):
        for line in lines[:SHOWN]:
            print(f"  {kind:<8} {line}")
        if len(lines) > SHOWN:
            print(f"  {kind:<8} ... and {len(lines) - SHOWN:,} more")
    images = "all images" if every else "a sample of the images"
    if not report.found:
        nothing = "nothing of the data set is here"
        print("its labels cannot be used as they are" if report.faulty else nothing)
        raise typer.Exit(FAILED)
    if report.complete:
        print(f"complete, no faults ({images} opened)")
    else:
        count = len(report.faulty)
        print(f"not complete, {count:,} fault{'s' if count != 1 else ''} ({images} opened)")
        raise typer.Exit(FAILED)


@data.command("sigmas")
def sigmas(
    first: Annotated[
        str,
        typer.Argument(metavar="coco:PATH|yolo:PATH", help="Labels of one annotator."),
    ],
    second: Annotated[
        str | None,
        typer.Argument(
            metavar="[coco:PATH|yolo:PATH]",
            help="Labels of another annotator, of the same images.",
            show_default=False,
        ),
    ] = None,
    skeleton: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="Your keypoints, e.g. mine.yaml.")
    ] = "coco17",
    debug: DebugOption = False,
) -> None:
    """Print the sigmas of OKS for a skeleton file, by how far two annotators differ.

    COCO's definition: sigma^2 is the mean of d^2 / s^2, d the distance from the true place and s^2
    the person's area; two annotators' distance has twice that. Label 50 people twice or more. With
    one annotator alone it says which sigmas are taken by the keypoints' names, and which are 0.079.

    \b
    Example:
      vidpose data sigmas coco:ann.json coco:bob.json --skeleton mine.yaml >> mine.yaml
    """
    from vidpose.cli._sigmas import describe_annotators, describe_known
    from vidpose.data.datasets.own import labels_of
    from vidpose.skeleton import find_skeleton

    joints = find_skeleton(skeleton)
    labels = labels_of(first, joints)
    if second is None:
        lines = describe_known(joints)
    else:
        lines = describe_annotators(labels, labels_of(second, joints), joints)
    for line in lines:
        print(line)


def _chosen(name: str, path: Path | None, skeleton: str | None) -> tuple[DataSet, Path, list[str]]:
    """The data set that the arguments name, its root, and what is to be said of its skeleton."""
    from vidpose.data.catalogue import DATA_SETS, own_data_set
    from vidpose.data.datasets.coco_file import LabelFaultsError
    from vidpose.skeleton import find_skeleton

    if ":" in name and path is None:
        joints = find_skeleton(skeleton or "coco17")
        data_set = own_data_set(name, joints)
        with suppress(LabelFaultsError):  # the check lists them
            data_set.open(Path(), "train")
        return data_set, Path(), [_describe(joints)]
    if name not in DATA_SETS:
        known = ", ".join(DATA_SETS)
        raise UsageMistake(
            f"{name}: not a known data set; choose one of {known}, or coco:PATH or yolo:PATH"
        )
    if skeleton is not None:
        raise UsageMistake(f"--skeleton is for coco:PATH and yolo:PATH; {name} has its own")
    if path is None or not path.is_dir():
        raise UsageMistake(f"{path or name}: no such folder; give the root of the data set")
    return DATA_SETS[name], path, []


def _describe(skeleton: Skeleton) -> str:
    pairs = len(skeleton.flip_pairs)
    mirrored = (
        f"{pairs} flip pair{'s' * (pairs > 1)}"
        if pairs
        else "no flip pairs: training will not mirror images"
    )
    return f"skeleton {skeleton.name}: {skeleton.num_keypoints} keypoints, {mirrored}"
