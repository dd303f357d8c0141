"""The discriminator: shapes, and that all four inputs count."""

from __future__ import annotations

import pytest
import torch

from vidpose.methods.dkd.discriminator import MapChangeAutoencoder


@pytest.mark.parametrize("size", [(16, 16), (12, 20), (9, 5)])
def test_it_gives_a_change_for_every_map(size: tuple[int, int]) -> None:
    discriminator = MapChangeAutoencoder(3, width=8)
    images = torch.randn(2, 3, 4 * size[0], 4 * size[1])
    maps = torch.rand(2, 3, *size)
    assert discriminator(images, maps, images, maps).shape == maps.shape


def test_images_and_maps_of_both_frames_count() -> None:
    torch.manual_seed(0)
    discriminator = MapChangeAutoencoder(2, width=8)
    inputs = [torch.rand(1, c, s, s) for c, s in ((3, 32), (2, 8), (3, 32), (2, 8))]
    plain = discriminator(*inputs)
    for place in range(4):
        changed = [x + 1 if place == i else x for i, x in enumerate(inputs)]
        assert not torch.allclose(discriminator(*changed), plain)


def test_the_change_goes_through_a_bottleneck() -> None:
    """An eighth of the map's size and no way around it."""
    discriminator = MapChangeAutoencoder(2, width=8)
    sizes = []
    discriminator.down.register_forward_hook(lambda *given: sizes.append(given[2].shape))
    images, maps = torch.rand(1, 3, 64, 64), torch.rand(1, 2, 16, 16)
    discriminator(images, maps, images, maps)
    assert sizes == [(1, 8, 2, 2)]
