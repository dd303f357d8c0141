"""Clips with a frozen network's maps: made once, mirrored and relit."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from vidpose.data.synthesis.photometry import Light
from vidpose.methods.dkd.recorded_maps import AugmentedClips, ClipsWithMaps
from vidpose.methods.per_frame.map_teachers import TeacherMaps
from vidpose.skeleton import COCO_17

SIZE, SMALL = (64, 48), (32, 24)
DARK = Light(0, 0, 0, 0, 0)


class _Clips(Dataset[dict[str, Any]]):
    """Two frames of noise, a joint at pixel (10, 20), another unknown."""

    def __getitem__(self, index: int) -> dict[str, Any]:
        generator = torch.Generator().manual_seed(index)
        images = torch.randint(0, 256, (2, 3, *SIZE), generator=generator, dtype=torch.uint8)
        keypoints = torch.zeros(2, 17, 3)
        keypoints[:, 5] = torch.tensor([10.0, 20.0, 1.0])
        return {"images": images, "keypoints": keypoints}


def _network(value: float) -> Any:
    def look(images: Tensor, sources: Tensor | None = None) -> TeacherMaps:
        maps = torch.zeros(len(images), 17, 16, 12)
        maps[:, 5, 5, 2] = value
        confidence = torch.zeros(len(images), 17)
        confidence[:, 5] = value
        return TeacherMaps(maps, confidence)

    return look


def test_the_first_frame_is_the_initializer_s_the_later_ones_the_teacher_s() -> None:
    item = ClipsWithMaps(_Clips(), _network(1.0), _network(0.5), 2)[0]
    assert item["images"].shape == (2, 3, *SMALL)
    assert item["images"].dtype == torch.uint8
    assert item["maps"].shape == (2, 17, 8, 6)
    assert item["maps"].dtype == torch.float16
    assert item["maps"].sum((1, 2, 3)).tolist() == [1.0, 0.5]  # mass is kept
    assert item["maps"][0, 5, 2, 1] == 1
    assert item["confidence"].shape == (1, 17)
    assert item["confidence"][0, 5] == 0.5
    first = _Clips()[0]["images"][0, 0, :2, :2].float().mean().round()
    assert item["images"][0, 0, 0, 0] == first


def test_mirrored_clips_fit_together() -> None:
    """Image, keypoint and map of a joint move to the other side as one."""
    seen = ClipsWithMaps(_Clips(), _network(1.0), _network(1.0), 2)
    varied = AugmentedClips(seen, SIZE[1], COCO_17, 0, DARK)
    plain, both = seen[0], [varied[i] for i in range(20)]
    mirrored = [i for i, item in enumerate(both) if item["maps"][0, 6].any()]
    assert 3 <= len(mirrored) <= 17
    for number, item in enumerate(both):
        original = seen[number]
        if number in mirrored:
            assert torch.equal(item["images"], original["images"].flip(-1))
            assert item["keypoints"][0, 6].tolist() == [37.0, 20.0, 1.0]
            assert item["maps"][0, 6, 2, 4] == 1
            assert item["confidence"][0].nonzero().tolist() == [[6]]
            assert not item["keypoints"][:, 5].any()
        else:
            assert all(torch.equal(item[name], original[name]) for name in plain)


def test_a_varied_clip_is_a_function_of_its_number() -> None:
    seen = ClipsWithMaps(_Clips(), _network(1.0), _network(1.0), 2)
    one, two = (AugmentedClips(seen, SIZE[1], COCO_17, seed, Light()) for seed in (0, 1))
    assert torch.equal(one[3]["images"], one[3]["images"])
    assert not torch.equal(one[3]["images"], two[3]["images"])
    assert not torch.equal(one[3]["images"], seen[3]["images"])
