"""Any network for video over a clip: its maps, frame by frame."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from vidpose.methods.dkd.model import DKD
from vidpose.methods.dkd.pooled import DistributionDKD
from vidpose.methods.lstm.light import LSTMLite
from vidpose.methods.lstm.lstm_pm import LSTMPoseMachine
from vidpose.nn.unroll import follow, shrink_frames, unroll

_LEAST = 1e-9


class ClipMaps(NamedTuple):
    """A clip's maps (N, K, h, w), frame by frame; `further`: more of the first frame's, which only
    training sees."""

    frames: list[Tensor]
    further: list[Tensor]


def run_clip(network: nn.Module, images: Tensor, recorded: Tensor | None = None) -> ClipMaps:
    """Maps of clips; networks with a memory live on their own maps.

    Args:
        images: (N, T, 3, H, W) in [-1, 1].
        recorded: (N, T, K, h, w), distributions that were found in the frames before. Then the
            first frame's stands for what the initializer finds, and images have the step's size.
    """
    first, later = images[:, 0], images[:, 1:]
    if recorded is not None:
        assert isinstance(network, DistributionDKD)
        start = recorded[:, 0].float()
        kernels = network.distillator(network.encode(first), start)
        return ClipMaps([start.clamp_min(_LEAST).log(), *follow(network, kernels, later)], [])
    if isinstance(network, DKD | LSTMLite):
        return ClipMaps(unroll(network, first, shrink_frames(later, network.ratio)), [])
    if isinstance(network, LSTMPoseMachine):
        start, maps = network.unroll(first, later)
        return ClipMaps(maps, [start])
    maps = network(images.flatten(0, 1))
    return ClipMaps(list(maps.view(*images.shape[:2], *maps.shape[1:]).unbind(1)), [])
