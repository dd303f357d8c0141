"""`vidpose export`: a checkpoint becomes a bundle, or no file at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

import vidpose
from vidpose.bundle import (
    Bundle,
    DetectorSettings,
    FrameSettings,
    Trust,
    changed_trust,
    write_bundle,
)
from vidpose.data.loaders.stills import StillsConfig
from vidpose.errors import BundleError
from vidpose.export.card import finder_card, pose_card
from vidpose.export.graphs import FrameGraph, multiply_adds, parameters
from vidpose.export.int8 import DETECTORS_STAY, of_recipe, quantise_bundle
from vidpose.export.kept_out import kept_out_crops, kept_out_people, require_stills
from vidpose.export.memory import LICENCE, clips_model, dkd_lite_model, memory_bundle
from vidpose.export.offset import frame_offset, labelled_by_hand
from vidpose.export.onnx import settle_weights, store_weights_in_half, to_onnx
from vidpose.export.parity import (
    MAX_DIFFERENCE,
    finder_parity,
    frame_parity,
    refuse_differences,
)
from vidpose.export.quality import frame_quality, loaded
from vidpose.inference.crop import PADDING
from vidpose.methods.clips.task import ClipsConfig
from vidpose.methods.dkd.task import DKDConfig
from vidpose.methods.finder.model import FinderExport, PersonFinder
from vidpose.methods.finder.task import FinderConfig, coco_person_ap
from vidpose.methods.per_frame.students import load_frame_model
from vidpose.methods.per_frame.task import MAP_STRIDE as STRIDE
from vidpose.methods.per_frame.task import FrameModel
from vidpose.nn.checkpoint import load_checkpoint
from vidpose.training.distil import DistilConfig
from vidpose.training.recipe import Recipe

_BATCH = {0: "people"}
_SCORE = 0.35  # of a box to be tried as a person; the pose then confirms it or not
# Chosen on kept-out clips: docs/evaluation.md, "When to initialise again".
_TRUST = Trust(max_age=1.0)


def export_checkpoint(
    checkpoint: Path,
    out: Path,
    *,
    int8: bool = False,
    trust: Mapping[str, float] = MappingProxyType({}),
    padding: float = PADDING,
    stills: StillsConfig | None = None,
) -> None:
    """Write the bundle `out` from a checkpoint of `vidpose train`.

    The graphs are compared with the torch network on kept-out crops and the confidences are
    calibrated there, so the data of the recipe must be at hand.

    Args:
        int8: quantise the bundle (export/int8.py).
        trust: fields of the bundle's `Trust` that differ from what is usual.
        padding: factor from a person's box to the crop, in use and where it is measured.
        stills: what a network that learnt from video is measured on; others have theirs.

    Raises BundleError, and writes nothing, when a keypoint differs by more than 0.05 px, the
    trust is none, or quantisation costs too much.
    """
    changed = changed_trust(_TRUST, trust)
    state = load_checkpoint(checkpoint)
    recipe = Recipe.model_validate(state["recipe"])
    if stills is not None:
        recipe = _measured_on(recipe, stills, checkpoint)
    if isinstance(recipe.task, FinderConfig):
        if int8:
            raise BundleError(f"{checkpoint}: this is a detector; {DETECTORS_STAY}")
        bundle = _finder_bundle(recipe, recipe.task, state, out.stem)
    else:
        bundle = _pose_bundle(recipe, state, out.stem, changed, padding)
        bundle = replace(bundle, card=pose_card(bundle, recipe, trust, state.get("origin", "")))
        if int8:
            bundle = quantise_bundle(bundle, of_recipe(recipe.task), out.stem)
    write_bundle(out, bundle)


def _measured_on(recipe: Recipe, stills: StillsConfig, checkpoint: Path) -> Recipe:
    task = recipe.task
    if not isinstance(task, ClipsConfig) or task.video is None:
        raise BundleError(f"{checkpoint}: has stills of its own, which the export is measured on")
    return recipe.model_copy(
        update={"task": task.model_copy(update={"data": stills, "video": None})}
    )


def _pose_bundle(
    recipe: Recipe, state: dict[str, Any], name: str, trust: Trust, padding: float
) -> Bundle:
    """The bundle of a pose network, but for its card."""
    task = recipe.task
    if isinstance(task, DKDConfig):
        return memory_bundle(dkd_lite_model(state, task), task, name, trust, padding)
    if isinstance(task, ClipsConfig):
        model = clips_model(state, task)
        if isinstance(model, FrameModel):
            return _frame_bundle(model, require_stills(task), name, trust, padding)
        return memory_bundle(model, task, name, trust, padding)
    assert not isinstance(task, FinderConfig)
    data = task.student.data if isinstance(task, DistilConfig) else task.data
    return _frame_bundle(load_frame_model(state), data, name, trust, padding)


def _frame_bundle(
    model: FrameModel, data: StillsConfig, name: str, trust: Trust, padding: float
) -> Bundle:
    size, network, skeleton = model.size, model.deployed(), model.skeleton
    settle_weights(network.eval())
    graph = FrameGraph(network).eval()
    image = torch.zeros(1, *size, 3, dtype=torch.uint8)
    content = to_onnx(graph, {"image": image}, ("maps",), {"image": _BATCH, "maps": _BATCH})
    graphs = {"frame": store_weights_in_half(content)}
    crops = kept_out_crops(data, size, skeleton)
    difference = frame_parity(network, graphs["frame"], crops, STRIDE)
    if not difference < MAX_DIFFERENCE and _has_norms(network):
        # The exporter folds norms that are left, and rounding after that is not in the network.
        graphs = {"frame": content}
        difference = frame_parity(network, content, crops, STRIDE)
    refuse_differences(difference)
    settings = FrameSettings(size, padding, STRIDE, trust=trust)
    bundle = Bundle(
        name=name,
        kind="frame",
        version=vidpose.__version__,
        licence=LICENCE,
        settings=settings,
        graphs=graphs,
        skeleton=skeleton,
    )
    offset = frame_offset(loaded(bundle), labelled_by_hand(data, skeleton))
    bundle = replace(bundle, settings=replace(settings, offset=offset))
    quality = frame_quality(loaded(bundle), kept_out_people(data, skeleton))
    metrics = {
        "parameters": parameters(network),
        "frame_mmacs": multiply_adds(graph, (image,)) / 1e6,
        **quality.metrics,
    }
    settings = replace(settings, offset=offset, calibration=quality.calibration)
    return replace(bundle, settings=settings, metrics=metrics)


def _finder_bundle(
    recipe: Recipe, config: FinderConfig, state: dict[str, Any], name: str
) -> Bundle:
    network = PersonFinder(config.width)
    network.load_state_dict(
        {key.removeprefix("network."): value for key, value in state["averaged"].items()}
    )
    settle_weights(network.eval())
    graph = FinderExport(network).eval()
    side = config.input_size
    image = torch.zeros(1, side * 3 // 5 // 32 * 32, side, 3, dtype=torch.uint8)
    axes = {"image": {1: "height", 2: "width"}, "boxes": {0: "cells"}, "scores": {0: "cells"}}
    content = store_weights_in_half(to_onnx(graph, {"image": image}, ("boxes", "scores"), axes))
    refuse_differences(finder_parity(graph, content, config.coco_val, side))
    metrics = {
        "parameters": parameters(network),
        "detector_mmacs": multiply_adds(graph, (image,)) / 1e6,
        **_rounded(coco_person_ap(network, config.coco_val, side)),
    }
    return Bundle(
        name=name,
        kind="detector",
        version=vidpose.__version__,
        licence=LICENCE,
        settings=DetectorSettings(input_size=side, score_threshold=_SCORE),
        graphs={"detector": content},
        card=finder_card(name, recipe, metrics),
        metrics=metrics,
    )


def _rounded(scores: dict[str, float]) -> dict[str, float]:
    return {f"coco_{name}": round(value, 3) for name, value in scores.items()}


def _has_norms(network: nn.Module) -> bool:
    return any(isinstance(part, nn.BatchNorm2d) for part in network.modules())
