"""Frames of labelled video as stills: which are taken, and what is known of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clip_folders import write_jhmdb, write_splits
from stills_folders import lsp_people, write_coco, write_lspet
from vidpose.data.loaders.stills import StillsConfig, training_samples
from vidpose.data.loaders.video_clips import VideoConfig
from vidpose.data.samples import SOURCES
from vidpose.skeleton import COCO_17
from vidpose.training.validation import KeptOut


@pytest.fixture
def video(tmp_path: Path) -> VideoConfig:
    """Nine frames to learn from and five of the test part."""
    root = tmp_path / "jhmdb"
    for name, frames in (("learnt", 9), ("kept", 5)):
        write_jhmdb(root, "catch", name, frames=frames)
    write_splits(root, {"learnt": (1, 1, 1), "kept": (2, 2, 2)})
    return VideoConfig(set="jhmdb", path=root, split="1", incomplete=True)


@pytest.mark.parametrize(("every", "numbers"), [(4, [0, 4, 8]), (8, [0, 8]), (20, [0])])
def test_every_so_many_th_frame_of_the_training_part(
    video: VideoConfig, every: int, numbers: list[int]
) -> None:
    samples = training_samples(StillsConfig(video=video, video_every=every))
    assert [sample.key for sample in samples] == [f"jhmdb/learnt/{n}" for n in numbers]
    assert [sample.image.name for sample in samples] == [f"{n + 1:05d}.png" for n in numbers]
    assert {sample.source for sample in samples} == {SOURCES.index("jhmdb")}


def test_a_frame_has_its_box_and_the_joints_that_the_set_knows(video: VideoConfig) -> None:
    sample = training_samples(StillsConfig(video=video))[0]
    assert sample.box == (30, 20, 63, 64)
    limbs = [i for i, name in enumerate(COCO_17.keypoints) if i > 4]
    np.testing.assert_array_equal(sample.keypoints[limbs], [[60, 50, 1]] * 12)
    np.testing.assert_array_equal(sample.keypoints[:5], 0)


def test_test_frames_are_measured_under_the_set_s_name(video: VideoConfig, tmp_path: Path) -> None:
    coco = write_coco(write_coco(tmp_path / "coco", "train2017", [{}]), "val2017", [{}, {}])
    found = KeptOut.open(StillsConfig(coco=coco, video=video, video_every=2), COCO_17)
    assert len(found.stills) == 2
    assert [s.key for s in found.others["jhmdb"]] == [f"jhmdb/kept/{n}" for n in (0, 2, 4)]
    scores = found.scores(
        lambda crops: np.zeros((len(crops), 17, 16, 12), np.float32), (64, 48), COCO_17
    )
    assert set(scores) == {"pck@0.2", "pck@0.1", "jhmdb/pck@0.2", "jhmdb/pck@0.1"}


def test_coco_is_measured_beside_lspet(tmp_path: Path) -> None:
    coco = write_coco(write_coco(tmp_path / "coco", "train2017", [{}]), "val2017", [{}, {}])
    lspet = write_lspet(tmp_path / "lspet", lsp_people(3))
    found = KeptOut.open(StillsConfig(coco=coco, lspet=lspet), COCO_17)
    assert len(found.stills) == 3
    assert {name: len(samples) for name, samples in found.others.items()} == {"coco": 2}
