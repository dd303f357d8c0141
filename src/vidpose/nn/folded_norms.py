"""BatchNorms folded into the convolutions before them, and unfolded again."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


@torch.no_grad()
def restore_batch_norm(module: nn.Module, batches: Iterable[Tensor]) -> None:
    """Unfold BatchNorm: measure each norm's input over `batches` and keep the outputs.

    After this, eval mode gives the same outputs as before and training mode starts near them:
    running statistics are the measured ones, weight = sigma, bias += mean.
    """
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    sums = {norm: torch.zeros(3, norm.num_features, dtype=torch.float64) for norm in norms}

    def measure(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        x = inputs[0].double()
        count = torch.full((x.shape[1],), x.numel() / x.shape[1], dtype=torch.float64)
        sums[norm] += torch.stack([x.sum((0, 2, 3)), x.square().sum((0, 2, 3)), count])

    handles = [norm.register_forward_pre_hook(measure) for norm in norms]
    was_training = module.training
    module.eval()
    try:
        for batch in batches:
            module(batch)
    finally:
        for handle in handles:
            handle.remove()
        module.train(was_training)
    for norm in norms:
        total, squares, count = sums[norm]
        mean = total / count
        variance = (squares / count - mean.square()).clamp_min(1e-6)
        old_mean, old_variance = running_statistics(norm)
        scale = norm.weight.double() / torch.sqrt(old_variance.double() + norm.eps)
        norm.bias.add_(((mean - old_mean.double()) * scale).float())
        norm.weight.copy_((scale * torch.sqrt(variance + norm.eps)).float())
        old_mean.copy_(mean.float())
        old_variance.copy_(variance.float())


@torch.no_grad()
def fold_batch_norm(module: nn.Module) -> None:
    """Replace every (Conv2d, BatchNorm2d) pair by one convolution with a bias, activation kept.

    Every convolution of `module` must be followed by its norm, as in MobileNetV2's stem, blocks
    and head. Outputs in eval mode stay the same.
    """
    names = [n for n, m in module.named_modules() if isinstance(m, (nn.Conv2d, nn.BatchNorm2d))]
    for conv_name, norm_name in zip(names[::2], names[1::2], strict=True):
        conv, norm = module.get_submodule(conv_name), module.get_submodule(norm_name)
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        mean, variance = running_statistics(norm)
        scale = norm.weight / torch.sqrt(variance + norm.eps)
        conv.weight = nn.Parameter(conv.weight * scale[:, None, None, None])
        conv.bias = nn.Parameter(norm.bias - mean * scale)
        module.set_submodule(norm_name, getattr(norm, "act", nn.Identity()))


def running_statistics(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    return mean, variance
