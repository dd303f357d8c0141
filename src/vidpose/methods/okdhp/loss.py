"""Losses of online distillation: between branches, from their ensemble, and across embeddings.

OKDHP (arXiv 2108.02092) in two modes. `official` is what the released code computes: the softmax of
a map whose peak is 1 is almost uniform, and the result is divided by the number of cells as well,
so the distillation's gradient is nearly nil; and the target is not detached, so the ensemble moves
towards its branches too. `sharp` is ours, the default: maps are divided by a temperature of about a
tenth of their peak, the target is detached, nothing is divided by the number of cells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from vidpose.methods.okdhp.model import BranchOutputs
from vidpose.training.heatmaps import joint_mean, weighted_mse


def ramp_up(step: int, length: int) -> float:
    """exp(-5 (1 - min(step, length) / length)^2): from nearly 0 to 1 over `length` steps."""
    if length <= 0:
        return 1.0
    return math.exp(-5.0 * (1.0 - min(step, length) / length) ** 2)


def hard_loss(outputs: BranchOutputs, target: Tensor, weight: Tensor) -> Tensor:
    """Sum over all outputs, the trunk's and the branches', of the squared error to the labels."""
    return torch.stack([weighted_mse(m, target, weight) for m in _all_maps(outputs)]).sum()


def official_kd_loss(outputs: BranchOutputs) -> Tensor:
    """Sum over the branches' outputs of KL(softmax m_ens || softmax m) / (B h w); no temperature.

    The target takes gradient.
    """
    target = outputs.ensemble
    people, _, height, width = target.shape
    terms = [map_divergence(target, m, 1.0).sum() for m in branch_maps(outputs)]
    return torch.stack(terms).sum() / (people * height * width)


def sharp_kd_loss(outputs: BranchOutputs, weight: Tensor, temperature: float) -> Tensor:
    """Sum over the branches' outputs of T^2 KL(softmax m_ens / T || softmax m / T).

    Weighted mean over joints; the target is detached. T^2 keeps the gradient's size when T
    changes, as in Hinton et al. (arXiv 1503.02531).
    """
    target = outputs.ensemble.detach()
    terms = [
        joint_mean(map_divergence(target, m, temperature), weight) for m in branch_maps(outputs)
    ]
    return temperature**2 * torch.stack(terms).sum()


def fusion_loss(outputs: BranchOutputs, weight: Tensor, temperature: float) -> Tensor:
    """FFL's mutual distillation (arXiv 1904.09058), its classes being the cells of a map.

    T^2 times: the sum over branches of KL(fused -> branch), and KL(mean of the branches -> fused);
    each source detached.
    """
    answers = [found.maps[-1] for found in outputs.branches]
    fused = outputs.ensemble
    terms = [map_divergence(fused.detach(), m, temperature) for m in answers]
    mean = torch.stack(answers).mean(0).detach()
    terms.append(map_divergence(mean, fused, temperature))
    return temperature**2 * torch.stack([joint_mean(term, weight) for term in terms]).sum()


def contrast_loss(embeddings: Sequence[Tensor], people: Tensor, temperature: float) -> Tensor:
    """MCL's loss (arXiv 2104.12565): sum over branches i != j of InfoNCE(v_i, v_j).

    Args:
        embeddings: for each branch (N, D), of length 1.
        people: (N,), who is in each crop. Other crops of the same person are no negatives.
        temperature: about 0.1.
    """
    same = people[:, None] == people[None]
    own = torch.eye(len(people), dtype=torch.bool, device=people.device)
    excluded = same & ~own
    truth = torch.arange(len(people), device=people.device)
    terms = []
    for i, one in enumerate(embeddings):
        for j, other in enumerate(embeddings):
            if i == j:
                continue
            similarity = (one @ other.T / temperature).masked_fill(excluded, -math.inf)
            terms.append(functional.cross_entropy(similarity, truth))
    return torch.stack(terms).sum()


def map_divergence(target: Tensor, maps: Tensor, temperature: float) -> Tensor:
    """KL(softmax target / T || softmax maps / T) over the cells: (N, K, h, w) -> (N, K), nats."""
    wanted = (target.flatten(2) / temperature).log_softmax(2)
    found = (maps.flatten(2) / temperature).log_softmax(2)
    return (wanted.exp() * (wanted - found)).sum(2)


def branch_maps(outputs: BranchOutputs) -> list[Tensor]:
    """Heatmaps of all stacks of all branches."""
    return [m for found in outputs.branches for m in found.maps]


def _all_maps(outputs: BranchOutputs) -> list[Tensor]:
    return [*outputs.shared, *branch_maps(outputs)]
