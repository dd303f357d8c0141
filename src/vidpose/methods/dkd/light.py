"""dkd-base and dkd-lite: the light DKD configurations.

Both networks are shaped like MoveNet (nn/movenet.py); kernels are 1 x 1 over 96 features and
48 plane waves. The two share their initializer, which is 1.75 times as wide as the encoder (it
runs once in thirty frames), and differ in the size of the step's crops:

| | initializer | frame encoder |
|---|---|---|
| dkd-base | 256 x 192, width 1.75 | 256 x 192 |
| dkd-lite | 256 x 192, width 1.75 | 160 x 120 |

For comparisons the same two networks take the paper's distillator and kernels (`KernelOptions`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from vidpose.methods.dkd.model import ConvDistillator, FactorisedMatching
from vidpose.methods.dkd.pooled import (
    DistributionDKD,
    PlaneWaves,
    PooledDistillator,
    StaticKernels,
)
from vidpose.nn.movenet import LIGHTNING_WIDTH, THUNDER_WIDTH, PoseEncoder, PoseNet

STRIDE = 4


@dataclass(frozen=True, slots=True)
class Sizes:
    """Crops (H, W) of the initializer and of the step, and the widths of the two trunks.

    The two have the same shape; sides are multiples of 8.

    Raises ValueError otherwise.
    """

    initializer: tuple[int, int]
    step: tuple[int, int]
    initializer_width: float = LIGHTNING_WIDTH
    step_width: float = LIGHTNING_WIDTH

    def __post_init__(self) -> None:
        if any(side % 8 for side in (*self.initializer, *self.step)):
            raise ValueError(f"sides of {self.initializer} and {self.step} are not multiples of 8")
        if self.ratio < 1 or self.ratio != self.initializer[1] / self.step[1]:
            raise ValueError(
                f"the initializer's crops {self.initializer} must have the shape of the step's "
                f"{self.step}, and not be smaller"
            )

    @property
    def ratio(self) -> float:
        """How many of the initializer's pixels lie along one of the step's."""
        return self.initializer[0] / self.step[0]

    @property
    def step_maps(self) -> tuple[int, int]:
        """(h, w) of the step's maps."""
        return self.step[0] // STRIDE, self.step[1] // STRIDE


BASE = Sizes((256, 192), (256, 192), initializer_width=THUNDER_WIDTH)
LITE = Sizes((256, 192), (160, 120), initializer_width=THUNDER_WIDTH)
SMALL = Sizes((256, 192), (128, 96))
"""No member of the family: what comparisons of methods are made with (methods/clips)."""

_PLACE = 1.0  # initial weight of a joint's last place: a rise of two in the map's logits there
_HIDDEN = 48
_CHANGE = 0.1  # initial size of what a distilled kernel adds to the static one


@dataclass(frozen=True, slots=True)
class KernelOptions:
    """The paper's kernels on dkd-lite's networks: its distillator with two poolings, which turns
    maps of 32 x 24 into 7 x 5 cells, no plane waves."""

    form: Literal["factorised", "full"] = "factorised"
    size: int = 7


def build_light_dkd(
    num_keypoints: int = 17, kernels: KernelOptions | None = None, sizes: Sizes = LITE
) -> DistributionDKD:
    """Build a member of the family with untrained weights; `kernels`: the paper's, not its own."""
    encoder = PoseEncoder(sizes.step_width)
    ratio = sizes.ratio
    initializer = PoseNet(num_keypoints, sizes.initializer_width)
    if kernels is None:
        waves = PlaneWaves(sizes.step_maps)
        pooled = PooledDistillator(encoder.channels + waves.channels, num_keypoints)
        return DistributionDKD(initializer, encoder, pooled, waves, ratio)
    factorised = kernels.form == "factorised"
    distillator = ConvDistillator(
        encoder.channels, num_keypoints, _HIDDEN, kernels.size, factorised, poolings=2
    )
    matching = FactorisedMatching(encoder.channels, num_keypoints) if factorised else None
    return DistributionDKD(initializer, encoder, distillator, None, ratio, matching)


def start_from_frames(model: DistributionDKD, initializer: PoseNet, per_frame: PoseNet) -> None:
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


def use_static_kernels(model: DistributionDKD) -> None:
    """Leave the memory out: of the distilled kernels only the static part stays."""
    assert isinstance(model.distillator, PooledDistillator)
    model.distillator = StaticKernels(model.distillator.static)


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


def _start_factorised(model: DistributionDKD, classifier: nn.Conv2d) -> None:
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
