"""``vidpose models``: what models are at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vidpose.cli._errors import FAILED, say_error
from vidpose.cli._options import DebugOption

if TYPE_CHECKING:
    from vidpose.bundle import Bundle

_MACS = "_mmacs"  # how the names of multiply-adds, in millions, end


def models(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME|PATH]", help="Show the card of this model.", show_default=False
        ),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """List the models at hand, or show one model's card: data, licences, accuracy.

    At hand are the shipped ones and the bundles in the folder that VIDPOSE_MODELS names.

    \b
    Examples:
      vidpose models
      vidpose models dkd-base-int8
    """
    from vidpose.bundle import available_models, find_bundle, missing_models_folder, read_bundle
    from vidpose.errors import BundleError

    if name is not None:
        bundle = read_bundle(find_bundle(name))
        print(bundle.card)
        if bundle.licence_text:
            print(f"## Licence of {bundle.name}: {bundle.licence}\n")
            print(bundle.licence_text.rstrip())
        return
    names = available_models()
    if not names:
        print("no models are at hand")
    faults: list[BundleError] = []
    for shipped in names:
        try:
            path = find_bundle(shipped)
            _describe(read_bundle(path), path.stat().st_size)
        except BundleError as error:
            faults.append(error)
    if names:
        print("Data, their licences and how each was measured: vidpose models NAME")
    if (missing := missing_models_folder()) is not None:
        faults.append(BundleError(missing))
    for fault in faults:
        say_error(fault)
    if faults:
        raise typer.Exit(FAILED)


def _describe(bundle: Bundle, size: int) -> None:
    """A block of lines that fits any terminal."""
    from vidpose.bundle import IDENTITY, CarriedSettings, ImportedSettings, OneStageSettings

    skeleton = f", {bundle.skeleton.name}" if bundle.skeleton else ""
    print(
        f"{bundle.name}  {bundle.kind}{skeleton}, {bundle.precision}, version {bundle.version}, "
        f"{bundle.licence}"
    )
    figures = dict(bundle.metrics)
    parameters = figures.pop("parameters", None)
    count = "" if parameters is None else f", {parameters / 1e6:.2f} M parameters"
    print(f"  size      {size / 1e6:.1f} MB{count}")
    costs = {name: value for name, value in figures.items() if name.endswith(_MACS)}
    parts = [f"{name.removesuffix(_MACS)} {value:.1f}" for name, value in costs.items()]
    if parts:
        print(f"  MMACs     {', '.join(parts)}")
    for name, value in figures.items():
        if name not in costs:
            print(f"  measured  {name} {value}")
    if isinstance(bundle.settings, (ImportedSettings, CarriedSettings, OneStageSettings)):
        raw = any(curve == IDENTITY for curve in bundle.settings.calibration.values())
        print(f"  imported  confidences {'not ' if raw else ''}calibrated")
        carried = "" if bundle.licence_text else "not "
        print(f"  licence   {bundle.licence}, its text is {carried}in the bundle")
    print()
