"""A network with a memory, run over the frames of a clip."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from vidpose.nn.shrink import shrink


class MemoryNetwork(Protocol):
    """A network whose memory of a person is one array, of any shape behind the people's axis.

    `initialize`: first frames (N, 3, H r, W r) -> (maps, memory). `step`: later frames
    (N, 3, H, W) and the memory of the frame before -> (maps, memory). `ratio` is r.
    """

    @property
    def ratio(self) -> float: ...

    def initialize(self, images: Tensor, /) -> tuple[Tensor, Tensor]: ...

    def step(self, images: Tensor, memory: Tensor, /) -> tuple[Tensor, Tensor]: ...


def unroll(network: MemoryNetwork, first: Tensor, later: Tensor) -> list[Tensor]:
    """Maps of a clip's T frames, each found with the network's own memory of the one before.

    Args:
        first: (N, 3, H r, W r).
        later: (N, T - 1, 3, H, W).
    """
    maps, memory = network.initialize(first)
    return [maps, *follow(network, memory, later)]


def follow(network: MemoryNetwork, memory: Tensor, later: Tensor) -> list[Tensor]:
    """Maps of the later frames (N, T - 1, 3, H, W), from the memory of the frame before them."""
    found = []
    for images in later.unbind(1):
        maps, memory = network.step(images, memory)
        found.append(maps)
    return found


def shrink_frames(frames: Tensor, ratio: float) -> Tensor:
    """(N, T, C, H, W) -> (N, T, C, H / ratio, W / ratio), by area (`nn.shrink`)."""
    if ratio == 1:
        return frames
    small = shrink(frames.flatten(0, 1), ratio)
    return small.view(*frames.shape[:2], *small.shape[1:])
