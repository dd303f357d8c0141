"""Backbones from timm: the right part of the network, the right input, the right weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch

from frame_networks import SMALL_HRNET
from vidpose.errors import DataError
from vidpose.nn.backbones import HRNetBackbone, TimmBackbone
from vidpose.nn.movenet import PoseBackbone
from vidpose.nn.movenet_weights import load_movenet_onnx


def test_hrnet_is_timm_s_finest_branch(tmp_path: Path) -> None:
    torch.manual_seed(0)
    whole = timm.create_model(
        "hrnet_w18_small", features_only=True, feature_location="", **SMALL_HRNET
    ).eval()
    torch.save(whole.state_dict(), tmp_path / "hrnet.pt")
    part = HRNetBackbone("hrnet_w18_small", 4, **SMALL_HRNET).eval()
    part.load_timm(tmp_path / "hrnet.pt")
    images = torch.rand(1, 3, 64, 32) * 2 - 1
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    with torch.no_grad():
        expected = whole(((images + 1) / 2 - mean) / std)[1]
        torch.testing.assert_close(part(images), expected, atol=1e-5, rtol=1e-4)


def test_three_stages_are_the_first_of_four() -> None:
    four = HRNetBackbone("hrnet_w18_small", 4, **SMALL_HRNET).state_dict()
    three = HRNetBackbone("hrnet_w18_small", 3, **SMALL_HRNET).state_dict()
    assert three.keys() < four.keys()
    assert all(four[name].shape == value.shape for name, value in three.items())


def test_published_weights_with_their_head_are_taken(tmp_path: Path) -> None:
    torch.manual_seed(0)
    whole = timm.create_model("test_efficientnet")
    torch.save(whole.state_dict(), tmp_path / "whole.pt")
    backbone = TimmBackbone("test_efficientnet")
    backbone.load_timm(tmp_path / "whole.pt")
    own = backbone.network.state_dict()
    assert own
    assert all(torch.equal(whole.state_dict()[name], value) for name, value in own.items())


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save({"other": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(DataError, match=r"other\.pt: \d+ weights do not fit the network, first"):
        TimmBackbone("test_efficientnet").load_timm(tmp_path / "other.pt")
    (tmp_path / "text.pt").write_text("no weights")
    with pytest.raises(DataError, match=r"text\.pt: not a readable state dict"):
        TimmBackbone("test_efficientnet").load_timm(tmp_path / "text.pt")


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(DataError, match="backbone 'nonsense'"):
        TimmBackbone("nonsense")


def test_movenet_s_trunk_gives_movenet_s_features(shared_models: Path) -> None:
    path = shared_models / "movenet_lightning.onnx"
    backbone, donor = TimmBackbone("mobilenetv2_100").eval(), PoseBackbone().eval()
    backbone.load_movenet(path)
    load_movenet_onnx(donor, path)
    images = torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(backbone(images), donor.blocks(donor.stem(images)))


def test_movenet_s_trunk_fits_no_other_backbone(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="mobilenetv2_100"):
        TimmBackbone("test_efficientnet").load_movenet(tmp_path / "x.onnx")
