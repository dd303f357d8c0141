"""Averaging down by any factor."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from vidpose.nn.shrink import shrink, shrunk_size


def test_two_and_a_half_cells_into_one_by_hand() -> None:
    row = torch.tensor([1.0, 2, 3, 4, 5]).repeat(5, 1)[None, None]
    expected = torch.tensor([(1 + 2 + 3 / 2) / 2.5, (3 / 2 + 4 + 5) / 2.5]).repeat(2, 1)
    torch.testing.assert_close(shrink(row, 2.5)[0, 0], expected)


@pytest.mark.parametrize("ratio", [1, 2, 1.6, 4 / 3])
def test_mass_is_kept(ratio: float) -> None:
    maps = torch.rand(2, 3, 64, 48).double().flatten(2).softmax(2).view(2, 3, 64, 48)
    small = shrink(maps, ratio)
    assert small.shape[2:] == shrunk_size((64, 48), ratio)
    torch.testing.assert_close(small.sum((2, 3)) * ratio**2, torch.ones(2, 3).double())


def test_opencv_averages_areas_alike() -> None:
    image = np.random.default_rng(0).random((256, 192)).astype(np.float32)
    expected = cv2.resize(image, (120, 160), interpolation=cv2.INTER_AREA)
    found = shrink(torch.from_numpy(image)[None, None], 1.6)[0, 0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_sides_that_are_not_whole_are_refused() -> None:
    with pytest.raises(ValueError, match="not whole"):
        shrink(torch.zeros(1, 1, 64, 50), 1.6)
