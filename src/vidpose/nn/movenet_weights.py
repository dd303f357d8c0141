"""MoveNet's published weights, read out of its ONNX files.

The order of the weights was established by equal outputs. Published are graphs whose BatchNorms are
folded into the convolutions: `restore_batch_norm` unfolds them again before training.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vidpose.errors import BundleError
from vidpose.nn.folded_norms import running_statistics
from vidpose.nn.movenet import (
    LIGHTNING_WIDTH,
    THUNDER_WIDTH,
    PoseBackbone,
    PoseEncoder,
    PoseNet,
    SeparableConv,
)
from vidpose.nn.onnx_weights import convolutions
from vidpose.skeleton import COCO_17, Skeleton

# Places among the convolutions of MoveNet's graph.
_TRUNK_CONVOLUTIONS = 52
HEATMAP_BRANCH = (68, 69, 70)
_SEPARABLE = ((54, 55), (57, 58), (60, 61))
_LATERALS = (53, 56, 59)
_TOP = 52


def movenet_width(path: Path | str) -> float:
    """The width of the MoveNet in an ONNX file: Lightning's or Thunder's.

    Raises BundleError when it is no MoveNet.
    """
    weights = convolutions(path)
    if len(weights) > HEATMAP_BRANCH[-1]:
        for width in (LIGHTNING_WIDTH, THUNDER_WIDTH):
            trunk = [conv.weight.shape for conv, _ in _conv_norm_pairs(PoseBackbone(width))]
            if trunk == [weight.shape for weight, _ in weights[: len(trunk)]]:
                return width
    raise BundleError(f"{path}: not MoveNet Lightning or Thunder")


def load_movenet_onnx(backbone: PoseBackbone, path: Path | str) -> list[NDArray[np.float32]]:
    """Copy MoveNet's trunk and pyramid into `backbone`, which has the width of that MoveNet.

    Folded BatchNorm biases go into the norms, whose running statistics stay at mean 0, variance 1:
    outputs in eval mode are MoveNet's; call `restore_batch_norm` before training.
    Returns the weights and biases of the heatmap branch for `load_movenet_heatmap_branch`.
    """
    weights = convolutions(path)
    trunk = list(_conv_norm_pairs(backbone))
    if len(weights) <= HEATMAP_BRANCH[-1] or len(trunk) != _TRUNK_CONVOLUTIONS:
        raise BundleError(f"{path}: not MoveNet (found {len(weights)} convolutions)")
    with torch.no_grad():
        for (conv, norm), (weight, bias) in zip(trunk, weights, strict=False):
            _assign(conv.weight, weight, path)
            _assign(norm.bias, bias, path)
            norm.weight.fill_(float(np.sqrt(1 + norm.eps)))
            mean, variance = running_statistics(norm)
            mean.zero_()
            variance.fill_(1.0)
        _assign_conv(backbone.top, weights[_TOP], path)
        for lateral, index in zip(backbone.laterals, _LATERALS, strict=True):
            _assign_conv(lateral, weights[index], path)
        for smooth, (depthwise, pointwise) in zip(backbone.smooth, _SEPARABLE, strict=True):
            _assign_separable(smooth, weights[depthwise][0], weights[pointwise], path)
    return [array for index in HEATMAP_BRANCH for array in weights[index] if array.size]


def load_movenet_pose(network: PoseNet, path: Path | str, skeleton: Skeleton = COCO_17) -> None:
    """Copy MoveNet's trunk, pyramid and heatmap branch (17 COCO keypoints).

    With another `skeleton` the maps of COCO's joints are copied, the other ones stay as they are.
    """
    depthwise, pointwise, pointwise_bias, last, last_bias = load_movenet_onnx(
        network.encoder.backbone, path
    )
    with torch.no_grad():
        _assign_separable(network.encoder.neck, depthwise, (pointwise, pointwise_bias), path)
        if last.shape[0] != COCO_17.num_keypoints:
            raise BundleError(f"{path}: not MoveNet: it has {last.shape[0]} maps")
        for place, name in enumerate(skeleton.keypoints):
            if name in COCO_17.keypoints:
                row = COCO_17.keypoints.index(name)
                _assign(network.classifier.weight[place], last[row], path)
                assert network.classifier.bias is not None
                _assign(network.classifier.bias[place], last_bias[row], path)


def load_movenet_encoder(encoder: PoseEncoder, path: Path | str) -> None:
    """Copy MoveNet Lightning's trunk, pyramid and neck; `restore_batch_norm` before training."""
    whole = PoseNet()
    load_movenet_pose(whole, path)
    encoder.load_state_dict(whole.encoder.state_dict())


def _conv_norm_pairs(backbone: PoseBackbone) -> Iterator[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    modules: list[nn.Module] = [backbone.stem, backbone.blocks, backbone.head]
    convs = [m for part in modules for m in part.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for part in modules for m in part.modules() if isinstance(m, nn.BatchNorm2d)]
    return zip(convs, norms, strict=True)


def _assign_separable(
    separable: nn.Module,
    depthwise: NDArray[np.float32],
    pointwise: tuple[NDArray[np.float32], NDArray[np.float32]],
    path: Path | str,
) -> None:
    assert isinstance(separable, SeparableConv)
    first = separable[0]
    assert isinstance(first, nn.Conv2d)
    _assign(first.weight, depthwise, path)
    _assign_conv(separable[1], pointwise, path)


def _assign_conv(
    conv: nn.Module, weights: tuple[NDArray[np.float32], NDArray[np.float32]], path: Path | str
) -> None:
    assert isinstance(conv, nn.Conv2d)
    assert conv.bias is not None
    _assign(conv.weight, weights[0], path)
    _assign(conv.bias, weights[1], path)


def _assign(parameter: Tensor, values: NDArray[np.float32], path: Path | str) -> None:
    if tuple(parameter.shape) != values.shape:
        raise BundleError(
            f"{path}: not MoveNet of this width: a weight has shape {values.shape}, "
            f"expected {tuple(parameter.shape)}"
        )
    parameter.copy_(torch.tensor(values))
