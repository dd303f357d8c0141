"""Evaluating a model, or predictions from files, on a set of labelled clips."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidpose.data.clips import ClipSet, LabelledClip, frame_fault, is_at_hand, label_fault
from vidpose.errors import DataError, InputError
from vidpose.evaluation.networks import BoxSource, networks_of, predict_clip
from vidpose.evaluation.predictions import (
    image_number,
    poses_in,
    prediction_files,
    read_coco_results,
    read_predictions,
    skeleton_of,
)
from vidpose.evaluation.scoring import Scorer, coco_figures, scorer_for
from vidpose.inference.detectors.default import detector_for
from vidpose.inference.pose_model import PoseModel
from vidpose.metrics.protocols import OksProtocol, Protocol
from vidpose.skeleton import Skeleton, joint_sources

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one predictor on one split.

    `clips`, `frames`: how many were evaluated. `initialised`: share of the frames that the
    initializer ran on, None where that is not known. `figures`: by column, see
    `vidpose.evaluation.scoring`. `source`, `target`: skeletons of predictions and labels.
    """

    predictor: str
    split: str
    clips: int
    frames: int
    initialised: float | None
    figures: dict[str, float]
    boxes: str
    source: Skeleton
    target: Skeleton


def clips_at_hand(clips: ClipSet) -> list[LabelledClip]:
    """The clips whose images are there.

    Raises DataError when there are none, when a clip has more or fewer images than labels, and
    for labels that cannot be evaluated.
    """
    found: list[LabelledClip] = []
    missing: list[Path] = []
    for clip in clips:
        if not is_at_hand(clip):
            missing.append(clip.frames[0])
            continue
        fault = label_fault(clip) or frame_fault(clip, whole_folder=clips.whole_folders)
        if fault:
            raise DataError(f"{clips.data_set}: {fault}; `vidpose data check` lists all faults")
        found.append(clip)
    if not missing and not found:
        raise DataError(f"{clips.data_set}, split {clips.split}: it lists no {clips.unit}")
    if not found:
        raise DataError(
            f"{clips.data_set}, split {clips.split}: no image of its {len(clips)} labelled "
            f"{clips.unit} is there; expected {missing[0]}"
        )
    if missing:
        _LOG.warning(
            "%s, split %s: images of %d of %d labelled %s are missing, the first %s; these are "
            "left out", clips.data_set, clips.split, len(missing), len(clips), clips.unit,
            missing[0],
        )  # fmt: skip
    return found


def evaluate_model(
    model: PoseModel,
    clip_set: ClipSet,
    clips: Sequence[LabelledClip],
    protocol: Protocol,
    boxes: BoxSource,
    seen: Callable[[], None] = lambda: None,
) -> list[Row]:
    """A row for each network of the model (`vidpose.evaluation.networks`) on `clips`, which are
    some or all of `clip_set`. `seen` is called after every frame. Raises BundleError where only the
    first boxes are given and there is no shipped detector for the stream."""
    networks = networks_of(model, clips=max(len(clip) for clip in clips) > 1)
    scorers = {name: scorer_for(protocol, clip_set, model.skeleton) for name in networks}
    initialised = dict.fromkeys(networks, 0)
    detector = None
    if "stream" in networks and boxes == "first":
        detector = detector_for(model, threads=model.threads, runtime=model.runtime)
    for clip in clips:
        for name, poses in predict_clip(model, clip, networks, boxes, seen, detector).items():
            scorers[name].add(clip, poses)
            initialised[name] += poses.initialised or 0
    frames = sum(len(clip) for clip in clips)
    origin = ", ".join(sorted({clip.boxes_from for clip in clips}))
    return [
        Row(
            predictor=f"{model.name} {name}",
            split=clip_set.split,
            clips=len(clips),
            frames=frames,
            initialised=initialised[name] / frames,
            figures=scorer.figures(),
            boxes=f"{origin}, of {'every frame' if boxes == 'every' else 'frame 1 only'}",
            source=model.skeleton,
            target=clip_set.skeleton,
        )
        for name, scorer in scorers.items()
    ]


def evaluate_predictions(path: Path, clip_sets: Sequence[ClipSet], protocol: Protocol) -> list[Row]:
    """A row for each split of predictions: a file, or a folder with one for each clip.

    Images are not needed. Frames or people without a prediction are misses; clips of which there
    is no file are not evaluated, and not counted in `clips`. Raises InputError for a file that
    is no clip's of these splits, and for a split of which there is no file; DataError for labels
    that cannot be evaluated.
    """
    if isinstance(protocol, OksProtocol):
        return [_coco_row(path, each) for each in clip_sets]
    if clip_sets[0].unit == "people":
        return [_people_row(path, each, protocol) for each in clip_sets]
    files = prediction_files(path)
    known = [name for each in clip_sets for name in each.names]
    for name, file in files.items():
        if name not in known:
            splits = ", ".join(each.split for each in clip_sets)
            example = f", e.g. {known[0]}{file.suffix}" if known else ""
            raise InputError(
                f"{file}: no clip '{name}' in {clip_sets[0].data_set}, split {splits}; a file of "
                f"predictions has its clip's name{example}"
            )
    return [_clips_row(path, files, each, protocol) for each in clip_sets]


def _clips_row(path: Path, files: Mapping[str, Path], clip_set: ClipSet, protocol: Protocol) -> Row:
    """The files that are for clips of one split."""
    clips: list[LabelledClip] = []
    first: Skeleton | None = None
    scorer: Scorer | None = None
    for name in clip_set.names:
        file = files.get(name)
        if file is None:
            continue
        clip, predictions = _checked(clip_set.read(name), clip_set), read_predictions(file)
        skeleton = skeleton_of(predictions, clip.skeleton)
        first = first or skeleton
        if skeleton != first:
            raise InputError(f"{file}: skeleton '{skeleton.name}', others '{first.name}'")
        beyond = max(predictions.people, default=0)
        if beyond >= len(clip):
            raise InputError(
                f"{file}: it speaks of frame {beyond}, but clip {name} has {len(clip)} frames "
                "(they count from 0)"
            )
        scorer = scorer or scorer_for(protocol, clip_set, skeleton)
        scorer.add(clip, poses_in(predictions, clip, skeleton, range(len(clip))))
        clips.append(clip)
    if scorer is None or first is None:
        raise InputError(
            f"{path}: no predictions for a clip of {clip_set.data_set}, split {clip_set.split}; "
            "name the split that they are for (--split)"
        )
    return _row(path, clip_set, clips, first, scorer.figures())


def average(rows: Sequence[Row]) -> Row:
    """The mean of a predictor's figures over splits, each weighing the same; figures that a split
    has not are left out."""
    first = rows[0]
    shares = [row.initialised for row in rows if row.initialised is not None]
    names = [name for name in first.figures if all(name in row.figures for row in rows)]
    return Row(
        predictor=first.predictor,
        split="mean of " + ", ".join(row.split for row in rows),
        clips=sum(row.clips for row in rows),
        frames=sum(row.frames for row in rows),
        initialised=float(np.mean(shares)) if shares else None,
        figures={name: float(np.mean([row.figures[name] for row in rows])) for name in names},
        boxes=first.boxes,
        source=first.source,
        target=first.target,
    )


def joint_notes(source: Skeleton, target: Skeleton) -> list[str]:
    """What the reader must know of joints that are not copied: built ones and left out ones."""
    parts = joint_sources(source, target)
    notes = [
        f"{joint} is the mean of {', '.join(names)}"
        for joint, names in parts.items()
        if names and names != (joint,)
    ]
    missing = [joint for joint, names in parts.items() if not names]
    if missing:
        notes.append(f"left out of all figures, as '{source.name}' has none: {', '.join(missing)}")
    return notes


def _people_row(path: Path, clip_set: ClipSet, protocol: Protocol) -> Row:
    """People in images: one file for all of them."""
    predictions = read_predictions(path)
    skeleton = skeleton_of(predictions, clip_set.skeleton)
    scorer = scorer_for(protocol, clip_set, skeleton)
    clips = [_checked(clip, clip_set) for clip in clip_set]
    numbers = [image_number(clip.frames[0]) for clip in clips]
    if not set(numbers) & set(predictions.people):
        raise InputError(
            f"{path}: no image_id belongs to {clip_set.data_set}, split {clip_set.split}; it is "
            f"the number in the image's name, e.g. {numbers[0]} for {clips[0].frames[0].name}"
        )
    for clip, number in zip(clips, numbers, strict=True):
        scorer.add(clip, poses_in(predictions, clip, skeleton, [number]))
    return _row(path, clip_set, clips, skeleton, scorer.figures())


def _coco_row(path: Path, clip_set: ClipSet) -> Row:
    """COCO's own kind of evaluation: results for whole images, matched by pycocotools."""
    if clip_set.coco is None:
        raise DataError(f"{clip_set.data_set} has no COCO annotations")
    if path.suffix.lower() != ".json":
        raise InputError(f"{path}: COCO is evaluated from COCO results, a .json file")
    figures = coco_figures(clip_set.coco, read_coco_results(path))
    return _row(path, clip_set, list(clip_set), clip_set.skeleton, figures)


def _row(
    path: Path,
    clip_set: ClipSet,
    clips: Sequence[LabelledClip],
    source: Skeleton,
    figures: dict[str, float],
) -> Row:
    return Row(
        predictor=path.name,
        split=clip_set.split,
        clips=len(clips),
        frames=sum(len(clip) for clip in clips),
        initialised=None,
        figures=figures,
        boxes="those that the predictions were made with",
        source=source,
        target=clip_set.skeleton,
    )


def _checked(clip: LabelledClip, clip_set: ClipSet) -> LabelledClip:
    fault = label_fault(clip)
    if fault:
        raise DataError(f"{clip_set.data_set}: {fault}; `vidpose data check` lists all faults")
    return clip
