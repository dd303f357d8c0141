"""Bundles of networks with a memory: DKD in all its forms, and LSTM Pose Machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import vidpose
from vidpose.bundle import Bundle, DkdSettings, Size, Trust
from vidpose.export.graphs import (
    HeatmapsAsLogits,
    InitializerGraph,
    MemoryNetwork,
    StepGraph,
    multiply_adds,
    parameters,
)
from vidpose.export.kept_out import kept_out_crops, require_stills
from vidpose.export.offset import recipe_offsets
from vidpose.export.onnx import settle_weights, store_weights_in_half, to_onnx
from vidpose.export.parity import dkd_parity, refuse_differences
from vidpose.export.quality import loaded, recipe_quality
from vidpose.methods.clips.networks import (
    NetworkConfig,
    SmallerInput,
    StartConfig,
    build_network,
)
from vidpose.methods.clips.task import ClipsConfig
from vidpose.methods.dkd.light import build_light_dkd, use_static_kernels
from vidpose.methods.dkd.model import DKD
from vidpose.methods.dkd.task import DKDConfig
from vidpose.methods.lstm.light import LSTMLite
from vidpose.methods.lstm.lstm_pm import LSTMPoseMachine
from vidpose.methods.per_frame.pose_runs import load_pose_network
from vidpose.methods.per_frame.task import FrameModel
from vidpose.nn.heatmap_logits import MapKind
from vidpose.nn.movenet import width_of
from vidpose.nn.shrink import shrunk_size
from vidpose.skeleton import Skeleton

LICENCE = "Apache-2.0"
_BATCH = {0: "people"}
_AMORTISED = 30  # frames for each run of the initializer


@dataclass(frozen=True, slots=True, eq=False)
class MemoryModel:
    """A trained network with a memory. `size`: (H, W) of the initializer's crops."""

    network: MemoryNetwork
    size: Size
    skeleton: Skeleton

    @property
    def step_size(self) -> Size:
        """(H, W) of the step's crops."""
        return shrunk_size(self.size, self.network.ratio)


def dkd_lite_model(state: Mapping[str, Any], config: DKDConfig) -> MemoryModel:
    """The network of a checkpoint of `kind: dkd`, with the initializer of its recipe."""
    initializer = load_pose_network(config.initializer, config.skeleton).state_dict()
    trained = _weights(state)
    sizes = config.sizes(width_of(initializer), width_of(trained))
    network = build_light_dkd(config.skeleton.num_keypoints, sizes=sizes)
    if config.kernels == "static":
        use_static_kernels(network)
    trained |= {f"initializer.{name}": value for name, value in initializer.items()}
    network.load_state_dict(trained)
    return MemoryModel(network.eval(), sizes.initializer, config.skeleton)


def clips_model(state: Mapping[str, Any], config: ClipsConfig) -> MemoryModel | FrameModel:
    """The network of a checkpoint of `kind: clips`, whatever its form."""
    skeleton, heatmaps = config.skeleton, config.loss == "l2"
    untrained = _without_starts(config.network)
    network = build_network(untrained, skeleton.num_keypoints, config.size, heatmaps)
    network.load_state_dict(_weights(state))
    network.eval()
    if not isinstance(network, (DKD, LSTMLite, LSTMPoseMachine)):
        kind: MapKind = "heatmaps" if heatmaps else "distribution"
        height, width = config.size
        if isinstance(network, SmallerInput):
            height, width = height // network.ratio, width // network.ratio
            network = network.network
        return FrameModel(network, kind, (height, width), config.sigma, skeleton)
    read = HeatmapsAsLogits(network, config.sigma).eval() if heatmaps else network
    return MemoryModel(read, config.size, skeleton)


def memory_bundle(
    model: MemoryModel,
    config: DKDConfig | ClipsConfig,
    name: str,
    trust: Trust,
    padding: float,
) -> Bundle:
    """The bundle of a network with a memory, without a card.

    Raises BundleError where the graphs find other keypoints than the network.
    """
    network = model.network
    settle_weights(network)
    image, small = (
        torch.zeros(1, *size, 3, dtype=torch.uint8) for size in (model.size, model.step_size)
    )
    first, later = InitializerGraph(network).eval(), StepGraph(network).eval()
    with torch.no_grad():
        maps, kernels = first(image)
    graphs = _graphs(first, later, (image,), (small, kernels))
    stride = model.size[0] // maps.shape[2]
    crops = kept_out_crops(require_stills(config), model.size, model.skeleton)
    refuse_differences(dkd_parity(network, graphs, crops, stride))
    settings = DkdSettings(model.size, model.step_size, padding, stride, trust=trust)
    bundle = Bundle(
        name=name,
        kind="dkd",
        version=vidpose.__version__,
        licence=LICENCE,
        settings=settings,
        graphs=graphs,
        skeleton=model.skeleton,
    )
    offset = recipe_offsets(loaded(bundle), config)
    bundle = replace(bundle, settings=replace(settings, offset=offset))
    quality = recipe_quality(loaded(bundle), config)
    initialising = multiply_adds(first, (image,)) / 1e6
    steps = multiply_adds(later, (small, kernels)) / 1e6
    metrics = {
        "parameters": parameters(network),
        "initializer_mmacs": initialising,
        "step_mmacs": steps,
        "amortised_mmacs": (initialising + (_AMORTISED - 1) * steps) / _AMORTISED,
        **quality.metrics,
    }
    settings = replace(settings, offset=offset, calibration=quality.calibration)
    return replace(bundle, settings=settings, metrics=metrics)


def _graphs(
    first: nn.Module, later: nn.Module, crops: tuple[Tensor], frame: tuple[Tensor, Tensor]
) -> dict[str, bytes]:
    axes = dict.fromkeys(("image", "maps", "kernels"), _BATCH)
    inputs = dict(zip(("image", "kernels"), frame, strict=True))
    graphs = {
        "initializer": to_onnx(first, {"image": crops[0]}, ("maps", "kernels"), axes),
        "step": to_onnx(later, inputs, ("maps", "next_kernels"), {**axes, "next_kernels": _BATCH}),
    }
    return {name: store_weights_in_half(content) for name, content in graphs.items()}


def _weights(state: Mapping[str, Any]) -> dict[str, Tensor]:
    prefix = "network."
    averaged: Mapping[str, Tensor] = state["averaged"]
    return {k.removeprefix(prefix): v for k, v in averaged.items() if k.startswith(prefix)}


def _without_starts(config: NetworkConfig) -> NetworkConfig:
    """The network's section without the files that its training started from."""
    starts = [name for name, value in config if isinstance(value, (StartConfig, Path))]
    return config.model_copy(update=dict.fromkeys(starts))
