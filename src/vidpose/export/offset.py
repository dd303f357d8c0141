"""How far a model finds keypoints beside the labels on average, which the runtime takes away.

A teacher whose maps are read a part of a cell off teaches that part to every joint. It is the same
for all people and joints, so it is measured once, on training people. PCK hardly sees a pixel of
the crop; OKS does, and so does whoever compares models that are off by different parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vidpose.bundle import Point
from vidpose.data.loaders.stills import StillsConfig, training_samples
from vidpose.data.samples import Sample
from vidpose.data.synthesis.limb_motion import MotionBank
from vidpose.errors import DataError
from vidpose.export.kept_out import require_stills, spread, tracks
from vidpose.export.quality import Predictions, on_clips, on_stills
from vidpose.inference.pose_model import PoseModel
from vidpose.methods.clips.task import ClipsConfig
from vidpose.methods.dkd.task import DKDConfig
from vidpose.skeleton import COCO_17, Skeleton

_PEOPLE, _CLIPS = 200, 40
_HEAVY_STILLS, _HEAVY_CLIPS = 60, 12
_NEAR = 2.0  # cells: what lies further is another place, not the joint
_FEWEST = 200  # joints


def memory_offsets(
    model: PoseModel,
    stills: Sequence[Sample],
    moved: Sequence[Sample],
    motion: MotionBank | None,
    labels: Skeleton = COCO_17,
) -> Mapping[str, Point]:
    """The mean offset (x, y) of both graphs in pixels of their crops, on training people; of none
    where they are too few. The people are as those of `quality.memory_quality`."""
    assert model.stepper is not None
    if not stills or not moved:
        return {}
    near = _NEAR * model.initializer.stride
    first = mean_offset(on_stills(model, spread(stills, _PEOPLE)), near)
    later = mean_offset(on_clips(model, spread(moved, _CLIPS), motion, labels), near)
    shrunk = model.stepper.size[0] / model.initializer.size[0]
    if later is not None:
        later = round(later[0] * shrunk, 3), round(later[1] * shrunk, 3)
    return {name: by for name, by in (("initializer", first), ("step", later)) if by is not None}


def frame_offset(model: PoseModel, stills: Sequence[Sample]) -> Mapping[str, Point]:
    """The same for a model without memory."""
    if not stills:
        return {}
    found = on_stills(model, spread(stills, _PEOPLE))
    offset = mean_offset(found, _NEAR * model.initializer.stride)
    return {} if offset is None else {"frame": offset}


def recipe_offsets(model: PoseModel, config: DKDConfig | ClipsConfig) -> Mapping[str, Point]:
    """The offsets of a model with a memory on the training people of its recipe."""
    data = require_stills(config)
    own = data.own is not None
    stills = labelled_by_hand(data, model.skeleton)
    moved = stills if own else labelled_by_hand(data, COCO_17)
    if isinstance(config, ClipsConfig):  # the papers' networks take a second for a frame
        stills, moved = stills[:_HEAVY_STILLS], moved[:_HEAVY_CLIPS]
    labels = model.skeleton if own else COCO_17
    return memory_offsets(model, stills, moved, tracks(config, "train"), labels)


def labelled_by_hand(data: StillsConfig, skeleton: Skeleton) -> list[Sample]:
    """The training people of a recipe with the labels of their sets alone, no teacher's; none
    where they are not at hand, as an export needs the kept-out people only."""
    alone = {"lspet_labels": None, "coco_labels": None, "ccp": None, "coco_repeats": 1}
    try:
        return training_samples(data.model_copy(update=alone), skeleton)
    except DataError:
        return []


def mean_offset(found: Predictions, near: float) -> Point | None:
    """Mean of found minus labelled places (x, y) over joints that are no further off than `near`;
    None for few joints."""
    apart = found.points - found.truth[..., :2]
    hit = (found.truth[..., 2] > 0) & (np.abs(apart).max(axis=-1) <= near)
    if hit.sum() < _FEWEST:
        return None
    x, y = apart[hit].astype(np.float64).mean(axis=0)
    return round(float(x), 3), round(float(y), 3)
