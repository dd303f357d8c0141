"""``vidpose export``: from a training checkpoint to a bundle that ``vidpose run`` takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidpose.cli._errors import UsageMistake, needs_extra
from vidpose.cli._files import check_bundle
from vidpose.cli._options import BundleOutOption, DebugOption, OverwriteOption
from vidpose.errors import VidposeError

if TYPE_CHECKING:
    from vidpose.data.loaders.stills import StillsConfig


def export(
    source: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT|MODEL",
            help="Checkpoint that training has written; for --int8 or --trust also a shipped "
            "model's name or a bundle's path.",
        ),
    ],
    out: BundleOutOption,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8",
            help="Quantise, measure before and after, and refuse a loss beyond 0.5 points of PCK.",
        ),
    ] = False,
    trust: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="A threshold of the bundle's trust, e.g. max_age=0.5 (seconds between two runs "
            "of the initializer); may be given several times.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME:PATH",
            help="Labelled people to measure on, lspet, coco or mpii, where the source names none: "
            "for the INT8 of a MODEL (give lspet and coco, which may be a part of COCO in its "
            "layout, and penn_action, to move them), and for a network that learnt from video. "
            "With --skeleton: labels of your own, coco:PATH or yolo:PATH.",
            show_default=False,
        ),
    ] = None,
    padding: Annotated[
        float | None,
        typer.Option(
            metavar="FACTOR",
            min=1.0,
            max=3.0,
            help="From a person's box to the crop, of a checkpoint (1.25). Less shows the person "
            "larger, more forgives a box that is off.",
            show_default=False,
        ),
    ] = None,
    skeleton: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Keypoints of your own labels, for the INT8 of a MODEL that has them.",
            show_default=False,
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    debug: DebugOption = False,
) -> None:
    """Write a bundle: ONNX graphs, settings and model card in one file.

    The ONNX graphs are compared with the torch network on real crops; where they differ, no file
    is written. Needs the training libraries: pip install 'vidpose\\[train]'. --trust of a MODEL
    changes nothing else and needs neither them nor data.

    \b
    Examples:
      vidpose export runs/dkd-base/last.pt --out dkd-base.vidpose
      vidpose export runs/dkd-base/last.pt --int8 --out dkd-base-int8.vidpose
      vidpose export dkd-base.vidpose --int8 --data lspet:LSPET --data coco:COCO -o out.vidpose
      vidpose export mine.vidpose --int8 --data coco:labels.json --skeleton mine.yaml -o out.vidpose
      vidpose export dkd-base-int8 --trust max_drop=0.1 --out eager.vidpose
    """
    is_bundle = _is_bundle(source)
    own, data = _own(data or [], skeleton, is_bundle and int8)
    folders, thresholds = _folders(data), _thresholds(trust or [])
    if is_bundle and int8 == bool(thresholds):
        raise UsageMistake(
            f"{source} is a bundle already: give a checkpoint, --int8 alone or --trust alone"
        )
    if is_bundle and padding is not None:
        raise UsageMistake(
            f"--padding: {source} is a bundle, measured with its own; give a checkpoint"
        )
    if is_bundle and bool(folders or own) != int8:
        raise UsageMistake(
            "--int8 of a model needs labelled people: --data lspet:PATH, or --data coco:PATH "
            "--skeleton FILE; --trust needs none"
        )
    check_bundle(out, overwrite=overwrite, inputs=[source])
    if is_bundle and thresholds:
        _retune(source, thresholds, out)
        return
    from vidpose.files import make_folder
    from vidpose.inference.crop import PADDING
    from vidpose.skeleton import find_skeleton

    make_folder(out)
    with needs_extra("train"):
        from vidpose.export import export_checkpoint, export_int8
    if is_bundle:
        labels = None if own is None else (own, find_skeleton(str(skeleton)))
        export_int8(source, out, folders, labels)
    else:
        stills = _stills(folders) if folders else None
        _require_checkpoint(Path(source))
        crop = PADDING if padding is None else padding
        export_checkpoint(
            Path(source), out, int8=int8, trust=thresholds, padding=crop, stills=stills
        )
    print(f"wrote {out}")


def _retune(source: str, thresholds: dict[str, float], out: Path) -> None:
    from vidpose.bundle import find_bundle, read_bundle, retuned, write_bundle
    from vidpose.files import make_folder

    bundle = retuned(read_bundle(find_bundle(source)), thresholds, out.stem)
    make_folder(out)
    write_bundle(out, bundle)
    print(f"wrote {out}")


def _require_checkpoint(path: Path) -> None:
    from vidpose.bundle import available_models

    if not path.exists():
        raise VidposeError(
            f"{path}: there is no such checkpoint (runs/NAME, or its last.pt), and no model of "
            f"that name (there are: {', '.join(available_models())})"
        )


def _is_bundle(source: str) -> bool:
    from vidpose.bundle import SUFFIX, available_models

    return source.endswith(SUFFIX) or (source in available_models() and not Path(source).exists())


def _own(data: list[str], skeleton: str | None, taken: bool) -> tuple[str | None, list[str]]:
    """Labels of one's own among the data, where a skeleton says that they are; and the rest."""
    if skeleton is None:
        return None, data
    own = [each for each in data if each.partition(":")[0] in ("coco", "yolo")]
    if not taken or len(own) != 1:
        raise UsageMistake(
            "--skeleton: for --int8 of a MODEL, with one --data coco:PATH or yolo:PATH; a "
            "checkpoint's recipe names its own"
        )
    return own[0], [each for each in data if each != own[0]]


def _folders(data: list[str]) -> dict[str, Path]:
    folders = {}
    for each in data:
        name, colon, folder = each.partition(":")
        if not colon or not name or not folder:
            raise UsageMistake(f"--data {each}: give NAME:PATH")
        folders[name] = Path(folder)
    return folders


def _stills(folders: dict[str, Path]) -> StillsConfig:
    from vidpose.data.loaders.stills import StillsConfig

    if unknown := set(folders) - {"lspet", "coco", "mpii"}:
        raise UsageMistake(f"--data {min(unknown)}: lspet, coco or mpii have labelled stills")
    return StillsConfig.model_validate(folders)


def _thresholds(words: list[str]) -> dict[str, float]:
    found = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            found[name] = float(value)
        except ValueError:
            raise UsageMistake(f"--trust {word}: give NAME=VALUE, e.g. max_age=0.5") from None
    return found
