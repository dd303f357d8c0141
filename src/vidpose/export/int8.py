"""INT8 bundles: quantised on training people, measured on others, refused where they lose.

The float bundle and the INT8 one are measured on the same images, so a difference of half a point
is seen well: the noise of both is largely the same.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vidpose.bundle import (
    Bundle,
    DkdSettings,
    FrameSettings,
    find_bundle,
    read_bundle,
    write_bundle,
)
from vidpose.data.datasets.coco import load_coco
from vidpose.data.datasets.lspet import kept_out_names, load_lspet
from vidpose.data.samples import Sample
from vidpose.data.synthesis.limb_motion import MotionBank
from vidpose.errors import BundleError, DataError
from vidpose.export.card import int8_card
from vidpose.export.quality import (
    Quality,
    frame_quality,
    labelled_crops,
    loaded,
    memory_quality,
    steps,
    tracks,
)
from vidpose.export.quantise import Feed, quantise
from vidpose.inference.pose_model import PoseModel
from vidpose.methods.clips.task import ClipsConfig
from vidpose.methods.dkd.task import DKDConfig
from vidpose.methods.finder.task import FinderConfig
from vidpose.skeleton import COCO_17
from vidpose.training.distil import DistilConfig
from vidpose.training.recipe import TaskConfig

ALLOWED_LOSS = 0.5
"""Points of PCK@0.2 (percent) that a graph may lose."""

DETECTORS_STAY = "only pose models become INT8"
_STILLS = 64
_CLIPS = 32
_CLIP_FRAMES = 6


@dataclass(frozen=True, slots=True)
class LabelledPeople:
    """People to calibrate on and others to measure on, and what moves each of them in clips.

    `name` says in words what they are.
    """

    name: str
    calibration: Sequence[Sample]
    measured: Sequence[Sample]
    calibration_motion: MotionBank | None = None
    measured_motion: MotionBank | None = None


def export_int8(model: str | Path, out: Path, data: Mapping[str, Path]) -> None:
    """Write the INT8 bundle `out` from a float bundle, given by a shipped model's name or a path.

    `data`: folders by data set. "lspet" or "coco" has the people; "penn_action" moves them in the
    clips of a model with memory, at random without it. Raises BundleError, and writes nothing,
    when a graph loses more than `ALLOWED_LOSS`.
    """
    bundle = read_bundle(find_bundle(model))
    write_bundle(out, quantise_bundle(bundle, of_folders(data), out.stem))


def of_folders(data: Mapping[str, Path]) -> LabelledPeople:
    """Training people of lspet or coco to calibrate on, kept-out ones to measure on."""
    people = [name for name in ("lspet", "coco") if name in data]
    if len(people) != 1 or set(data) - {*people, "penn_action"}:
        raise DataError(
            "INT8 needs one data set of people, lspet or coco, and takes penn_action to move them; "
            f"given: {', '.join(data) or 'none'}"
        )
    root = data[people[0]]
    if people == ["lspet"]:
        found = _of_lspet(root)
    else:
        found = LabelledPeople("COCO", load_coco(root, "train2017"), load_coco(root, "val2017"))
    if "penn_action" not in data:
        return found
    with tempfile.TemporaryDirectory() as cache:
        train, test = (
            MotionBank.load(data["penn_action"], split=split, cache_dir=Path(cache))
            for split in ("train", "test")
        )
    return replace(
        found,
        name=f"{found.name}, moved by Penn Action's tracks",
        calibration_motion=train,
        measured_motion=test,
    )


def of_recipe(task: TaskConfig) -> LabelledPeople:
    """The people that a recipe's export is measured on, and others of the same set."""
    assert not isinstance(task, FinderConfig)
    data = task.student.data if isinstance(task, DistilConfig) else task.data
    if data is None or data.lspet is None:
        raise DataError("INT8 is calibrated and measured on lspet, which the recipe does not name")
    found = _of_lspet(data.lspet)
    if not isinstance(task, DKDConfig | ClipsConfig) or task.penn_action is None:
        return found
    return replace(
        found,
        name=f"{found.name}, moved by Penn Action's tracks",
        calibration_motion=tracks(task, "train"),
        measured_motion=tracks(task, "test"),
    )


def quantise_bundle(bundle: Bundle, people: LabelledPeople, name: str) -> Bundle:
    """The INT8 bundle `name` of a float pose model, its confidences calibrated anew.

    Raises BundleError when the bundle is no float pose model of COCO's keypoints, or when a graph
    loses more than `ALLOWED_LOSS` points of PCK@0.2.
    """
    if bundle.precision != "float32":
        raise BundleError(f"bundle '{bundle.name}' is {bundle.precision} already")
    if bundle.skeleton is None:
        raise BundleError(f"bundle '{bundle.name}' is a detector; {DETECTORS_STAY}")
    if bundle.skeleton != COCO_17:
        raise BundleError(f"bundle '{bundle.name}': INT8 needs COCO's 17 keypoints to measure")
    if not people.calibration or not people.measured:
        raise DataError(f"{people.name}: no people to calibrate or to measure on")
    model = loaded(bundle)
    feeds = _feeds(model, people)
    graphs = {graph: quantise(bundle.graphs[graph], feeds[graph]) for graph in bundle.graphs}
    small = replace(bundle, name=name, graphs=graphs, precision="int8")
    before, after = (_measured(each, people) for each in (model, loaded(small)))
    _refuse_losses(before, after, tuple(graphs))
    assert isinstance(small.settings, (DkdSettings, FrameSettings))
    settings = replace(small.settings, calibration=after.calibration)
    unquantised = {f"float_{key}": value for key, value in before.metrics.items()}
    card = int8_card(bundle, small, people.name, before.metrics, after.metrics)
    metrics = {**bundle.metrics, **after.metrics, **unquantised}
    return replace(small, settings=settings, metrics=metrics, card=card)


def _of_lspet(root: Path) -> LabelledPeople:
    kept_out = kept_out_names(root)
    samples = load_lspet(root)
    return LabelledPeople(
        "Leeds Sports Pose Extended",
        [sample for sample in samples if sample.image.name not in kept_out],
        [sample for sample in samples if sample.image.name in kept_out],
    )


def _feeds(model: PoseModel, people: LabelledPeople) -> dict[str, list[Feed]]:
    """Real inputs of each graph; the step network's kernels are those of the frame before."""
    stills = _spread(people.calibration, _STILLS)
    crops = [crop[None] for crop, _ in labelled_crops(stills, model.initializer.size)]
    images: list[Feed] = [{"image": crop} for crop in crops]
    if model.stepper is None:
        return {"frame": images}
    moving = _spread(people.calibration, _CLIPS)
    walked = steps(model, moving, _CLIP_FRAMES, people.calibration_motion)
    later: list[Feed] = [{"image": step.crop, "kernels": step.kernels} for step in walked]
    return {"initializer": images, "step": later}


def _spread(samples: Sequence[Sample], count: int) -> list[Sample]:
    """`count` samples, or all, spread evenly."""
    chosen = np.linspace(0, len(samples), min(count, len(samples)), endpoint=False)
    return [samples[int(number)] for number in chosen]


def _measured(model: PoseModel, people: LabelledPeople) -> Quality:
    if model.stepper is None:
        return frame_quality(model, people.measured)
    return memory_quality(model, people.measured, people.measured, people.measured_motion)


def _refuse_losses(before: Quality, after: Quality, graphs: tuple[str, ...]) -> None:
    losses = []
    for graph in graphs:
        was, now = (quality.metrics[f"{graph}_pck@0.2"] for quality in (before, after))
        if not was - now <= ALLOWED_LOSS:
            losses.append(f"{graph} {was - now:.2f} ({was:.2f} -> {now:.2f})")
    if losses:
        raise BundleError(
            f"INT8 costs points of PCK@0.2: {', '.join(losses)}; allowed: {ALLOWED_LOSS}; "
            "no bundle was written"
        )
