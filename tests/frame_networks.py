"""Small per-frame networks of every method, for tests."""

from __future__ import annotations

from typing import Any

from torch import nn

from vidpose.methods.distilpose.model import DistilPose, TokenDistillingEncoder, TokenHeatmaps
from vidpose.methods.distilpose.stem import StemBackbone
from vidpose.methods.fasterpose.model import FasterPose, Head
from vidpose.methods.okdhp.model import (
    CodeFAU,
    FeatureFusion,
    LightBranch,
    LightTrunk,
    MultiBranchPose,
    PaperFAU,
)
from vidpose.nn.backbones import HRNetBackbone, TimmBackbone
from vidpose.nn.hourglass import HourglassBranch, HourglassTrunk

SIZE = (64, 96)

SMALL_HRNET: dict[str, Any] = {
    "stem_width": 8,
    **{
        f"stage{number}": {
            "num_modules": 1,
            "num_branches": number,
            "block_type": "BOTTLENECK" if number == 1 else "BASIC",
            "num_blocks": (1,) * number,
            "num_channels": tuple(6 * 2**i for i in range(number)),
            "fuse_method": "SUM",
        }
        for number in (1, 2, 3, 4)
    },
}


def faster_pose(keypoints: int, form: Head = "shuffle") -> FasterPose:
    backbone = TimmBackbone("test_efficientnet")
    return FasterPose(backbone, backbone.channels, backbone.stride, keypoints, form)


def hourglasses(keypoints: int, branches: tuple[int, ...] = (1, 2), unit: str = "code") -> Any:
    trunk = HourglassTrunk(keypoints, 1, channels=16, depth=2)
    parts = [HourglassBranch(keypoints, n, channels=16, depth=2) for n in branches]
    return MultiBranchPose(trunk, parts, _unit(unit, 16, [16] * len(branches), keypoints))


def light_branches(keypoints: int, unit: str = "paper") -> MultiBranchPose:
    backbone = TimmBackbone("test_efficientnet")
    trunk = LightTrunk(backbone, backbone.channels, backbone.stride)
    shape = (backbone.channels, backbone.stride, keypoints, 12)
    parts = [LightBranch(*shape) for _ in range(3)]
    return MultiBranchPose(trunk, parts, _unit(unit, backbone.channels, [12] * 3, keypoints))


def _unit(name: str, stem: int, features: list[int], keypoints: int) -> nn.Module:
    if name == "ffl":
        return FeatureFusion(features, keypoints)
    if name == "code":
        return CodeFAU(stem, keypoints, len(features), width=12, squeezed=6)
    return PaperFAU(stem, keypoints, len(features), width=8)


def token_encoder(channels: int, keypoints: int) -> TokenDistillingEncoder:
    cells = (SIZE[0] // 4, SIZE[1] // 4)
    return TokenDistillingEncoder(channels, cells, keypoints, width=16, depth=2, heads=4)


def student(keypoints: int, *, scores: bool = True) -> DistilPose:
    backbone = StemBackbone(width=8, blocks=2)
    encoder = token_encoder(backbone.channels, keypoints)
    return DistilPose(backbone, encoder, 16, scores=scores)


def student_l(keypoints: int) -> DistilPose:
    backbone = HRNetBackbone("hrnet_w18_small", 3, **SMALL_HRNET)
    return DistilPose(backbone, token_encoder(backbone.channels, keypoints), 16)


def token_teacher(keypoints: int) -> TokenHeatmaps:
    backbone = HRNetBackbone("hrnet_w18_small", 4, **SMALL_HRNET)
    return TokenHeatmaps(backbone, token_encoder(backbone.channels, keypoints), 16, 32)
