"""`vidpose export`: a checkpoint becomes a bundle, or no file at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

import vidpose
from vidpose.bundle import Bundle, DetectorSettings, DkdSettings, FrameSettings, Trust, write_bundle
from vidpose.data.stills import StillsConfig
from vidpose.errors import BundleError
from vidpose.export.card import dkd_card, finder_card, frame_card
from vidpose.export.graphs import FrameGraph, InitializerGraph, StepGraph, multiply_adds
from vidpose.export.int8 import DETECTORS_STAY, of_recipe, quantise_bundle
from vidpose.export.onnx import settle_weights, store_weights_in_half, to_onnx
from vidpose.export.parity import (
    MAX_DIFFERENCE,
    dkd_parity,
    finder_parity,
    frame_parity,
)
from vidpose.export.quality import (
    dkd_quality,
    frame_quality,
    kept_out_crops,
    loaded,
    measured_on,
    tracks,
)
from vidpose.models.checkpoint import load_checkpoint, load_weights
from vidpose.models.dkd import DKD
from vidpose.models.dkd_lite import INITIALIZER_SIZE, STEP_SIZE, STRIDE, dkd_lite
from vidpose.models.finder import FinderExport, PersonFinder
from vidpose.skeleton import COCO_17
from vidpose.tasks.clips import ClipsConfig
from vidpose.tasks.distil import DistilConfig
from vidpose.tasks.dkd import DKDConfig
from vidpose.tasks.finder import FinderConfig, coco_person_ap
from vidpose.tasks.students import load_frame_model
from vidpose.train.recipe import Recipe

_BATCH = {0: "people"}
LICENCE = "Apache-2.0"
_SCORE = 0.4  # of a box to be tried as a person; the pose then confirms it or not
_MAX_AGE = 1.0  # seconds between two looks of the initializer at a person: 30 frames at 30 Hz


def export_checkpoint(checkpoint: Path, out: Path, int8: bool = False) -> None:
    """Write the bundle `out` from a checkpoint of `vidpose train`.

    The graphs are compared with the torch network on kept-out crops and the confidences are
    calibrated there, so the data of the recipe must be at hand. Raises BundleError, and writes
    nothing, when a keypoint differs by more than 0.05 px; with `int8`, also when quantisation
    costs too much (export/int8.py).
    """
    state = load_checkpoint(checkpoint)
    recipe = Recipe.model_validate(state["recipe"])
    task = recipe.task
    if isinstance(task, ClipsConfig):
        raise BundleError(f"{checkpoint}: networks of `kind: clips` have no bundle yet")
    if isinstance(task, FinderConfig):
        if int8:
            raise BundleError(f"{checkpoint}: this is a detector; {DETECTORS_STAY}")
        write_bundle(out, _finder_bundle(recipe, task, state, out.stem))
        return
    if isinstance(task, DKDConfig):
        data = task.data
        bundle = _dkd_bundle(recipe, task, state, out.stem)
    else:
        data = task.student.data if isinstance(task, DistilConfig) else task.data
        bundle = _frame_bundle(recipe, data, state, out.stem)
    if int8:
        bundle = quantise_bundle(bundle, of_recipe(data, task), out.stem)
    write_bundle(out, bundle)


def load_dkd(state: dict[str, Any], config: DKDConfig) -> DKD:
    """The trained network of a DKD checkpoint, with the initializer of its recipe, in eval mode."""
    network = dkd_lite()
    trained = {name.removeprefix("network."): value for name, value in state["averaged"].items()}
    initializer = load_weights(config.initializer, prefix="network.")
    trained |= {f"initializer.{name}": value for name, value in initializer.items()}
    network.load_state_dict(trained)
    return network.eval()


def _dkd_bundle(recipe: Recipe, config: DKDConfig, state: dict[str, Any], name: str) -> Bundle:
    network = load_dkd(state, config)
    settle_weights(network)
    first, later = InitializerGraph(network).eval(), StepGraph(network).eval()
    image = torch.zeros(1, *INITIALIZER_SIZE, 3, dtype=torch.uint8)
    small = torch.zeros(1, *STEP_SIZE, 3, dtype=torch.uint8)
    with torch.no_grad():
        _, kernels = first(image)
    image_axes = dict.fromkeys(("image", "maps", "kernels"), _BATCH)
    graphs = {
        "initializer": to_onnx(first, {"image": image}, ("maps", "kernels"), image_axes),
        "step": to_onnx(
            later,
            {"image": small, "kernels": kernels},
            ("maps", "next_kernels"),
            {**image_axes, "next_kernels": _BATCH},
        ),
    }
    graphs = {name: store_weights_in_half(content) for name, content in graphs.items()}
    crops = kept_out_crops(config.data, INITIALIZER_SIZE)
    _refuse_differences(dkd_parity(network, graphs, crops, STRIDE))
    settings = DkdSettings(
        INITIALIZER_SIZE,
        STEP_SIZE,
        stride=STRIDE,
        trust=Trust(max_age=_MAX_AGE),
    )
    bundle = Bundle(
        name=name,
        kind="dkd",
        version=vidpose.__version__,
        licence=LICENCE,
        settings=settings,
        graphs=graphs,
        skeleton=COCO_17,
    )
    quality = dkd_quality(loaded(bundle), measured_on(config.data), tracks(config, "test"))
    macs = {
        "initializer_mmacs": multiply_adds(first, (image,)) / 1e6,
        "step_mmacs": multiply_adds(later, (small, kernels)) / 1e6,
    }
    macs["amortised_mmacs"] = (macs["initializer_mmacs"] + 29 * macs["step_mmacs"]) / 30
    metrics = {**_size(network), **macs, **quality.metrics}
    settings = replace(settings, calibration=quality.calibration)
    card = dkd_card(name, recipe, metrics)
    return replace(bundle, settings=settings, metrics=metrics, card=card)


def _frame_bundle(recipe: Recipe, data: StillsConfig, state: dict[str, Any], name: str) -> Bundle:
    model = load_frame_model(state)
    size, network = model.size, model.deployed()
    settle_weights(network.eval())
    graph = FrameGraph(network).eval()
    image = torch.zeros(1, *size, 3, dtype=torch.uint8)
    content = to_onnx(graph, {"image": image}, ("maps",), {"image": _BATCH, "maps": _BATCH})
    graphs = {"frame": store_weights_in_half(content)}
    crops = kept_out_crops(data, size)
    difference = frame_parity(network, graphs["frame"], crops, STRIDE)
    if not difference < MAX_DIFFERENCE and _has_norms(network):
        # The exporter folds norms that are left, and rounding after that is not in the network.
        graphs = {"frame": content}
        difference = frame_parity(network, content, crops, STRIDE)
    _refuse_differences(difference)
    bundle = Bundle(
        name=name,
        kind="frame",
        version=vidpose.__version__,
        licence=LICENCE,
        settings=FrameSettings(size, stride=STRIDE),
        graphs=graphs,
        skeleton=COCO_17,
    )
    quality = frame_quality(loaded(bundle), measured_on(data))
    metrics = {
        **_size(network),
        "frame_mmacs": multiply_adds(graph, (image,)) / 1e6,
        **quality.metrics,
    }
    settings = FrameSettings(size, stride=STRIDE, calibration=quality.calibration)
    card = frame_card(name, recipe, metrics)
    return replace(bundle, settings=settings, metrics=metrics, card=card)


def _finder_bundle(
    recipe: Recipe, config: FinderConfig, state: dict[str, Any], name: str
) -> Bundle:
    network = PersonFinder(config.width, config.frozen_stages)
    network.load_state_dict(
        {key.removeprefix("network."): value for key, value in state["averaged"].items()}
    )
    settle_weights(network.eval())
    graph = FinderExport(network).eval()
    side = config.input_size
    image = torch.zeros(1, side * 3 // 5 // 32 * 32, side, 3, dtype=torch.uint8)
    axes = {"image": {1: "height", 2: "width"}, "boxes": {0: "cells"}, "scores": {0: "cells"}}
    content = store_weights_in_half(to_onnx(graph, {"image": image}, ("boxes", "scores"), axes))
    _refuse_differences(finder_parity(graph, content, config.coco_val, side))
    metrics = {
        **_size(network),
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


def _size(network: nn.Module) -> dict[str, float]:
    return {"parameters": sum(p.numel() for p in network.parameters())}


def _rounded(scores: dict[str, float]) -> dict[str, float]:
    return {f"coco_{name}": round(value, 3) for name, value in scores.items()}


def _has_norms(network: nn.Module) -> bool:
    return any(isinstance(part, nn.BatchNorm2d) for part in network.modules())


def _refuse_differences(difference: float) -> None:
    if not difference < MAX_DIFFERENCE:
        raise BundleError(
            f"the ONNX graph differs from the torch network by {difference:.3f} px "
            f"(allowed: {MAX_DIFFERENCE}); no bundle was written"
        )
