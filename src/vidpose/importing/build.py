"""From another project's ONNX file to a bundle."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

import vidpose
from vidpose.bundle import (
    Bundle,
    CropForm,
    DkdSettings,
    ImportedSettings,
    OneStageSettings,
    PeopleForm,
    write_bundle,
)
from vidpose.data.clips import ClipSet, LabelledClip
from vidpose.importing.card import card
from vidpose.importing.carry import carried
from vidpose.importing.cost import cost_of
from vidpose.importing.labelled import Calibration, calibrate, crops_of, people_of
from vidpose.importing.options import ImportOptions, Said, complete, describe
from vidpose.importing.parity import made_pictures, parity
from vidpose.importing.reading import read_network
from vidpose.importing.recognise import Recognised, recognise
from vidpose.inference import PoseModel

_CROPS = 32  # real ones, to compare on


@dataclass(frozen=True, slots=True)
class Imported:
    """A bundle that is ready to be written. `recognised`: what the network is, in words.
    `difference`: px of the network's input to the raw network's keypoints, on `pictures` pictures,
    real or not. `calibration`: None where no labels were given."""

    bundle: Bundle
    recognised: str
    difference: float
    pictures: int
    real: bool
    calibration: Calibration | None


def import_network(
    path: Path,
    name: str,
    options: ImportOptions,
    *,
    steps: Bundle | None = None,
    labels: ClipSet | None = None,
) -> Imported:
    """The bundle `name` of the network in an ONNX file.

    Args:
        options: what the file does not say.
        steps: a bundle whose step network shall carry the network's poses on; its padding takes the
            place of the options'.
        labels: people to compare and to calibrate on.

    Raises NotSaidError where something has to be known that was not said, BundleError where the
    file is no pose network of a known form, or where the bundle finds other keypoints than the raw
    network; ModuleNotFoundError where `steps` are given and `onnx` is not installed.
    """
    if steps is not None and isinstance(steps.settings, DkdSettings):
        options = replace(options, padding=steps.settings.padding)  # both see one crop
    network = read_network(path)
    recognised = recognise(network, options.size)
    said = complete(recognised, options, str(path))
    settings = _settings(recognised, options, said)
    graph = "people" if isinstance(settings, OneStageSettings) else "frame"
    cost = cost_of(network, recognised)
    metrics: dict[str, float] = {}
    if cost is not None:
        metrics["parameters"] = cost.parameters
        metrics[f"{graph}_mmacs"] = round(cost.multiply_adds / 1e6, 1)
    bundle = Bundle(
        name=name,
        kind="one-stage" if graph == "people" else "imported",
        version=vidpose.__version__,
        licence=options.licence,
        settings=settings,
        graphs={graph: network.graph},
        metrics=metrics,
        skeleton=said.skeleton,
        licence_text=options.licence_text,
    )
    model = _loaded(bundle)
    people = people_of(labels) if labels is not None else []
    pictures = _pictures(settings, people)
    difference = parity(network, model, settings, pictures)
    calibration = calibrate(model, people) if people else None
    if calibration is not None:
        settings = replace(settings, calibration={graph: calibration.curve})
        metrics |= {
            f"{graph}_pck@0.2": round(calibration.pck, 2),
            f"{graph}_calibration_error": round(calibration.error, 4),
        }
        bundle = replace(bundle, settings=settings, metrics=metrics)
    if steps is not None:
        bundle = carried(bundle, steps)
        _loaded(bundle)  # refuses graphs that do not fit
    made = Imported(
        bundle, describe(recognised), difference, len(pictures), bool(people), calibration
    )
    text = card(made.bundle, made.recognised, difference, calibration, path.name, labels, steps)
    return replace(made, bundle=replace(bundle, card=text))


def _settings(
    recognised: Recognised, options: ImportOptions, said: Said
) -> ImportedSettings | OneStageSettings:
    if recognised.one_stage:
        return OneStageSettings(
            size=recognised.size,
            input=said.input,
            form=cast("PeopleForm", recognised.form),
            outputs=recognised.outputs,
            classes=recognised.classes,
            numbers=recognised.numbers,
            padding=said.padding,
        )
    return ImportedSettings(
        size=recognised.size,
        input=said.input,
        form=cast("CropForm", recognised.form),
        outputs=recognised.outputs,
        refinement=options.refinement,
        order=said.order,
        padding=said.padding,
    )


def _pictures(
    settings: ImportedSettings | OneStageSettings, people: Sequence[LabelledClip]
) -> list[NDArray[np.uint8]]:
    if not people:
        return made_pictures(settings.size)
    return crops_of(people, settings.size, settings.padding, _CROPS)


def _loaded(bundle: Bundle) -> PoseModel:
    """The model as its users will run it."""
    with tempfile.TemporaryDirectory(prefix="vidpose-import-") as folder:
        path = Path(folder) / f"{bundle.name}.vidpose"
        write_bundle(path, bundle)
        return PoseModel.load(path, threads=1)
