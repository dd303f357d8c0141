"""The sizes of the light family."""

from __future__ import annotations

import pytest
import torch

from vidpose.methods.dkd.light import BASE, LITE, SMALL, Sizes, build_light_dkd


@pytest.mark.parametrize(("sizes", "ratio"), [(SMALL, 2.0), (LITE, 1.6), (BASE, 1.0)])
def test_ratios_of_the_family(sizes: Sizes, ratio: float) -> None:
    assert sizes.ratio == pytest.approx(ratio)


def test_an_odd_number_of_cells_keeps_its_place() -> None:
    """160 x 120 has 8 and 4 cells at strides 16 and 32 where 7.5 and 3.75 would be."""
    network = build_light_dkd(sizes=LITE).eval()
    with torch.no_grad():
        levels = network.encoder.backbone.pyramid(torch.rand(1, 3, *LITE.step))
    assert [tuple(level.shape[2:]) for level in levels] == [(10, 8), (20, 15), LITE.step_maps]


@pytest.mark.parametrize(
    ("initializer", "step"),
    [((256, 192), (128, 128)), ((128, 96), (256, 192)), ((256, 192), (100, 75))],
)
def test_sizes_that_do_not_fit_are_refused(
    initializer: tuple[int, int], step: tuple[int, int]
) -> None:
    with pytest.raises(ValueError, match=r"shape|multiples of 8"):
        Sizes(initializer, step)


def test_the_family_has_one_initializer() -> None:
    lite, base = build_light_dkd(sizes=LITE), build_light_dkd(sizes=BASE)
    shapes = [
        {name: tuple(value.shape) for name, value in model.initializer.state_dict().items()}
        for model in (lite, base)
    ]
    assert shapes[0] == shapes[1]
