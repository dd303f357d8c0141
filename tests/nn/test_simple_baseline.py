"""Simple Baseline: its shape, and weights under the names that others give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torchvision.models import resnet

from vidpose.errors import DataError
from vidpose.nn.simple_baseline import (
    SimpleBaseline,
    SimpleBaselineEncoder,
    load_imagenet,
    load_pose_encoder,
    load_simple_baseline,
)

Naming = Callable[[str], str]


def _named(trunk: str, head: str) -> Naming:
    """From our names to others': what lies before the trunk's and before the head's layers."""
    ours = {
        "encoder.trunk.": trunk,
        "encoder.deconvolutions.": f"{head}deconv_layers.",
        "head.": f"{head}final_layer.",
    }

    def rename(name: str) -> str:
        return next(new + name.removeprefix(old) for old, new in ours.items() if old in name)

    return rename


NAMINGS: Mapping[str, Naming] = {
    "mmpose 0.x": _named("backbone.", "keypoint_head."),
    "mmpose 1.x": _named("backbone.", "head."),
    "authors": _named("", ""),
}


def _weights(network: SimpleBaseline) -> dict[str, Tensor]:
    buffers = ("encoder.mean", "encoder.deviation")
    return {name: value for name, value in network.state_dict().items() if name not in buffers}


def _donor(num_keypoints: int = 4) -> SimpleBaseline:
    """ResNet-18 with statistics of its own and maps of a size that differences show in."""
    torch.manual_seed(3)
    network = SimpleBaseline(num_keypoints, 18)
    with torch.no_grad():
        for name, value in network.named_buffers():
            if "running_var" in name:
                value.uniform_(0.5, 1.5)
            elif "running_mean" in name:
                value.normal_(std=0.1)
        for layer in network.encoder.deconvolutions[::3]:
            layer.weight.normal_(std=0.05)
        network.head.weight.normal_()
    return network.eval()


def _save(path: Path, network: SimpleBaseline, naming: str) -> Path:
    rename = NAMINGS[naming]
    torch.save({rename(name): value for name, value in _weights(network).items()}, path)
    return path


@pytest.fixture(scope="module")
def donor() -> SimpleBaseline:
    return _donor()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(2, 3, 64, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_the_normalisation_is_imagenet_s(donor: SimpleBaseline, images: Tensor) -> None:
    """By hand: pixels in 0..255 minus the mean over the deviation, as everybody prints them."""
    pixels = (images + 1) * 127.5
    mean = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)
    deviation = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1)
    with torch.no_grad():
        by_hand = donor.encoder.deconvolutions(donor.encoder.trunk((pixels - mean) / deviation))
        torch.testing.assert_close(donor.encoder(images), by_hand, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("depth", [18, 34, 50, 101])
def test_the_trunk_is_torchvision_s_resnet(depth: int) -> None:
    """Equal names and shapes, so that its files fit; only the classifier is missing."""
    with torch.device("meta"):
        trunk = SimpleBaselineEncoder(depth).trunk
        whole = getattr(resnet, f"resnet{depth}")()
    shapes = {name: value.shape for name, value in whole.state_dict().items()}
    own = {name: value.shape for name, value in trunk.state_dict().items()}
    assert own == {name: shape for name, shape in shapes.items() if not name.startswith("fc.")}


@pytest.mark.parametrize("naming", ["mmpose 0.x", "mmpose 1.x"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_mmpose_checkpoints_give_the_same_maps(
    tmp_path: Path, donor: SimpleBaseline, images: Tensor, naming: str, wrapped: bool
) -> None:
    path = _save(tmp_path / "pose.pth", donor, naming)
    if wrapped:
        content = torch.load(path, weights_only=True)
        meta = {"epoch": 210, "config": "model = dict()"}
        torch.save({"meta": meta, "state_dict": content, "optimizer": {}}, path)
    network = SimpleBaseline(4, 18).eval()
    load_simple_baseline(network, path)
    with torch.no_grad():
        maps = donor(images)
        assert maps.std() > 0.1
        assert torch.equal(network(images), maps)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_authors_networks_see_blue_first(
    tmp_path: Path, donor: SimpleBaseline, images: Tensor, prefix: str
) -> None:
    """Their input is BGR under the statistics of RGB; ours is RGB, and the maps are the same."""
    rename = NAMINGS["authors"]
    path = tmp_path / "pose_resnet.pth.tar"
    torch.save({prefix + rename(n): value for n, value in _weights(donor).items()}, path)
    network = SimpleBaseline(4, 18).eval()
    load_simple_baseline(network, path)
    with torch.no_grad():
        theirs = donor(images.flip(1))
        torch.testing.assert_close(network(images), theirs, atol=1e-3, rtol=1e-3)
        assert not torch.allclose(donor(images), theirs, atol=1e-2 * float(theirs.std()))


def test_the_order_of_colours_is_part_of_a_checkpoint(
    tmp_path: Path, donor: SimpleBaseline, images: Tensor
) -> None:
    network = SimpleBaseline(4, 18).eval()
    load_simple_baseline(network, _save(tmp_path / "a.pth", donor, "authors"))
    other = SimpleBaseline(4, 18).eval()
    other.load_state_dict(network.state_dict())
    with torch.no_grad():
        assert torch.equal(other(images), network(images))
    load_simple_baseline(other, _save(tmp_path / "m.pth", donor, "mmpose 1.x"))
    with torch.no_grad():  # and the next file's order replaces it
        assert torch.equal(other(images), donor(images))


def test_imagenet_weights_fill_the_trunk_alone(tmp_path: Path) -> None:
    torch.manual_seed(1)
    whole = resnet.resnet18().eval()
    torch.save(whole.state_dict(), tmp_path / "resnet18.pth")
    encoder = SimpleBaselineEncoder(18).eval()
    before = {k: v.clone() for k, v in encoder.deconvolutions.state_dict().items()}
    load_imagenet(encoder, tmp_path / "resnet18.pth")
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = whole.avgpool(encoder.trunk(x)).flatten(1)
        torch.testing.assert_close(whole.fc(expected), whole(x))
    after = encoder.deconvolutions.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_another_skeleton_s_encoder_is_welcome_its_head_is_not(tmp_path: Path) -> None:
    mpii = _donor(num_keypoints=16)
    path = _save(tmp_path / "mpii.pth", mpii, "mmpose 0.x")
    network = SimpleBaseline(13, 18).eval()
    with pytest.raises(DataError, match="has 16 keypoints, this network has 13"):
        load_simple_baseline(network, path)
    load_pose_encoder(network.encoder, path)
    x = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(network.encoder(x), mpii.encoder(x))


def test_another_depth_is_named(tmp_path: Path, donor: SimpleBaseline) -> None:
    path = _save(tmp_path / "pose.pth", donor, "mmpose 0.x")
    with torch.device("meta"):
        deeper = SimpleBaseline(4, 34)
    with pytest.raises(DataError, match="holds a ResNet-18, this network is a ResNet-34"):
        load_simple_baseline(deeper, path)
    torch.save(resnet.resnet34().state_dict(), tmp_path / "r34.pth")
    with pytest.raises(DataError, match="holds a ResNet-34, this network is a ResNet-18"):
        load_imagenet(SimpleBaselineEncoder(18), tmp_path / "r34.pth")


def test_what_is_no_simple_baseline_is_refused(tmp_path: Path, donor: SimpleBaseline) -> None:
    network = SimpleBaseline(4, 18)
    path = tmp_path / "x.pth"
    with pytest.raises(DataError, match="is missing"):
        load_simple_baseline(network, path)
    path.write_bytes(b"no weights")
    with pytest.raises(DataError, match="cannot be read as plain weights"):
        load_simple_baseline(network, path)
    torch.save([1, 2], path)
    with pytest.raises(DataError, match="no state dict"):
        load_simple_baseline(network, path)
    torch.save(resnet.resnet18().state_dict(), path)
    with pytest.raises(DataError, match="no final_layer"):
        load_simple_baseline(network, path)
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, path)
    with pytest.raises(DataError, match="no ResNet of 18, 34, 50 or 101 layers"):
        load_imagenet(network.encoder, path)


def test_a_layer_of_another_width_is_refused(tmp_path: Path, donor: SimpleBaseline) -> None:
    path = _save(tmp_path / "pose.pth", donor, "mmpose 1.x")
    content = torch.load(path, weights_only=True)
    content["head.deconv_layers.0.weight"] = torch.zeros(512, 128, 4, 4)
    torch.save(content, path)
    with pytest.raises(DataError, match=r"does not fit a Simple Baseline.*size mismatch"):
        load_simple_baseline(SimpleBaseline(4, 18), path)
