"""BatchNorm folded into the convolution before it, where the network's form says which that is."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from vidpose.nn.folded_norms import fold_batch_norm
from vidpose.nn.movenet import PoseBackbone

_Convolution = nn.Conv2d | nn.ConvTranspose2d


@torch.no_grad()
def fold_norms(network: nn.Module) -> None:
    """Fold norms in place; what the network gives in eval mode stays the same.

    Known forms: neighbours in an `nn.Sequential`, torchvision's residual blocks, and the backbone
    of MoveNet. Other norms stay.
    """
    for module in list(network.modules()):
        if isinstance(module, PoseBackbone):
            for part in (module.stem, module.blocks, module.head):
                fold_batch_norm(part)
        elif isinstance(module, nn.Sequential):
            for (_, conv), (name, norm) in pairwise(list(module.named_children())):
                _fold(module, conv, name, norm)
        elif isinstance(module, (BasicBlock, Bottleneck)):
            for number in ("1", "2", "3"):
                if hasattr(module, f"bn{number}"):
                    name = f"bn{number}"
                    _fold(module, getattr(module, f"conv{number}"), name, getattr(module, name))


def _fold(parent: nn.Module, conv: nn.Module, name: str, norm: nn.Module) -> None:
    # timm's norms are of subclasses with an activation inside.
    if not isinstance(conv, _Convolution) or type(norm) is not nn.BatchNorm2d:
        return
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None or conv.groups > 1:
        return
    scale = norm.weight / torch.sqrt(variance + norm.eps)
    transposed = isinstance(conv, nn.ConvTranspose2d)
    shape = (1, -1, 1, 1) if transposed else (-1, 1, 1, 1)
    conv.weight.copy_(conv.weight * scale.view(shape))
    bias = norm.bias - mean * scale
    conv.bias = nn.Parameter(bias if conv.bias is None else bias + conv.bias * scale)
    setattr(parent, name, nn.Identity())
