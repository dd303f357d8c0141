"""How others name the weights of ResNets and Simple Baselines, and how deep theirs are.

| whose | trunk | deconvolutions and head |
|---|---|---|
| torchvision, timm (ImageNet) | `conv1`, `bn1`, `layer1..4` | - (`fc` is not used) |
| MMPose 0.x | `backbone.` + the same | `keypoint_head.deconv_layers`, `keypoint_head.final_layer` |
| MMPose 1.x | `backbone.` + the same | `head.deconv_layers`, `head.final_layer` |
| the authors | the same | `deconv_layers`, `final_layer` |

The authors' networks read their images blue first, but normalise them with the statistics of red
first; MMPose's and torchvision's take RGB. Names may begin with `module.`, weights may lie under
`state_dict`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vidpose.errors import DataError

_TRUNK = re.compile(r"(conv1|bn1|layer[1-4])\.")
_BLOCK = re.compile(r"layer([1-4])\.(\d+)\.")
# (blocks in each stage, whether a block has three convolutions) -> depth
_DEPTHS: dict[tuple[tuple[int, ...], bool], int] = {
    ((2, 2, 2, 2), False): 18,
    ((3, 4, 6, 3), False): 34,
    ((3, 4, 6, 3), True): 50,
    ((3, 4, 23, 3), True): 101,
    ((3, 8, 36, 3), True): 152,
}


@dataclass(frozen=True, slots=True)
class TrunkWeights:
    """A ResNet without its classifier, by torchvision's names."""

    depth: int
    trunk: dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class PoseWeights(TrunkWeights):
    """A Simple Baseline; `blue_first`: its images are BGR, normalised in the order of RGB."""

    deconvolutions: dict[str, Tensor]
    head: dict[str, Tensor]
    blue_first: bool


def read_imagenet(path: Path) -> TrunkWeights:
    """The ResNet in a file of torchvision or timm. Raises DataError when there is none."""
    return _trunk(_read(path), path)


def read_pose_weights(path: Path) -> PoseWeights:
    """The Simple Baseline in a file of MMPose or of the authors. Raises DataError for others."""
    weights = _read(path)
    for trunk, head in (("backbone.", "keypoint_head."), ("backbone.", "head."), ("", "")):
        if f"{head}final_layer.weight" not in weights or f"{trunk}conv1.weight" not in weights:
            continue
        found = _trunk(_below(weights, trunk), path)
        return PoseWeights(
            found.depth,
            found.trunk,
            deconvolutions=_below(weights, f"{head}deconv_layers."),
            head=_below(weights, f"{head}final_layer."),
            blue_first=trunk == "",
        )
    raise DataError(f"{path}: no Simple Baseline of MMPose or of the authors (no final_layer)")


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise DataError(f"{path} is missing: a file of ResNet or Simple Baseline weights")
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types for damaged and for unsafe files
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"{path}: cannot be read as plain weights; save its state dict alone ({reason})"
        ) from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping):
        raise DataError(f"{path}: holds no state dict")
    return {
        str(name).removeprefix("module."): value
        for name, value in content.items()
        if isinstance(value, Tensor)
    }


def _trunk(weights: dict[str, Tensor], path: Path) -> TrunkWeights:
    trunk = {name: value for name, value in weights.items() if _TRUNK.match(name)}
    places = {(int(m[1]), int(m[2])) for name in trunk if (m := _BLOCK.match(name))}
    blocks = tuple(sum(1 for stage, _ in places if stage == number) for number in (1, 2, 3, 4))
    depth = _DEPTHS.get((blocks, "layer1.0.conv3.weight" in trunk))
    if depth is None:
        raise DataError(f"{path}: no ResNet of 18, 34, 50 or 101 layers (blocks found: {blocks})")
    return TrunkWeights(depth, trunk)


def _below(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): value for n, value in weights.items() if n.startswith(prefix)}
