"""Windows of real video: decoded once, cropped as trackers crop, labelled where labels are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from clip_folders import SIZE, write_jhmdb, write_jhmdb_mask, write_jhmdb_video, write_splits
from vidpose.data.datasets.jhmdb_videos import MaskedClip, open_videos
from vidpose.data.loaders.tracked_windows import MixedClips, TrackedWindows, WindowConfig
from vidpose.data.synthesis.crop_jitter import CropJitter
from vidpose.data.synthesis.photometry import Degradation, Light
from vidpose.errors import DataError

FRAMES = 8
CROP = (64, 48)
STILL = WindowConfig(
    backwards=0, flip=0, rotation_deg=0, scale=(1, 1), half_body=0, people=0,
    tracker=CropJitter(shift=0, scale=0, lag=0), light=Light(0, 0, 0, 0, 0),
    degradation=Degradation(low_resolution=0, noise=0, compression=0),
)  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two training clips, one of them without labels, and a test clip."""
    folder = tmp_path / "jhmdb"
    for name in ("labelled", "masked", "kept_out"):
        write_jhmdb(folder, "catch", name, FRAMES, images=False)
        write_jhmdb_video(folder, name, colour=60 if name == "masked" else 0)
    (folder / "joint_positions/catch/masked/joint_positions.mat").unlink()
    return write_splits(folder, {"labelled": (1, 1, 1), "masked": (1, 1, 1), "kept_out": (2, 1, 1)})


@pytest.fixture
def clips(root: Path, tmp_path: Path) -> list[MaskedClip]:
    return open_videos(root, "1", "train", tmp_path / "cache", incomplete=False)


def test_training_clips_alone_are_decoded_once(
    root: Path, clips: list[MaskedClip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [item.clip.name for item in clips] == ["labelled", "masked"]
    assert [len(item.clip) for item in clips] == [FRAMES, FRAMES]
    assert [bool(item.clip.keypoints[..., 2].all()) for item in clips] == [True, False]
    assert clips[0].clip.boxes[0].tolist() == [30, 20, 63, 64]
    mask = clips[0].mask(3)
    assert mask.shape == SIZE
    assert mask.sum() == 64 * 63
    assert mask[20:84, 30:93].all()
    monkeypatch.setattr("vidpose.data.datasets.jhmdb_videos._decode", None)
    again = open_videos(root, "1", "train", tmp_path / "cache", incomplete=False)
    assert [item.clip.frames for item in again] == [item.clip.frames for item in clips]


def test_joints_lie_where_the_crop_shows_them(clips: list[MaskedClip]) -> None:
    for config in (STILL, WindowConfig(light=STILL.light, degradation=STILL.degradation, people=0)):
        windows = TrackedWindows(clips[:1], 3, CROP, 0, config)
        for index in range(12):
            item = windows[index]
            assert item["images"].shape == (3, 3, *CROP)
            for image, points in zip(item["images"], item["keypoints"], strict=True):
                known = points[points[:, 2] > 0]
                for x, y, _ in known[:1].tolist():
                    assert image[:, round(y), round(x)].float().mean() > 215
    assert torch.equal(windows[5]["images"], windows[5]["images"])


def test_clips_without_labels_have_no_weight(clips: list[MaskedClip]) -> None:
    masked = TrackedWindows(clips[1:], 3, CROP, 0, WindowConfig())
    assert not any(masked[i]["keypoints"].any() for i in range(6))
    half = TrackedWindows(clips[:1], 3, CROP, 0, WindowConfig(label_weight=0.25, half_body=0))
    weights = {float(w) for i in range(6) for w in half[i]["keypoints"][..., 2].unique()}
    assert weights == {0.0, 0.25}


def _brightness(item: dict[str, Any]) -> list[int]:
    """Which frames a window of `STILL` shows: their background is 20 t."""
    return [round(float(image[1].float().median()) / 20) for image in item["images"]]


def test_windows_have_strides_and_run_backwards(clips: list[MaskedClip]) -> None:
    def config(**changes: Any) -> WindowConfig:
        values = {name: getattr(STILL, name) for name in STILL.__slots__}
        return WindowConfig(**{**values, **changes})

    forwards = TrackedWindows(clips[:1], 3, CROP, 0, STILL)
    shown = [_brightness(forwards[i]) for i in range(25)]
    assert {frames[1] - frames[0] for frames in shown} == {1, 2, 3}
    assert all(f[2] - f[1] == f[1] - f[0] for f in shown)
    back = TrackedWindows(clips[:1], 3, CROP, 0, config(backwards=1.0))
    assert all(f[1] < f[0] for f in (_brightness(back[i]) for i in range(8)))
    whole = TrackedWindows(clips[:1], FRAMES, CROP, 0, STILL)
    assert _brightness(whole[0]) == list(range(FRAMES))
    with pytest.raises(DataError, match="none of 1 clips has 9 frames"):
        TrackedWindows(clips[:1], 9, CROP, 0, STILL)


def test_people_of_other_clips_pass_in_front(clips: list[MaskedClip]) -> None:
    """Cut out by their mask; no person passes in front of himself."""
    values = {name: getattr(STILL, name) for name in STILL.__slots__}
    config = WindowConfig(**{**values, "people": 1.0})
    plain, crowded = (TrackedWindows(clips, 3, CROP, 0, c) for c in (STILL, config))
    changed = [not torch.equal(plain[i]["images"], crowded[i]["images"]) for i in range(12)]
    assert 2 <= sum(changed) < 12
    assert all(torch.equal(plain[i]["keypoints"], crowded[i]["keypoints"]) for i in range(12))
    alone = TrackedWindows(clips[:1], 3, CROP, 0, config)
    single = TrackedWindows(clips[:1], 3, CROP, 0, STILL)
    assert all(torch.equal(alone[i]["images"], single[i]["images"]) for i in range(4))


def test_what_is_missing_or_does_not_fit_is_said(root: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    mask = root / "puppet_mask/catch/masked/puppet_mask.mat"
    mask.unlink()
    with pytest.raises(DataError, match=r"masked/puppet_mask\.mat is missing: .*incomplete"):
        open_videos(root, "1", "train", cache, incomplete=False)
    assert len(open_videos(root, "1", "train", cache, incomplete=True)) == 1
    write_jhmdb_mask(root, "catch", "masked", np.ones((*SIZE, FRAMES + 1), np.uint8))
    with pytest.raises(DataError, match=r"a mask of 96 x 128 x 9, the video .* has 8 frames"):
        open_videos(root, "1", "train", cache, incomplete=False)
    write_jhmdb_mask(root, "catch", "masked", np.ones((*SIZE, FRAMES), np.uint8))
    write_jhmdb(root, "catch", "masked", FRAMES - 1, images=False, mask=False)
    with pytest.raises(DataError, match=r"joints of 7 frames, the video .* has 8|7 frames, got"):
        open_videos(root, "1", "train", cache, incomplete=False)


class _Constant(Dataset[dict[str, Any]]):
    def __init__(self, value: int) -> None:
        self.value = value

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"x": self.value, "index": index}


def test_sets_are_mixed_by_their_share() -> None:
    mixed = MixedClips(_Constant(0), _Constant(1), 0.25, seed=3)
    found = [mixed[i]["x"] for i in range(2000)]
    assert np.mean(found) == pytest.approx(0.25, abs=0.04)
    assert found == [mixed[i]["x"] for i in range(2000)]
    assert mixed[7]["index"] == 7
