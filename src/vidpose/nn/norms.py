"""BatchNorm layers that keep their statistics in training."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class FixedBatchNorm2d(nn.BatchNorm2d):
    """A BatchNorm whose weight and bias are trained and whose statistics never change.

    `act`: what follows it, as in timm's norms, which have their activation inside. The state is a
    BatchNorm's, so either loads the other's checkpoints.
    """

    def __init__(self, features: int, eps: float, act: nn.Module | None = None) -> None:
        super().__init__(features, eps)
        self.act = act or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        normed = functional.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
        )
        found: Tensor = self.act(normed)
        return found


def fix_norms(network: nn.Module) -> None:
    """Put a `FixedBatchNorm2d` with the same weights and statistics in place of every BatchNorm.

    For networks that start from trained weights, where few crops would give poor statistics.
    """
    for parent in list(network.modules()):
        for name, norm in list(parent.named_children()):
            if isinstance(norm, nn.BatchNorm2d):
                setattr(parent, name, _fixed(norm))


def _fixed(norm: nn.BatchNorm2d) -> FixedBatchNorm2d:
    with torch.device("meta"):
        fixed = FixedBatchNorm2d(norm.num_features, norm.eps, getattr(norm, "act", None))
    fixed.load_state_dict(norm.state_dict(), assign=True)
    for name, parameter in norm.named_parameters():
        fixed.get_parameter(name).requires_grad_(parameter.requires_grad)
    return fixed
