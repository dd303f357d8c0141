"""INT8 bundles: quantised on training people, measured on others, refused where they lose.

The float bundle and the INT8 one are measured on the same images, so a difference of half a point
is seen well: the noise of both is largely the same.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from vidpose.bundle import (
    Bundle,
    DkdSettings,
    FrameSettings,
    Point,
    find_bundle,
    read_bundle,
    write_bundle,
)
from vidpose.data.datasets.coco import load_coco
from vidpose.data.datasets.lspet import kept_out_names, load_lspet
from vidpose.data.datasets.own import open_own
from vidpose.data.loaders.stills import StillsConfig
from vidpose.data.samples import Sample
from vidpose.data.synthesis.limb_motion import MotionBank
from vidpose.errors import BundleError, DataError
from vidpose.export.card import int8_card
from vidpose.export.kept_out import everyday_people, labelled_crops, spread, tracks
from vidpose.export.offset import frame_offset, memory_offsets
from vidpose.export.quality import Quality, frame_quality, loaded, memory_quality, steps, together
from vidpose.export.quantise import Feed, quantise
from vidpose.inference.crop import PADDING
from vidpose.inference.pose_model import PoseModel
from vidpose.methods.clips.task import ClipsConfig
from vidpose.methods.dkd.task import DKDConfig
from vidpose.methods.finder.task import FinderConfig
from vidpose.skeleton import COCO_17, Skeleton
from vidpose.training.distil import DistilConfig
from vidpose.training.recipe import TaskConfig
from vidpose.training.validation import KeptOut

OwnLabels: TypeAlias = tuple[str, Skeleton]
"""coco:PATH or yolo:PATH, and the keypoints of the labels."""
ALLOWED_LOSS = 0.5
"""Points of PCK@0.2 (percent) that a graph may lose."""

_GATE = "_pck@0.2"
DETECTORS_STAY = "only pose models become INT8"
_STILLS = 64
_CLIPS = 32
_CLIP_FRAMES = 6


@dataclass(frozen=True, slots=True)
class LabelledPeople:
    """People of one set to calibrate on and others to measure on, and what moves each of them in
    clips.

    `name` says in words what they are; their keypoints are those of `skeleton`.
    """

    name: str
    calibration: Sequence[Sample]
    measured: Sequence[Sample]
    skeleton: Skeleton = COCO_17
    calibration_motion: MotionBank | None = None
    measured_motion: MotionBank | None = None


def export_int8(
    model: str | Path, out: Path, data: Mapping[str, Path], own: OwnLabels | None = None
) -> None:
    """Write the INT8 bundle `out` from a float bundle, given by a shipped model's name or a path.

    Args:
        model: the float bundle.
        out: to be written.
        data: folders by data set. "lspet" and "coco", or one of them, have the people (give both:
            gymnasts do not say what everyday people lose); "penn_action" moves them in the clips
            of a model with memory, at random without it.
        own: labels of one's own, with the keypoints of the bundle, in place of lspet and coco.

    Raises BundleError, and writes nothing, when a graph loses more than `ALLOWED_LOSS` on one set.
    """
    bundle = read_bundle(find_bundle(model))
    write_bundle(out, quantise_bundle(bundle, of_folders(data, own), out.stem))


def of_folders(data: Mapping[str, Path], own: OwnLabels | None = None) -> list[LabelledPeople]:
    """Training people to calibrate on, kept-out ones to measure on."""
    people = [name for name in ("lspet", "coco") if name in data]
    if own is not None:
        if people:
            raise DataError("INT8 is measured on labels of your own or on lspet and coco, not both")
        return _moved_by([_of_own(*own)], data)
    if not people or set(data) - {*people, "penn_action"}:
        raise DataError(
            "INT8 needs data sets of people, lspet, coco or both, and takes penn_action to move "
            f"them; given: {', '.join(data) or 'none'}"
        )
    found = [_of_lspet(data[name]) if name == "lspet" else _of_coco(data[name]) for name in people]
    return _moved_by(found, data)


def _moved_by(found: list[LabelledPeople], data: Mapping[str, Path]) -> list[LabelledPeople]:
    """The people, moved by Penn Action's tracks where they are at hand."""
    if "penn_action" not in data:
        return found
    with tempfile.TemporaryDirectory() as cache:
        train, test = (
            MotionBank.load(data["penn_action"], split=split, cache_dir=Path(cache))
            for split in ("train", "test")
        )
    return [_moved(each, train, test) for each in found]


def of_recipe(task: TaskConfig) -> list[LabelledPeople]:
    """The people that a recipe's export is measured on, and others of the same sets."""
    assert not isinstance(task, FinderConfig)
    section = task.student if isinstance(task, DistilConfig) else task
    data = section.data
    if data is not None and data.own is not None:
        found = [_of_own(data.own, section.skeleton)]
    elif data is None or data.lspet is None:
        raise DataError(
            "INT8 is calibrated and measured on lspet or labels of your own, and the recipe names "
            "neither"
        )
    else:
        found = [_of_lspet(data.lspet)]
        if data.coco is not None and everyday_people(data):
            found.append(_of_coco(data.coco))
    if not isinstance(task, DKDConfig | ClipsConfig) or task.penn_action is None:
        return found
    train, test = tracks(task, "train"), tracks(task, "test")
    return [_moved(each, train, test) for each in found]


def quantise_bundle(bundle: Bundle, sets: Sequence[LabelledPeople], name: str) -> Bundle:
    """The INT8 bundle `name` of a float pose model, its confidences calibrated anew.

    Figures of the first set keep their names, those of COCO beside another begin with `coco_`.
    Raises BundleError when the bundle is no float pose model, when a graph loses more than
    `ALLOWED_LOSS` points of PCK@0.2 on one of the sets, or when a set has other keypoints.
    """
    if bundle.precision != "float32":
        raise BundleError(f"bundle '{bundle.name}' is {bundle.precision} already")
    if bundle.skeleton is None:
        raise BundleError(f"bundle '{bundle.name}' is a detector; {DETECTORS_STAY}")
    for people in sets:
        if people.skeleton.keypoints != bundle.skeleton.keypoints:
            raise BundleError(
                f"bundle '{bundle.name}' has the keypoints of {bundle.skeleton.name}, "
                f"{people.name} those of {people.skeleton.name}; give labels of its own "
                "(--data coco:PATH --skeleton FILE)"
            )
        if not people.calibration or not people.measured:
            raise DataError(f"{people.name}: no people to calibrate or to measure on")
    model = loaded(bundle)
    feeds = _feeds(model, sets)
    graphs = {graph: quantise(bundle.graphs[graph], feeds[graph]) for graph in bundle.graphs}
    assert isinstance(bundle.settings, (DkdSettings, FrameSettings))
    small = replace(bundle, name=name, graphs=graphs, precision="int8")
    small = replace(small, settings=replace(bundle.settings, offset={}))
    offset = _offsets(loaded(small), sets)
    small = replace(small, settings=replace(bundle.settings, offset=offset))
    before, after = (_measured(each, sets) for each in (model, loaded(small)))
    _refuse_losses(before, after)
    settings = replace(bundle.settings, offset=offset, calibration=after.calibration)
    unquantised = {f"float_{key}": value for key, value in before.metrics.items()}
    named = " and ".join(people.name for people in sets)
    card = int8_card(bundle, small, named, before.metrics, after.metrics)
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


def _of_coco(root: Path) -> LabelledPeople:
    return LabelledPeople("COCO", load_coco(root, "train2017"), load_coco(root, "val2017"))


def _of_own(where: str, skeleton: Skeleton) -> LabelledPeople:
    train = open_own(where, "train", skeleton).samples()
    measured = KeptOut.open(StillsConfig(own=where), skeleton).stills
    return LabelledPeople(f"the labels of {where}", train, measured, skeleton)


def _moved(
    people: LabelledPeople, train: MotionBank | None, test: MotionBank | None
) -> LabelledPeople:
    name = f"{people.name}, moved by Penn Action's tracks"
    return replace(people, name=name, calibration_motion=train, measured_motion=test)


def _feeds(model: PoseModel, sets: Sequence[LabelledPeople]) -> dict[str, list[Feed]]:
    """Real inputs of each graph, as many of each set; the step network's kernels are those of the
    frame before. Crops have the usual padding, whatever the bundle's: ranges of activations that
    hold for more background hold for less."""
    images: list[Feed] = []
    later: list[Feed] = []
    for people in sets:
        stills = spread(people.calibration, _STILLS // len(sets))
        crops = labelled_crops(stills, model.initializer.size)
        images += [{"image": crop[None]} for crop, _ in crops]
        if model.stepper is not None:
            moving = spread(people.calibration, _CLIPS // len(sets))
            motion = people.calibration_motion
            walked = steps(model, moving, _CLIP_FRAMES, motion, people.skeleton, PADDING)
            later += [{"image": step.crop, "kernels": step.kernels} for step in walked]
    return {"initializer": images, "step": later} if model.stepper else {"frame": images}


def _offsets(model: PoseModel, sets: Sequence[LabelledPeople]) -> Mapping[str, Point]:
    """The offsets on as many training people of each set."""
    most = min(len(people.calibration) for people in sets)
    together = [one for people in sets for one in spread(people.calibration, most)]
    if model.stepper is None:
        return frame_offset(model, together)
    motion, labels = sets[0].calibration_motion, sets[0].skeleton
    return memory_offsets(model, together, together, motion, labels)


def _measured(model: PoseModel, sets: Sequence[LabelledPeople]) -> Quality:
    found = {}
    for number, people in enumerate(sets):
        if model.stepper is None:
            quality = frame_quality(model, people.measured)
        else:
            quality = memory_quality(
                model, people.measured, people.measured, people.measured_motion, people.skeleton
            )
        found["coco" if number else ""] = quality
    return together(found) if len(found) > 1 else found[""]


def _refuse_losses(before: Quality, after: Quality) -> None:
    losses = []
    for key in [key for key in after.metrics if key.endswith(_GATE)]:
        was, now = before.metrics[key], after.metrics[key]
        if not was - now <= ALLOWED_LOSS:
            losses.append(f"{key.removesuffix(_GATE)} {was - now:.2f} ({was:.2f} -> {now:.2f})")
    if losses:
        raise BundleError(
            f"INT8 costs points of PCK@0.2: {', '.join(losses)}; allowed: {ALLOWED_LOSS}; "
            "no bundle was written"
        )
