"""One loop runs every network with a memory over a clip."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vidpose.nn.unroll import follow, shrink_frames, unroll


class _Counting:
    """Maps are the image's mean plus a memory that doubles with every frame."""

    ratio = 1

    def initialize(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return images.mean((1, 2, 3)), torch.ones(len(images))

    def step(self, images: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        return images.mean((1, 2, 3)) + 10 * memory, 2 * memory


def _frames(values: list[float]) -> Tensor:
    return torch.tensor(values)[None, :, None, None, None].expand(2, -1, 3, 4, 4)


def test_each_frame_is_found_with_the_memory_of_the_one_before() -> None:
    clip = _frames([1.0, 2.0, 3.0, 4.0])
    maps = unroll(_Counting(), clip[:, 0], clip[:, 1:])
    assert [m[0].item() for m in maps] == [1, 2 + 10, 3 + 20, 4 + 40]
    later = follow(_Counting(), torch.full((2,), 5.0), clip[:, 1:])
    assert [m[1].item() for m in later] == [2 + 50, 3 + 100, 4 + 200]


@pytest.mark.parametrize("ratio", [1, 2, 1.6])
def test_frames_shrink_one_by_one(ratio: float) -> None:
    frames = torch.rand(2, 3, 3, 8, 16)
    small = shrink_frames(frames, ratio)
    assert small.shape == (2, 3, 3, 8 / ratio, 16 / ratio)
    torch.testing.assert_close(small.mean((3, 4)), frames.mean((3, 4)))
