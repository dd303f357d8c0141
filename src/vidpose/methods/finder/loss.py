"""The person finder's loss: task-aligned assignment, quality focal loss, GIoU loss.

Each person's responsible cells are those that already do best at both tasks, naming a person and
placing the box (TOOD, arXiv 2108.07755); a cell's target score is the IoU that it reaches, so
scores come to mean box quality (Generalized Focal Loss, arXiv 2006.04388).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from vidpose.methods.finder.model import Cells

_TOP_CELLS = 9
_SCORE_POWER, _IOU_POWER = 0.5, 4.0
_FOCAL_POWER = 2.0
_BOX_WEIGHT = 2.0
_FAR = 1e4


class Assignment(NamedTuple):
    """Per cell: ``target`` (N, A) score in [0, 1], ``boxes`` (N, A, 4), ``positive`` (N, A)."""

    target: Tensor
    boxes: Tensor
    positive: Tensor


def finder_loss(cells: Cells, boxes: Tensor, ignore: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Loss of a batch and its parts ("score", "box").

    ``boxes`` and ``ignore`` (N, G, 4): x1, y1, x2, y2 in input pixels, rows of zeros for nothing.
    """
    with torch.no_grad():
        assignment = assign(cells, boxes)
        muted = _centre_inside(cells.centres, ignore, cells.strides).any(1) & ~assignment.positive
    weight = assignment.target.sum().clamp_min(1.0)
    gap = (assignment.target - torch.sigmoid(cells.logits)).abs()
    entropy = functional.binary_cross_entropy_with_logits(
        cells.logits, assignment.target, reduction="none"
    )
    score = (entropy * gap.pow(_FOCAL_POWER) * ~muted).sum() / weight
    # Cells without a person count nothing; leaving them out would wait for the device.
    overlap = generalized_iou(cells.boxes.flatten(0, 1), assignment.boxes.flatten(0, 1))
    share = (assignment.target * assignment.positive).flatten()
    box = ((1 - overlap) * share).sum() / weight
    return score + _BOX_WEIGHT * box, {"score": score.detach(), "box": box.detach()}


def assign(cells: Cells, boxes: Tensor) -> Assignment:
    """Choose every person's cells; a cell wanted by two goes to the one that it fits best."""
    real = (boxes[..., 2:] - boxes[..., :2]).prod(-1) > 0
    inside = _centre_inside(cells.centres, boxes, cells.strides) & real[..., None]
    iou = _pairwise_iou(boxes, cells.boxes)
    score = torch.sigmoid(cells.logits)[:, None]
    fit = score.pow(_SCORE_POWER) * (iou + 1e-3).pow(_IOU_POWER) * inside
    best, where = fit.topk(min(_TOP_CELLS, fit.shape[-1]), -1)
    mine = torch.zeros_like(fit).scatter_(-1, where, (best > 0).to(fit.dtype)) * inside
    owner = (fit * mine).argmax(1)
    mine = mine * functional.one_hot(owner, boxes.shape[1]).transpose(1, 2)
    fit = fit * mine
    # The person's best cell is given its IoU as target, the others a share of it by their fit.
    peak = fit.amax(-1, keepdim=True).clamp_min(1e-12)
    target = (fit / peak * (iou * mine).amax(-1, keepdim=True)).sum(1)
    chosen = torch.take_along_dim(boxes, owner[..., None], 1)
    return Assignment(target, chosen, mine.sum(1) > 0)


def generalized_iou(a: Tensor, b: Tensor) -> Tensor:
    """GIoU of (M, 4) boxes with (M, 4) boxes, row by row: (M,), in (-1, 1]."""
    inter, union = _overlap(a, b)
    hull = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    area = hull.prod(-1).clamp_min(1e-6)
    return inter / union.clamp_min(1e-6) - (area - union) / area


def _overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    sides = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])
    inter = sides.clamp_min(0).prod(-1)
    return inter, _area(a) + _area(b) - inter


def _area(boxes: Tensor) -> Tensor:
    # An untrained cell may place the left side right of the right one.
    return (boxes[..., 2:] - boxes[..., :2]).clamp_min(0).prod(-1)


def _pairwise_iou(people: Tensor, cells: Tensor) -> Tensor:
    """(N, G, 4) with (N, A, 4): (N, G, A)."""
    inter, union = _overlap(people[:, :, None], cells[:, None])
    return inter / union.clamp_min(1e-6)


def _centre_inside(centres: Tensor, boxes: Tensor, strides: Tensor) -> Tensor:
    """Whether cell centres (A, 2) lie in boxes (N, G, 4): (N, G, A).

    A box narrower than a cell counts as one cell wide, so that the smallest people have a cell.
    """
    middle = (boxes[..., 2:] + boxes[..., :2]) / 2
    half = ((boxes[..., 2:] - boxes[..., :2]) / 2)[:, :, None].expand(-1, -1, len(strides), -1)
    least = (strides.min() / 2).expand_as(half)
    empty = (half <= 0).any(-1, keepdim=True)
    reach = torch.where(empty, half.new_full((), -_FAR), torch.maximum(half, least))
    return ((centres - middle[:, :, None]).abs() <= reach).all(-1)
