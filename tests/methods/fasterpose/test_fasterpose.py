"""FasterPose: what its heads cost beside the Simple Baseline, and where a cell's height goes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from frame_networks import faster_pose
from vidpose.errors import DataError
from vidpose.export.graphs import multiply_adds
from vidpose.methods.fasterpose.model import FOREGROUND, FasterPose, Head, LowResolutionHead
from vidpose.nn.backbones import TimmBackbone

IMAGE = (1, 3, 256, 192)
FORMS: tuple[Head, ...] = ("shuffle", "direct", "bottleneck")


def _deconvolutions() -> nn.Module:
    """What the Simple Baseline puts behind its ResNet-50, without the last layer."""
    layers = [nn.ConvTranspose2d(c, 256, 4, 2, 1, bias=False) for c in (2048, 256, 256)]
    return nn.Sequential(*layers)


def _costs(form: Head) -> tuple[float, float, float, float]:
    """Multiply-adds of FasterPose and of the Simple Baseline: true ones, and as published.

    The published counter takes a transposed convolution at its output's resolution: four times the
    true number at stride 2. Both are counted by torch on the meta device.
    """
    with torch.device("meta"):
        image, features = torch.zeros(IMAGE), torch.zeros(1, 2048, 8, 6)
        backbone = TimmBackbone("resnet50")
        trunk = multiply_adds(backbone, (image,))
        up = multiply_adds(_deconvolutions(), (features,))
        ours = multiply_adds(FasterPose(backbone, 2048, 32, 17, form), (image,))
    last = 256 * 17 * 64 * 48
    return ours, trunk + up + last, ours, trunk + 4 * up + last


@pytest.mark.parametrize(
    ("form", "published", "true"),
    [("shuffle", 0.585, 0.262), ("direct", 0.574, 0.242), ("bottleneck", 0.581, 0.255)],
)
def test_the_saving_in_both_ways_of_counting(form: Head, published: float, true: float) -> None:
    """Published: 58 % less than the Simple Baseline with ResNet-50, which is said to cost 8.9."""
    ours, baseline, ours_published, baseline_published = _costs(form)
    assert baseline_published / 2**30 == pytest.approx(8.9, rel=0.02)
    assert 1 - ours_published / baseline_published == pytest.approx(published, abs=0.001)
    assert 1 - ours / baseline == pytest.approx(true, abs=0.001)


@pytest.mark.parametrize("form", FORMS)
def test_an_untrained_head_gives_dark_maps(form: Head) -> None:
    torch.manual_seed(0)
    head = LowResolutionHead(64, 5, 4, form).eval()
    with torch.no_grad():
        heatmaps = torch.sigmoid(head(torch.rand(2, 64, 3, 2)))
    assert heatmaps.shape == (2, 5, 12, 8)
    assert ((heatmaps - FOREGROUND).abs() < FOREGROUND / 2).all()


@pytest.mark.parametrize("form", FORMS)
def test_a_feature_s_cell_holds_the_cells_of_the_map_below_it(form: Head) -> None:
    """Changing one cell of the features changes its block of the maps, and no other."""
    torch.manual_seed(0)
    head = LowResolutionHead(64, 3, 4, form).eval()
    features = torch.rand(1, 64, 3, 2)
    changed = features.clone()
    changed[0, :, 1, 1] += 1
    with torch.no_grad():
        moved = (head(changed) - head(features)).abs().amax((0, 1)) > 0
    assert moved[4:8, 4:8].all()
    assert moved.sum() == 16


def test_channels_that_cannot_be_shuffled_are_refused() -> None:
    with pytest.raises(DataError, match=r"multiple of 64 channels.* has 100.*'direct'"):
        LowResolutionHead(100, 17, 8, "shuffle")


def test_deconvolutions_that_have_nothing_to_enlarge_are_refused() -> None:
    with pytest.raises(DataError, match="'deconvolution' enlarges"):
        LowResolutionHead(96, 17, 1, "deconvolution")


def test_a_stride_that_gives_no_maps_is_refused() -> None:
    with pytest.raises(DataError, match="stride 6"):
        FasterPose(nn.Identity(), 64, 6)


def test_any_timm_backbone() -> None:
    network = faster_pose(7, "direct").eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 32, 64)).shape == (1, 7, 8, 16)
