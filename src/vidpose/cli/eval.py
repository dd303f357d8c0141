"""``vidpose eval``: figures of a model, or of anyone's predictions, by a named protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from vidpose.cli._errors import UsageMistake
from vidpose.cli._files import check_outputs
from vidpose.cli._options import AllThreadsOption, DebugOption, OverwriteOption
from vidpose.cli._runtime import usable_threads

if TYPE_CHECKING:
    from vidpose.data.catalogue import DataSet
    from vidpose.data.clips import ClipSet
    from vidpose.evaluation.evaluate import Row
    from vidpose.metrics.protocols import Protocol


def evaluate(
    what: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|PREDICTIONS",
            help="A shipped model's name, a bundle's path, a file of predictions "
            "(.jsonl .csv .parquet .json), or a folder of them, each named after its clip.",
        ),
    ],
    data: Annotated[
        str,
        typer.Option(
            metavar="NAME:PATH",
            help="Data set and its folder in the official layout; or, with --skeleton, your own: "
            "coco:PATH or yolo:PATH (`vidpose data check --help`).",
        ),
    ],
    protocol: Annotated[
        str, typer.Option(metavar="NAME", help="What counts, e.g. penn-bbox (docs/evaluation.md).")
    ],
    skeleton: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Keypoints of your own data; OKS then has this skeleton's sigmas.",
            show_default=False,
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Split of the data set.", show_default="its test split(s)"),
    ] = None,
    boxes: Annotated[
        str,
        typer.Option(
            metavar="every|first",
            help="Ground-truth boxes of every frame, or of frame 1 only: the crop then follows "
            "the pose.",
        ),
    ] = "every",
    out: Annotated[
        list[Path] | None,
        typer.Option("--out", "-o", metavar="FILE", help="Also write the table: .csv or .md."),
    ] = None,
    threads: AllThreadsOption = None,
    overwrite: OverwriteOption = False,
    debug: DebugOption = False,
) -> None:
    """Evaluate a model, or predictions from anyone's software, on a data set.

    The table says what was measured on what; a part of a data set gives a smoke test, no figure
    to compare.

    \b
    Examples:
      vidpose eval dkd-base-int8 --data penn_action:Penn_Action --protocol penn-bbox
      vidpose eval dkd-base-int8 --data sub_jhmdb:JHMDB --protocol jhmdb-bbox --boxes first
      vidpose eval mine.vidpose --data coco:labels.json --skeleton mine.yaml --protocol coco-oks
      vidpose eval results/ --data penn_action:Penn_Action --protocol penn-torso --out table.csv
    """
    _check_outputs(out or [], what, overwrite)
    data_set, chosen, root = (
        _data_set(data, protocol) if skeleton is None else _own_data_set(data, protocol, skeleton)
    )
    if boxes not in ("every", "first"):
        raise UsageMistake(f"--boxes {boxes}: choose every or first")
    splits = data_set.evaluated if split is None else (split,)
    if split is not None and split not in (*data_set.evaluated, *data_set.more):
        known = ", ".join((*data_set.evaluated, *data_set.more))
        raise UsageMistake(f"--split {split}: choose one of {known}")
    sets = [data_set.open(root, each) for each in splits]
    if _is_file(what):
        rows, conditions = _of_predictions(Path(what), sets, chosen)
    else:
        rows, conditions = _of_model(
            what, sets, chosen, cast("Literal['every', 'first']", boxes), threads
        )
    _report(rows, sets, chosen, conditions, out or [])


def _check_outputs(out: list[Path], what: str, overwrite: bool) -> None:
    from vidpose.evaluation.tables import SUFFIXES

    for path in out:
        if path.suffix.lower() not in SUFFIXES:
            raise UsageMistake(
                f"--out {path}: unknown kind of table: use one of {' '.join(SUFFIXES)}"
            )
    check_outputs(out, overwrite=overwrite, inputs=[what])


def _data_set(data: str, protocol: str) -> tuple[DataSet, Protocol, Path]:
    """The data set, the protocol and the folder that the options name."""
    from vidpose.data.catalogue import DATA_SETS
    from vidpose.metrics.protocols import PROTOCOLS

    name, colon, folder = data.partition(":")
    if name not in DATA_SETS or not colon or not folder:
        raise UsageMistake(
            f"--data {data}: give NAME:PATH, NAME one of {', '.join(DATA_SETS)}; or with "
            "--skeleton your own labels, coco:PATH or yolo:PATH"
        )
    fitting = [each for each, value in PROTOCOLS.items() if name in value.data_sets]
    if protocol not in fitting:
        raise UsageMistake(f"--protocol {protocol}: {name} has {', '.join(fitting) or 'none'}")
    return DATA_SETS[name], PROTOCOLS[protocol], Path(folder)


def _own_data_set(data: str, protocol: str, skeleton: str) -> tuple[DataSet, Protocol, Path]:
    """The same for data of one's own."""
    from vidpose.data.catalogue import own_data_set
    from vidpose.metrics.protocols import OWN
    from vidpose.skeleton import find_skeleton

    if protocol not in OWN:
        raise UsageMistake(f"--protocol {protocol}: data of your own have {', '.join(OWN)}")
    return own_data_set(data, find_skeleton(skeleton)), OWN[protocol], Path()


def _is_file(what: str) -> bool:
    """Whether predictions are meant, and not a model."""
    from vidpose.io import RESULT_SUFFIXES

    path = Path(what)
    return path.is_dir() or path.suffix.lower() in RESULT_SUFFIXES


def _of_predictions(
    path: Path, sets: list[ClipSet], protocol: Protocol
) -> tuple[list[Row], dict[str, str]]:
    from vidpose.evaluation.evaluate import evaluate_predictions

    return evaluate_predictions(path, sets, protocol), {}


def _of_model(
    name: str,
    sets: list[ClipSet],
    protocol: Protocol,
    boxes: Literal["every", "first"],
    threads: int | None,
) -> tuple[list[Row], dict[str, str]]:
    from vidpose.cli._progress import show_progress
    from vidpose.evaluation.evaluate import clips_at_hand, evaluate_model
    from vidpose.evaluation.tables import machine_name
    from vidpose.inference import PoseModel

    threads = None if threads is None else usable_threads(threads)
    model = PoseModel.load(name, threads=threads)
    rows: list[Row] = []
    for each in sets:
        clips = clips_at_hand(each)
        title = f"{each.data_set}, split {each.split}"
        with show_progress(title, sum(len(clip) for clip in clips)) as meter:
            rows += evaluate_model(model, each, clips, protocol, boxes, meter.advance)
    used = "all" if threads is None else str(threads)
    return rows, {"machine": machine_name(), "threads": used}


def _report(
    rows: list[Row],
    sets: list[ClipSet],
    protocol: Protocol,
    conditions: dict[str, str],
    out: list[Path],
) -> None:
    """Print the table with all that it depends on, and write it."""
    from vidpose.evaluation.report import Report
    from vidpose.files import make_folder

    report = Report.of(rows, sets, protocol, conditions)
    print(report.markdown())
    for path in out:
        make_folder(path)
        report.write(path)
        print(f"wrote {path}")
