"""Clips made of stills as a data set: sizes, skeletons, and what an item depends on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stills_folders import lsp_people, write_lspet
from vidpose.data.datasets.lspet import load_lspet
from vidpose.data.loaders.still_clips import Repeated, StillClips
from vidpose.data.samples import Sample
from vidpose.data.synthesis.stills_to_clips import ClipConfig
from vidpose.skeleton import COCO_17, JHMDB_15, PENN_13, Skeleton, map_keypoints


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    return load_lspet(write_lspet(tmp_path_factory.mktemp("lspet"), lsp_people(3)))


def _clips(
    samples: list[Sample], skeleton: Skeleton, seed: int = 0, in_order: bool = False
) -> StillClips:
    return StillClips(samples, 3, (64, 96), skeleton, seed, None, ClipConfig(), in_order)


@pytest.mark.parametrize("skeleton", [COCO_17, PENN_13, JHMDB_15], ids=lambda s: s.name)
def test_items_have_the_asked_size_and_skeleton(samples: list[Sample], skeleton: Skeleton) -> None:
    item = _clips(samples, skeleton)[0]
    assert item["images"].shape == (3, 3, 64, 96)
    assert item["images"].dtype == torch.uint8
    assert item["keypoints"].shape == (3, skeleton.num_keypoints, 3)
    assert item["keypoints"].dtype == torch.float32
    assert item["keypoints"].isfinite().all()


def test_another_skeleton_is_the_same_clip_with_its_keypoints_mapped(
    samples: list[Sample],
) -> None:
    coco, penn = _clips(samples, COCO_17)[1], _clips(samples, PENN_13)[1]
    assert torch.equal(coco["images"], penn["images"])
    expected = map_keypoints(coco["keypoints"].numpy(), COCO_17, PENN_13)
    np.testing.assert_array_equal(penn["keypoints"].numpy(), np.nan_to_num(expected))
    assert (penn["keypoints"][..., 2] > 0).any()


def test_an_item_is_a_function_of_seed_and_number(samples: list[Sample]) -> None:
    one, two = _clips(samples, COCO_17), _clips(samples, COCO_17)
    assert torch.equal(one[2]["images"], two[2]["images"])
    assert not torch.equal(one[2]["images"], one[0]["images"])
    assert not torch.equal(one[2]["images"], _clips(samples, COCO_17, seed=1)[2]["images"])


def test_repeating_goes_round(samples: list[Sample]) -> None:
    clips = _clips(samples, COCO_17)
    repeated = Repeated(clips, 2)
    assert torch.equal(repeated[3]["images"], clips[1]["images"])
    assert torch.equal(repeated[4]["keypoints"], clips[0]["keypoints"])


def _with_middle(samples: list[Sample]) -> tuple[Skeleton, list[Sample]]:
    """COCO's joints and one more, half-way between the hips."""
    ends = [COCO_17.keypoints.index(f"{side}_hip") for side in ("left", "right")]
    skeleton = Skeleton(
        "coco18",
        (*COCO_17.keypoints, "mid_hip"),
        COCO_17.edges,
        COCO_17.flip_pairs,
        (*COCO_17.sigmas, 0.1),
    )
    more = [s.keypoints[ends].mean(axis=0, keepdims=True) for s in samples]
    return skeleton, [
        s.with_keypoints(np.concatenate([s.keypoints, m]))
        for s, m in zip(samples, more, strict=True)
    ]


def test_keypoints_of_ones_own_go_with_the_picture(samples: list[Sample]) -> None:
    skeleton, own = _with_middle(samples)
    shape = (3, (128, 96))
    for index in range(6):
        usual = StillClips(samples, *shape, COCO_17, 0, None, ClipConfig())[index]
        ours = StillClips(own, *shape, skeleton, 0, None, ClipConfig(), labels=skeleton)[index]
        assert torch.equal(usual["images"], ours["images"])
        known = (usual["keypoints"][..., 2] > 0) & (ours["keypoints"][:, :17, 2] > 0)
        assert known.sum() > 0.9 * (usual["keypoints"][..., 2] > 0).sum()
        apart = (usual["keypoints"] - ours["keypoints"][:, :17])[..., :2].norm(dim=-1)
        assert float(apart[known].max()) < 0.05
        middle = ours["keypoints"][:, 17]
        hips = ours["keypoints"][:, [11, 12]]
        seen = (middle[:, 2] > 0) & (hips[..., 2] > 0).all(1)
        size = (hips[:, 0, :2] - hips[:, 1, :2]).norm(dim=-1)
        off = (middle[:, :2] - hips[..., :2].mean(1)).norm(dim=-1)
        assert bool((off[seen] < 0.5 * size[seen] + 2).all())


def test_keypoints_without_a_name_of_coco_move_with_the_camera(samples: list[Sample]) -> None:
    other = Skeleton("abc", ("a", "b", "c"), (), (), (0.1,) * 3)
    own = [s.with_keypoints(s.keypoints[[5, 11, 13]]) for s in samples]
    config = ClipConfig(flip=1.0)
    item = StillClips(own, 3, (128, 96), other, 0, None, config, labels=other)[0]
    assert (item["keypoints"][..., 2] > 0).any()
    mirrored = StillClips(samples, 3, (128, 96), COCO_17, 0, None, config)[0]
    assert not torch.equal(item["images"], mirrored["images"])
