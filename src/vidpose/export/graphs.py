"""The graphs of a bundle as torch modules: uint8 crops in, logits out, normalisation inside."""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor, nn

from vidpose.methods.dkd.model import DKD
from vidpose.methods.lstm.light import LSTMLite
from vidpose.methods.lstm.lstm_pm import LSTMPoseMachine
from vidpose.nn.heatmap_logits import HeatmapLogits
from vidpose.nn.pixels import normalise


def normalise_crops(image: Tensor) -> Tensor:
    """uint8 (N, H, W, 3) -> float (N, 3, H, W) in [-1, 1]."""
    return normalise(image.permute(0, 3, 1, 2))


class HeatmapsAsLogits(nn.Module):
    """A network with a memory that gives Gaussian heatmaps, as one of map logits.

    `sigma`: of the Gaussians that it was trained with, in cells. The memory stays as it is: it is
    made of the heatmaps.
    """

    def __init__(self, network: DKD | LSTMLite | LSTMPoseMachine, sigma: float) -> None:
        super().__init__()
        self.network = network
        self.ratio = network.ratio
        self.read = HeatmapLogits(nn.Identity(), sigma, sigmoid=False)

    def initialize(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """As the network's."""
        maps, memory = self.network.initialize(images)
        return self.read(maps), memory

    def step(self, images: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """As the network's."""
        maps, following = self.network.step(images, memory)
        return self.read(maps), following


MemoryNetwork: TypeAlias = DKD | LSTMLite | LSTMPoseMachine | HeatmapsAsLogits
"""A network whose memory of a person is one array, of any shape behind the people's axis."""


class InitializerGraph(nn.Module):
    """`image` -> `maps`, `kernels`: the initialisation of a person."""

    def __init__(self, network: MemoryNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        maps, kernels = self.network.initialize(normalise_crops(image))
        return maps, kernels


class StepGraph(nn.Module):
    """`image`, `kernels` -> `maps`, `next_kernels`: a later frame, found with its memory."""

    def __init__(self, network: MemoryNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, kernels: Tensor) -> tuple[Tensor, Tensor]:
        maps, following = self.network.step(normalise_crops(image), kernels)
        return maps, following


class FrameGraph(nn.Module):
    """`image` -> `maps`: a model without memory."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        maps: Tensor = self.network(normalise_crops(image))
        return maps


def parameters(network: nn.Module) -> int:
    """How many trained numbers the network has."""
    return sum(parameter.numel() for parameter in network.parameters())


def multiply_adds(graph: nn.Module, inputs: tuple[Tensor, ...]) -> int:
    """True multiply-adds of one call, convolutions and matrix products counted by torch."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        graph(*inputs)
    return int(counter.get_total_flops() // 2)
