"""The light pose network: MobileNetV2 with a small feature pyramid, shaped like MoveNet.

The shape is that of MoveNet's trunk, pyramid and keypoint-heatmap branch, so that its published
Apache-2.0 weights can be taken as a start (`load_movenet_onnx`): Lightning's trunk has width 1,
Thunder's 1.75. MoveNet's centre, regression and offset branches are left out. The graph that
holds the weights is read from an ONNX file; where its BatchNorms are folded into the
convolutions, `restore_batch_norm` unfolds them again.

Sources: MobileNetV2 (arXiv 1801.04381); the order of the weights was established by equal outputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from timm.models import efficientnet
from torch import Tensor, nn
from torch.nn import functional

from vidpose.errors import BundleError
from vidpose.nn.far_end_padding import pad_at_far_end
from vidpose.nn.onnx_weights import convolutions
from vidpose.skeleton import COCO_17, Skeleton

LIGHTNING_WIDTH, THUNDER_WIDTH = 1.0, 1.75

# timm's notation: type, repeats, kernel, stride, expansion, channels
_TRUNK = ("ds_r1_k3_s1_c16", "ir_r2_k3_s2_e6_c24", "ir_r3_k3_s2_e6_c32", "ir_r4_k3_s2_e6_c64",
          "ir_r3_k3_s1_e6_c96", "ir_r3_k3_s2_e6_c160", "ir_r1_k3_s1_e6_c320")  # fmt: skip
_STEM, _HEAD = 32, 1280
_TRUNK_CONVOLUTIONS = 52
HEATMAP_BRANCH = (68, 69, 70)
_SEPARABLE = ((54, 55), (57, 58), (60, 61))
_LATERALS = (53, 56, 59)
_TOP = 52


class SeparableConv(nn.Sequential):
    """Depthwise 3x3, pointwise 1x1, ReLU: (N, C, h, w) -> (N, out, h, w)."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            nn.Conv2d(channels, out, 1),
            nn.ReLU(inplace=True),
        )


class PoseBackbone(nn.Module):
    """MobileNetV2 and a feature pyramid down to stride 4.

    Input: (N, 3, H, W) RGB in [-1, 1], H and W multiples of 8. `pyramid` gives the maps at
    strides 16, 8 and 4 with 32, 24 and 24 channels, whatever the `width`: the factor on the
    channels of MobileNetV2 but for its last layer, rounded to multiples of 8. Where a level has an
    odd number of cells, it is padded at the far end only (nn/far_end_padding.py).
    """

    channels = (32, 24, 24)

    def __init__(self, width: float = LIGHTNING_WIDTH) -> None:
        super().__init__()
        timm: Any = efficientnet  # its parts have no static types
        channels = partial(timm.round_channels, multiplier=width)
        trunk = timm.EfficientNet(
            block_args=timm.decode_arch_def([[stage] for stage in _TRUNK]),
            num_features=_HEAD,
            stem_size=_STEM,
            round_chs_fn=channels,
            act_layer=nn.ReLU6,
            pad_type="same",
        )
        pad_at_far_end(trunk)
        self.stem = nn.Sequential(trunk.conv_stem, trunk.bn1)
        self.blocks: nn.Sequential = trunk.blocks
        self.head = nn.Sequential(trunk.conv_head, trunk.bn2)
        self.top = nn.Conv2d(_HEAD, 64, 1)
        self.laterals = nn.ModuleList(nn.Conv2d(channels(c), c, 1) for c in (64, 32, 24))
        self.smooth = nn.ModuleList(SeparableConv(c, o) for c, o in ((64, 32), (32, 24), (24, 24)))

    def pyramid(self, x: Tensor) -> list[Tensor]:
        """Features at strides 16, 8 and 4, with 32, 24 and 24 channels."""
        x = self.stem(x)
        stages = []
        for block in self.blocks:
            x = block(x)
            stages.append(x)
        x = self.top(self.head(x))
        levels = []
        laterals = (stages[3], stages[2], stages[1])  # strides 16, 8, 4
        for stage, lateral, smooth in zip(laterals, self.laterals, self.smooth, strict=True):
            x = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            side = lateral(stage)
            if x.shape[2:] != side.shape[2:]:  # an odd number of cells
                x = x[:, :, : side.shape[2], : side.shape[3]]
            x = smooth(x + side)
            levels.append(x)
        return levels

    def forward(self, x: Tensor) -> Tensor:
        """Features at stride 4: (N, 24, H/4, W/4)."""
        return self.pyramid(x)[-1]


class PoseEncoder(nn.Module):
    """Backbone and neck: the features that a heatmap classifier, or a pose kernel, reads.

    Input: (N, 3, H, W) RGB in [-1, 1]; H and W multiples of 8. Output: (N, 96, H/4, W/4) >= 0.
    """

    channels, stride = 96, 4

    def __init__(self, width: float = LIGHTNING_WIDTH) -> None:
        super().__init__()
        self.backbone = PoseBackbone(width)
        self.neck = SeparableConv(24, self.channels)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.neck(self.backbone(x))
        return features


class PoseNet(nn.Module):
    """Per-frame pose network: image -> heatmap logits at stride 4.

    Input: (N, 3, H, W) RGB in [-1, 1]; H and W multiples of 8. Output: (N, K, H/4, W/4).
    """

    def __init__(self, num_keypoints: int = 17, width: float = LIGHTNING_WIDTH) -> None:
        super().__init__()
        self.encoder = PoseEncoder(width)
        self.classifier = nn.Conv2d(self.encoder.channels, num_keypoints, 1)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.encoder(x))
        return logits


def width_of(weights: Mapping[str, Tensor]) -> float:
    """The width of the `PoseNet` whose state these weights are; Lightning's if it is none."""
    stem = weights.get("encoder.backbone.stem.0.weight")
    return LIGHTNING_WIDTH if stem is None else width_of_stem(stem.shape[0])


def width_of_stem(channels: int) -> float:
    """The width of a trunk whose first convolution gives so many channels."""
    return channels / _STEM


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
            mean, variance = _running_statistics(norm)
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
        old_mean, old_variance = _running_statistics(norm)
        scale = norm.weight.double() / torch.sqrt(old_variance.double() + norm.eps)
        norm.bias.add_(((mean - old_mean.double()) * scale).float())
        norm.weight.copy_((scale * torch.sqrt(variance + norm.eps)).float())
        old_mean.copy_(mean.float())
        old_variance.copy_(variance.float())


def freeze_trunk(backbone: PoseBackbone) -> None:
    """Take MobileNetV2, without the pyramid behind it, out of what is trained."""
    for part in (backbone.stem, backbone.blocks, backbone.head):
        part.requires_grad_(False)


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
        mean, variance = _running_statistics(norm)
        scale = norm.weight / torch.sqrt(variance + norm.eps)
        conv.weight = nn.Parameter(conv.weight * scale[:, None, None, None])
        conv.bias = nn.Parameter(norm.bias - mean * scale)
        module.set_submodule(norm_name, getattr(norm, "act", nn.Identity()))


def _conv_norm_pairs(backbone: PoseBackbone) -> Iterator[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    modules: list[nn.Module] = [backbone.stem, backbone.blocks, backbone.head]
    convs = [m for part in modules for m in part.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for part in modules for m in part.modules() if isinstance(m, nn.BatchNorm2d)]
    return zip(convs, norms, strict=True)


def _running_statistics(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    return mean, variance


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
