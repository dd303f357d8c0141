"""DKD's parts: matching, position features, the distillators."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from vidpose.methods.dkd.model import (
    DKD,
    ConvDistillator,
    FactorisedMatching,
    match_channels,
    match_kernels,
)
from vidpose.methods.dkd.pooled import DistributionDKD, PlaneWaves, PooledDistillator
from vidpose.methods.dkd.products import average_to
from vidpose.methods.dkd.resnet import dkd_resnet
from vidpose.nn.map_cells import map_distribution


@pytest.mark.parametrize("size", [1, 3, 7])
def test_matching_is_a_convolution_with_each_image_s_own_kernels(size: int) -> None:
    generator = torch.Generator().manual_seed(size)
    features = torch.randn(3, 5, 9, 6, generator=generator)
    kernels = torch.randn(3, 4, 5, size, size, generator=generator)
    found = match_kernels(features, kernels)
    assert found.shape == (3, 4, 9, 6)
    for n in range(3):
        expected = functional.conv2d(features[n : n + 1], kernels[n], padding=size // 2)
        torch.testing.assert_close(found[n : n + 1], expected / math.sqrt(5 * size * size))


def test_maps_become_distributions() -> None:
    logits = torch.randn(2, 3, 5, 4) * 30
    probability = map_distribution(logits)
    torch.testing.assert_close(probability.sum((2, 3)), torch.ones(2, 3))
    assert (probability >= 0).all()
    assert torch.equal(probability.flatten(2).argmax(2), logits.flatten(2).argmax(2))


@pytest.mark.parametrize(("row", "column"), [(0, 0), (5, 20), (31, 23), (16, 11)])
def test_a_kernel_of_waves_finds_its_own_cell(row: int, column: int) -> None:
    """Position can be said by a kernel: it peaks where the waves are the kernel's."""
    waves = PlaneWaves((32, 24))
    features = waves(torch.zeros(1, 0, 32, 24))
    kernel = features[0, :, row, column].view(1, 1, -1, 1, 1)
    maps = match_kernels(features, kernel)[0, 0]
    assert divmod(int(maps.argmax()), 24) == (row, column)
    half = waves.channels / 2 / math.sqrt(waves.channels)
    torch.testing.assert_close(maps[row, column], torch.tensor(half))


def test_the_waves_follow_the_features() -> None:
    waves = PlaneWaves((4, 6), wavelengths=(8.0, 4.0), directions=3)
    features = torch.randn(2, 5, 4, 6)
    joined = waves(features)
    assert waves.channels == 2 * 3 * 2
    assert joined.shape == (2, 5 + waves.channels, 4, 6)
    assert torch.equal(joined[:, :5], features)
    assert torch.equal(joined[0, 5:], joined[1, 5:])
    # The first pair runs along x: constant down a column, back after a wavelength.
    assert torch.allclose(joined[0, 5, 0], joined[0, 5, 3])
    assert not PlaneWaves((4, 6)).state_dict()  # they follow from the size, files need them not


def test_a_blurred_position_gives_a_flatter_bump() -> None:
    waves = PlaneWaves((32, 24))
    features = waves(torch.zeros(1, 0, 32, 24))
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(24.0), indexing="ij")
    peaks = []
    for sigma in (0.5, 2.0, 5.0):
        logits = -((rows - 16) ** 2 + (columns - 11) ** 2) / (2 * sigma**2)
        where = map_distribution(logits[None, None])
        kernel = torch.einsum("nkhw,nchw->nkc", where, features)[..., None, None]
        maps = match_kernels(features, kernel)[0, 0]
        assert divmod(int(maps.argmax()), 24) == (16, 11)
        peaks.append(maps.max().item())
    assert peaks[0] > peaks[1] > peaks[2]


def test_pooled_kernels_are_the_features_under_the_map() -> None:
    """With the gain alone, at 1, a kernel is the map's mean of the features."""
    distillator = PooledDistillator(channels=4, num_keypoints=2)
    with torch.no_grad():
        distillator.gain.fill_(1 / distillator.GAIN_RATE)
    features = torch.randn(1, 4, 3, 5)
    maps = torch.zeros(1, 2, 3, 5)
    maps[0, 0, 1, 2] = 1
    maps[0, 1, 0, 0] = maps[0, 1, 2, 4] = 0.5
    kernels = distillator(features, maps)
    assert kernels.shape == (1, 2, 4, 1, 1)
    torch.testing.assert_close(kernels[0, 0, :, 0, 0], features[0, :, 1, 2])
    mean = (features[0, :, 0, 0] + features[0, :, 2, 4]) / 2
    torch.testing.assert_close(kernels[0, 1, :, 0, 0], mean)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 48), (32, 24), (16, 16)])
@pytest.mark.parametrize("size", [1, 3, 7])
def test_the_paper_s_distillator_gives_kernels_of_any_size(
    height: int, width: int, size: int
) -> None:
    distillator = ConvDistillator(3, 2, hidden=4, kernel_size=size).eval()
    kernels = distillator(torch.randn(2, 3, height, width), torch.rand(2, 2, height, width))
    assert kernels.shape == (2, 2, 3, size, size)


def test_the_paper_s_distillator_goes_64_to_7() -> None:
    sizes = []
    distillator = ConvDistillator(3, 2, hidden=4).eval()
    distillator.last.register_forward_pre_hook(lambda _, x: sizes.append(tuple(x[0].shape[2:])))
    distillator(torch.randn(1, 3, 64, 64), torch.rand(1, 2, 64, 64))
    assert sizes == [(7, 7)]


@pytest.mark.parametrize(("cells", "size"), [(7, 7), (7, 5), (7, 3), (5, 7), (1, 7), (7, 1)])
def test_last_maps_are_averaged_as_torch_does(cells: int, size: int) -> None:
    x = torch.randn(2, 3, cells, cells + 2)
    expected = functional.adaptive_avg_pool2d(x, size)
    torch.testing.assert_close(average_to(x, size), expected)


def test_a_kernel_has_a_centre() -> None:
    with pytest.raises(ValueError, match="odd"):
        ConvDistillator(3, 2, kernel_size=4)


@pytest.mark.parametrize("size", [1, 3, 5, 7])
def test_each_channel_has_its_own_kernel(size: int) -> None:
    generator = torch.Generator().manual_seed(size)
    features = torch.randn(3, 4, 9, 6, generator=generator)
    kernels = torch.randn(3, 1, 4, size, size, generator=generator)
    found = match_channels(features, kernels)
    for n in range(3):
        for c in range(4):
            alone, kernel = features[n : n + 1, c : c + 1], kernels[n, :, c : c + 1]
            expected = functional.conv2d(alone, kernel, padding=size // 2)
            torch.testing.assert_close(found[n : n + 1, c : c + 1], expected)


@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize("matching", [match_kernels, match_channels])
def test_the_exported_form_of_matching_is_the_same(
    matching: Callable[[Tensor, Tensor], Tensor], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = torch.randn(2, 4, 7, 5)
    kernels = torch.randn(2, 3 if matching is match_kernels else 1, 4, size, size)
    trained = matching(features, kernels)
    monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: True)
    torch.testing.assert_close(matching(features, kernels), trained, atol=1e-5, rtol=1e-4)


def test_factorised_matching_is_matching_with_the_product_of_its_factors() -> None:
    """Without the norms, U * (k~ *_c (V * f)) = k * f with k_jc = sum_m U_jm k~_m V_mc."""
    torch.manual_seed(0)
    matching = FactorisedMatching(channels=4, num_keypoints=3)
    matching.v[1] = matching.u[1] = nn.Identity()
    features, kernels = torch.randn(2, 4, 8, 6), torch.randn(2, 1, 4, 3, 3)
    u, v = matching.u[0].weight[:, :, 0, 0], matching.v[0].weight[:, :, 0, 0]
    full = torch.einsum("jm,nmst,mc->njcst", u, kernels[:, 0], v)
    expected = match_kernels(features, full) * math.sqrt(4 * 9)
    torch.testing.assert_close(matching(features, kernels), expected, atol=1e-5, rtol=1e-4)


def test_the_norms_of_factorised_matching_are_two() -> None:
    """One of V's channels, one of the maps; never one object for different tensors."""
    matching = FactorisedMatching(4, 3)
    norms = [m for m in matching.modules() if isinstance(m, nn.BatchNorm2d)]
    assert [n.num_features for n in norms] == [4, 3]


@pytest.mark.parametrize("size", [1, 3, 5, 7])
@pytest.mark.parametrize("kernel", ["full", "factorised"])
@pytest.mark.parametrize(("encoder", "channels"), [("resnet18", 24), ("small-cpm", None)])
def test_the_paper_s_kernels_have_any_size_and_width(
    size: int, kernel: str, encoder: str, channels: int | None
) -> None:
    with torch.device("meta"), torch.no_grad():
        network = dkd_resnet(
            13, initializer=18, encoder=encoder, kernel=kernel, kernel_size=size, channels=channels
        )
        image = torch.zeros(2, 3, 256, 256)
        maps, kernels = network.initialize(image)
        again = network.step(image, kernels)
    slices = 13 if kernel == "full" else 1
    assert kernels.shape == again.kernels.shape == (2, slices, channels or 128, size, size)
    assert maps.shape == again.maps.shape == (2, 13, 64, 64)


@pytest.mark.parametrize("heatmaps", [True, False])
def test_the_distillator_sees_features_and_maps_of_one_kind_in_every_frame(heatmaps: bool) -> None:
    """Raw features at the first frame as at the later ones; heatmaps as they are, logits as
    distributions."""
    seen: list[tuple[Tensor, Tensor]] = []

    class Distillator(ConvDistillator):
        def forward(self, features: Tensor, maps: Tensor) -> Tensor:
            seen.append((features, maps))
            return super().forward(features, maps)

    torch.manual_seed(0)
    encoder, initializer = nn.Conv2d(3, 4, 4, 4), nn.Conv2d(3, 2, 4, 4)
    distillator = Distillator(4, 2, 4, kernel_size=3, factorised=True)
    matching = FactorisedMatching(4, 2)
    if heatmaps:
        network = DKD(initializer, encoder, distillator, matching).eval()
    else:
        network = DistributionDKD(initializer, encoder, distillator, matching=matching).eval()
    images = torch.randn(1, 3, 3, 64, 64)
    maps = network(images[:, 0], images[:, 1:])
    assert len(seen) == len(maps) == 3
    for t, (features, entered) in enumerate(seen):
        assert torch.equal(features, encoder(images[:, t]))
        assert torch.equal(entered, maps[t] if heatmaps else map_distribution(maps[t]))
