"""Losses of token regression: from labels, from a heatmap teacher, from the network itself.

DistilPose (arXiv 2303.02455):  L = L_reg + a_VT L_VT + a_KT L_KT + a_SH L_SH + a_CS L_CS.
Points are parts of the image, `methods/distilpose/model.py` says how they meet the cells of a map.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from vidpose.methods.distilpose.model import TokenPose, Tokens, simulated_heatmaps
from vidpose.training.heatmaps import joint_mean


def image_parts(keypoints: Tensor, size: tuple[int, int]) -> Tensor:
    """Keypoints (..., 2 or 3) in crop pixels as parts of a crop of `size` = (H, W): (..., 2)."""
    sides = keypoints.new_tensor([size[1], size[0]])
    return (keypoints[..., :2] + 0.5) / sides


def regression_loss(points: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """L_reg: smooth L1 of x and y, mean over both, weighted mean over joints.

    Args:
        points, truth: (N, K, 2), parts of the image.
        weight: (N, K).
    """
    error = functional.smooth_l1_loss(points, truth, reduction="none")
    return joint_mean(error.mean(-1), weight)


def token_loss(tokens: Tensor, teacher: Tensor) -> Tensor:
    """L_VT, L_KT: mean squared error of tokens (N, V or K, D) to the teacher's, which is fixed."""
    return functional.mse_loss(tokens, teacher.detach())


def simulated_heatmap_loss(pose: TokenPose, heatmaps: Tensor, weight: Tensor) -> Tensor:
    """L_SH: squared error of the heatmap drawn from the pose to the teacher's (N, K, h, w).

    Mean over cells, weighted mean over joints: a joint outside the crop has weight 0, there is no
    place for it on the teacher's map.
    """
    assert pose.spread is not None
    drawn = simulated_heatmaps(pose.points, pose.spread, (heatmaps.shape[2], heatmaps.shape[3]))
    return joint_mean((drawn - heatmaps).square().mean((2, 3)), weight)


def score_loss(pose: TokenPose, heatmaps: Tensor, weight: Tensor) -> Tensor:
    """L_CS: |score - teacher's height in the cell that holds the regressed point|.

    The point takes no gradient from it. Weighted mean over joints.
    """
    assert pose.scores is not None
    height, width = heatmaps.shape[2:]
    sides = pose.points.new_tensor([width, height])
    # A sigmoid may round to 1, the far edge of the last cell.
    cells = torch.minimum((pose.points.detach() * sides).long(), sides.long() - 1)
    index = (cells[..., 1] * width + cells[..., 0])[..., None]
    there = heatmaps.flatten(2).gather(2, index)[..., 0]
    return joint_mean((pose.scores - there).abs(), weight)


def self_distillation_loss(passes: Sequence[Tokens]) -> Tensor:
    """SDPose: the tokens of each pass learn from those of the next, which are fixed.

    Sum over neighbouring passes of the mean squared errors of keypoint and of visual tokens; 0 for
    one pass. **Interpretation**: the target is detached.
    """
    total = passes[0].visual.new_zeros(())
    for early, late in pairwise(passes):
        total = total + token_loss(early.keypoint, late.keypoint)
        total = total + token_loss(early.visual, late.visual)
    return total
