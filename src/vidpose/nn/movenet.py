"""The light pose network: MobileNetV2 with a small feature pyramid, shaped like MoveNet.

The shape is that of MoveNet's trunk, pyramid and keypoint-heatmap branch, so that its published
Apache-2.0 weights can be taken as a start (nn/movenet_weights.py): Lightning's trunk has width 1,
Thunder's 1.75. MoveNet's centre, regression and offset branches are left out.

Source: MobileNetV2 (arXiv 1801.04381).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from timm.models import efficientnet
from torch import Tensor, nn
from torch.nn import functional

from vidpose.nn.far_end_padding import pad_at_far_end

LIGHTNING_WIDTH, THUNDER_WIDTH = 1.0, 1.75

# timm's notation: type, repeats, kernel, stride, expansion, channels
_TRUNK = ("ds_r1_k3_s1_c16", "ir_r2_k3_s2_e6_c24", "ir_r3_k3_s2_e6_c32", "ir_r4_k3_s2_e6_c64",
          "ir_r3_k3_s1_e6_c96", "ir_r3_k3_s2_e6_c160", "ir_r1_k3_s1_e6_c320")  # fmt: skip
_STEM, _HEAD = 32, 1280


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


def freeze_trunk(backbone: PoseBackbone) -> None:
    """Take MobileNetV2, without the pyramid behind it, out of what is trained."""
    for part in (backbone.stem, backbone.blocks, backbone.head):
        part.requires_grad_(False)
