"""dkd-lite: the light DKD configuration.

Both networks are shaped like MoveNet Lightning (models/movenet.py), the initializer at 256 x 192,
the frame encoder at 128 x 96; kernels are 1 x 1 over 96 features and 48 plane waves.

For comparisons the same two networks take the paper's distillator and kernels (`KernelOptions`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from vidpose.models.dkd import (
    DKD,
    ConvDistillator,
    FactorisedMatching,
    PlaneWaves,
    PooledDistillator,
)
from vidpose.models.movenet import PoseEncoder, PoseNet

INITIALIZER_SIZE = (256, 192)
STEP_SIZE = (128, 96)
STRIDE = 4

_PLACE = 1.0  # initial weight of a joint's last place: a rise of two in the map's logits there
_HIDDEN = 48
_CHANGE = 0.1  # initial size of what a distilled kernel adds to the static one


@dataclass(frozen=True, slots=True)
class KernelOptions:
    """The paper's kernels on dkd-lite's networks: its distillator with two poolings, which turns
    maps of 32 x 24 into 7 x 5 cells, no plane waves."""

    form: Literal["factorised", "full"] = "factorised"
    size: int = 7


def dkd_lite(num_keypoints: int = 17, kernels: KernelOptions | None = None) -> DKD:
    """Build dkd-lite with untrained weights; `kernels`: the paper's instead of its own."""
    encoder = PoseEncoder()
    ratio = INITIALIZER_SIZE[0] // STEP_SIZE[0]
    initializer = PoseNet(num_keypoints)
    if kernels is None:
        waves = PlaneWaves((STEP_SIZE[0] // STRIDE, STEP_SIZE[1] // STRIDE))
        pooled = PooledDistillator(encoder.channels + waves.channels, num_keypoints)
        return DKD(initializer, encoder, pooled, waves, ratio)
    factorised = kernels.form == "factorised"
    distillator = ConvDistillator(
        encoder.channels, num_keypoints, _HIDDEN, kernels.size, factorised, poolings=2
    )
    matching = FactorisedMatching(encoder.channels, num_keypoints) if factorised else None
    return DKD(initializer, encoder, distillator, None, ratio, matching)


def start_from_frames(model: DKD, initializer: PoseNet, per_frame: PoseNet) -> None:
    """Give a dkd-lite the weights of two per-frame networks.

    The encoder becomes `per_frame`'s and the static kernels its classifier: the step network
    starts as that per-frame network (its maps averaged over S x S cells where kernels are larger
    than 1), with a mild preference for each joint's last place where it has plane waves, and
    training only has to learn what else the previous frame adds.
    """
    model.initializer.load_state_dict(initializer.state_dict())
    model.encoder.load_state_dict(per_frame.encoder.state_dict())
    weights = per_frame.classifier.weight.detach()[:, :, 0, 0]
    with torch.no_grad():
        if isinstance(model.distillator, PooledDistillator):
            _start_pooled(model.distillator, weights)
        elif isinstance(model.matching, FactorisedMatching):
            _start_factorised(model, per_frame.classifier)
        else:
            _start_full(model.distillator, weights)


def _start_pooled(distillator: PooledDistillator, weights: Tensor) -> None:
    static, gain = distillator.static, distillator.gain
    channels = weights.shape[1]
    static.zero_()
    static[:, :channels] = weights * static.shape[1] ** 0.5
    gain.zero_()
    gain[:, channels:] = _PLACE / distillator.GAIN_RATE


def _start_full(distillator: nn.Module, weights: Tensor) -> None:
    """Kernels w sqrt(C S S) / (S S) in every place, which `match_kernels` divides by the root."""
    norm, size = _last_norm(distillator)
    root = (weights.shape[1] * size * size) ** 0.5
    norm.bias.copy_((weights * root / size**2).flatten())


def _start_factorised(model: DKD, classifier: nn.Conv2d) -> None:
    """V the identity, kernels that average, U the classifier."""
    matching = model.matching
    assert isinstance(matching, FactorisedMatching)
    norm, size = _last_norm(model.distillator)
    norm.bias.fill_(1 / size**2)
    (v, _), (u, u_norm) = matching.v, matching.u
    assert isinstance(v, nn.Conv2d)
    assert isinstance(u, nn.Conv2d)
    assert isinstance(u_norm, nn.BatchNorm2d)
    assert classifier.bias is not None
    v.weight.copy_(torch.eye(v.out_channels)[:, :, None, None])
    u.weight.copy_(classifier.weight)
    u_norm.bias.copy_(classifier.bias)


def _last_norm(distillator: nn.Module) -> tuple[nn.BatchNorm2d, int]:
    """The norm that makes the kernels, its changes made small, and the kernels' size S."""
    assert isinstance(distillator, ConvDistillator)
    norm = distillator.last[1]
    assert isinstance(norm, nn.BatchNorm2d)
    norm.weight.fill_(_CHANGE / distillator.kernel_size**2)
    return norm, distillator.kernel_size
