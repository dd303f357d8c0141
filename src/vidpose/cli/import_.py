"""``vidpose import``: another project's network, from ONNX to a bundle."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidpose.cli._errors import UsageMistake, needs_extra
from vidpose.cli._files import check_bundle
from vidpose.cli._options import BundleOutOption, DebugOption, OverwriteOption
from vidpose.words import counted

if TYPE_CHECKING:
    from vidpose.bundle import Size
    from vidpose.data.clips import ClipSet
    from vidpose.importing import ImportOptions
    from vidpose.importing.build import Imported


class ColourChoice(str, Enum):
    """What ``--colour`` takes."""

    rgb = "rgb"
    bgr = "bgr"


class DecodingChoice(str, Enum):
    """What ``--decoding`` takes."""

    quarter = "quarter"
    dark = "dark"
    udp = "udp"


class OrderChoice(str, Enum):
    """What ``--order`` takes."""

    xy = "xy"
    yx = "yx"


def import_network(
    network: Annotated[Path, typer.Argument(metavar="FILE.onnx", help="The network.")],
    out: BundleOutOption,
    skeleton: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Its keypoints: coco17, halpe26, coco_wholebody133, body25, ..., or a .yaml or "
            ".json file.",
            show_default=False,
        ),
    ] = None,
    normalise: Annotated[
        str | None,
        typer.Option(
            metavar="HOW",
            help="Values of the pixels: imagenet (ImageNet's mean and deviation), unit (0 to 1), "
            "signed (-1 to 1), none (0 to 255), or M,M,M/D,D,D in the order of its channels.",
            show_default=False,
        ),
    ] = None,
    colour: Annotated[
        ColourChoice | None, typer.Option(help="Order of its channels.", show_default=False)
    ] = None,
    padding: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=5.0,
            help="Factor from a person's box to the crop, often 1.25; with --carry it is the step "
            "network's.",
            show_default=False,
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="HEIGHTxWIDTH",
            help="Of its input, where the file leaves it open.",
            show_default=False,
        ),
    ] = None,
    decoding: Annotated[
        DecodingChoice,
        typer.Option(help="How heatmaps are read; as the network was trained."),
    ] = DecodingChoice.dark,
    order: Annotated[
        OrderChoice | None, typer.Option(help="Of coordinates.", show_default=False)
    ] = None,
    carry: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Let the step network of this model (dkd-base-int8, or a bundle) carry the poses "
            "from frame to frame; the imported network only initializes. Needs "
            "pip install 'vidpose\\[import]'.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME:PATH",
            help="Labelled people, as of vidpose eval, to calibrate the confidences on; use none "
            "that the network was trained on.",
            show_default=False,
        ),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Split of the data.", show_default="its test split")
    ] = None,
    licence: Annotated[
        str, typer.Option(metavar="NAME", help="The network's licence, as Apache-2.0.")
    ] = "unknown",
    licence_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Its text, which the bundle then carries.", show_default=False
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    debug: DebugOption = False,
) -> None:
    """Make a bundle of another project's pose network.

    Recognised are heatmaps, SimCC (RTMPose), coordinates (MoveNet), and networks that find
    everybody in the picture: YOLO-pose, RTMO, MoveNet MultiPose. What the file does not say is
    asked for. Its keypoints are compared with the raw network's before the bundle is written.

    \b
    Examples:
      vidpose import movenet_lightning.onnx --padding 1.25 --out lightning.vidpose
      vidpose import rtmpose.onnx --skeleton halpe26 --normalise imagenet --colour rgb \\
        --padding 1.25 --licence Apache-2.0 --out rtmpose.vidpose
      vidpose run dance.mp4 --model rtmpose.vidpose
    """
    from vidpose.importing import NotSaidError
    from vidpose.importing import import_network as make

    options = _options(
        skeleton, normalise, colour, padding, size, decoding, order, licence, licence_file
    )
    check_bundle(out, overwrite=overwrite, inputs=[network, carry or network])
    steps = labels = None
    if carry is not None:
        from vidpose.bundle import find_bundle, read_bundle

        steps = read_bundle(find_bundle(carry))
    if data is not None:
        labels = _labels(data, split)
    elif split is not None:
        raise UsageMistake("--split says which part of --data; give that too")
    try:
        with needs_extra("import"):
            made = make(network, out.stem, options, steps=steps, labels=labels)
    except NotSaidError as error:
        raise UsageMistake(str(error)) from error
    _write(made, out)


def _options(
    skeleton: str | None,
    normalise: str | None,
    colour: ColourChoice | None,
    padding: float | None,
    size: str | None,
    decoding: DecodingChoice,
    order: OrderChoice | None,
    licence: str,
    licence_file: Path | None,
) -> ImportOptions:
    from vidpose.importing import ImportOptions
    from vidpose.skeleton import find_skeleton

    return ImportOptions(
        skeleton=None if skeleton is None else find_skeleton(skeleton),
        normalise=normalise,
        colour=None if colour is None else colour.value,
        padding=padding,
        size=None if size is None else _size(size),
        refinement=decoding.value,
        order=None if order is None else order.value,
        licence=licence,
        licence_text="" if licence_file is None else _text(licence_file),
    )


def _size(text: str) -> Size:
    height, _, width = text.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise UsageMistake(f"--size {text}: give HEIGHTxWIDTH in pixels, as 256x192")
    return int(height), int(width)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageMistake(f"--licence-file {path}: cannot be read as text ({error})") from error


def _labels(data: str, split: str | None) -> ClipSet:
    from vidpose.data.catalogue import DATA_SETS

    name, colon, folder = data.partition(":")
    if name not in DATA_SETS or not colon or not folder:
        raise UsageMistake(f"--data {data}: give NAME:PATH, NAME one of {', '.join(DATA_SETS)}")
    known = (*DATA_SETS[name].evaluated, *DATA_SETS[name].more)
    if split is not None and split not in known:
        raise UsageMistake(f"--split {split}: choose one of {', '.join(known)}")
    return DATA_SETS[name].open(Path(folder), split or known[0])


def _write(made: Imported, out: Path) -> None:
    from vidpose.bundle import CarriedSettings, write_bundle
    from vidpose.files import make_folder

    bundle = made.bundle
    assert bundle.skeleton is not None
    print(f"{made.recognised}; skeleton {bundle.skeleton.name}")
    kind = "real crops" if made.real else "made pictures (real ones with --data)"
    print(
        f"keypoints within {made.difference:.4f} px of the raw network's, on {made.pictures} {kind}"
    )
    if made.calibration is None:
        print("confidences: not calibrated (--data NAME:PATH gives labels to calibrate them on)")
    else:
        found = made.calibration
        print(
            f"confidences: calibrated on {counted(found.people, 'person', 'people')} and "
            f"{counted(found.empty, 'empty region')}, expected error {found.error:.3f}; "
            f"{found.pck:.1f} % of the people's joints are right"
        )
    if isinstance(bundle.settings, CarriedSettings):
        print(f"crops: {bundle.settings.padding:g} times the box, as the step network's")
    if "parameters" in bundle.metrics:
        graph = next(name for name in bundle.metrics if name.endswith("_mmacs"))
        print(
            f"cost: {bundle.metrics[graph] / 1e3:.3f} GMACs for a picture, "
            f"{bundle.metrics['parameters'] / 1e6:.2f} M parameters"
        )
    else:
        print("cost: not counted (that needs pip install 'vidpose[import]')")
    if not bundle.skeleton.can_be_mirrored:
        print("the skeleton has no flip pairs: training with it does not mirror")
    print(f"licence: {bundle.licence}")
    make_folder(out)
    write_bundle(out, bundle)
    print(f"wrote {out}")
