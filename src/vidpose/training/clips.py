"""Trainings of networks for video: clips of stills or of labelled video, and what they score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from vidpose.data.datasets.jhmdb_videos import MaskedClip, NothingToReadError
from vidpose.data.loaders.recorded import (
    RecordedClips,
    digest_of_file,
    digest_of_samples,
    digest_of_weights,
)
from vidpose.data.loaders.still_clips import Repeated, StillClips
from vidpose.data.loaders.stills import training_samples
from vidpose.data.loaders.tracked_windows import MixedClips, TrackedWindows, WindowsSection
from vidpose.data.loaders.video_clips import (
    VideoClips,
    VideoConfig,
    kept_out_videos,
    require_joints,
    training_clips,
)
from vidpose.data.samples import Sample
from vidpose.data.synthesis.limb_motion import MotionBank
from vidpose.data.synthesis.stills_to_clips import ClipConfig
from vidpose.methods.clips.maps import ClipMapping
from vidpose.methods.clips.networks import is_started
from vidpose.methods.clips.task import ClipsConfig, ClipTask, clips_task
from vidpose.methods.dkd.pooled import DistributionDKD
from vidpose.methods.dkd.recorded_maps import AugmentedClips, ClipsWithMaps
from vidpose.methods.dkd.task import DKDConfig, dkd_task, map_function
from vidpose.methods.per_frame.map_teachers import by_mass
from vidpose.skeleton import COCO_17, Skeleton
from vidpose.training.clip_scores import ClipEvaluator
from vidpose.training.task import Training
from vidpose.training.validation import KeptOut, kept_out_samples

_KEPT_OUT_CLIPS = 100
_RECORDED_SEED = 0
_TEST_FRAMES = 15  # of JHMDB's test clips: as many as the shortest have


def dkd_training(config: DKDConfig, seed: int, device: torch.device | None = None) -> Training:
    """The training of a `kind: dkd` section.

    `device`: where clips that are recorded are seen by the initializer and the teacher, and where
    the task is on return; the CPU unless given.
    """
    samples = training_samples(config.data, config.skeleton)
    task = dkd_task(config, samples).to(device)
    size, joints = config.size, config.skeleton
    source = StillSource(config.penn_action, config.cache, config.frames, size, joints, joints)
    windows = None if config.video is None else config.video.open(config.cache)
    if config.recorded is None:
        made = source.clips(samples, "train", seed, config.clips)
        data = _mixed(config, made, windows, seed)
    else:
        data = _with_maps(task, config, source, samples, windows, seed, device)
    kept_out = _kept_out(config)[:_KEPT_OUT_CLIPS]

    def clips() -> Dataset[dict[str, Any]]:
        return source.clips(kept_out, "test", 0, ClipConfig(), in_order=True)

    stills = ClipEvaluator(clips, len(kept_out), task.mapping, joints, per_frame=True)
    videos = None if config.video is None else _video_evaluator(config, config.video, task.mapping)

    def evaluate(network: nn.Module) -> dict[str, float]:
        scores = stills(network)
        if videos is not None:
            scores |= {f"jhmdb/{name}": value for name, value in videos(network).items()}
        return scores

    return Training(task, data, evaluate)


def _video_evaluator(
    config: DKDConfig, video: WindowsSection, mapping: ClipMapping
) -> ClipEvaluator | None:
    """Of the labelled clips of the split's test part that are at hand; None if there are none."""
    try:
        part = video.model_copy(update={"incomplete": True}).open(config.cache, "test")
    except NothingToReadError:
        return None
    labelled = [item.clip for item in part if np.isfinite(item.clip.keypoints[..., :2]).any()]
    long = [clip for clip in labelled if len(clip) >= _TEST_FRAMES][:_KEPT_OUT_CLIPS]
    clips = VideoClips(long, _TEST_FRAMES, config.size, COCO_17, seed=0, in_order=True)
    return ClipEvaluator(lambda: clips, len(long), mapping, COCO_17, per_frame=True)


def clips_training(config: ClipsConfig, seed: int) -> Training:
    """The training of a `kind: clips` section."""
    data, kept_out, count = _clips_of(config, seed)
    task = clips_task(config)
    if config.repeat is not None:
        data = repeated = Repeated(data, config.repeat)
        kept_out, count = (lambda: repeated), config.repeat
    evaluator = ClipEvaluator(kept_out, count, config.mapping, config.skeleton)
    return Training(task, data, evaluator)


def _kept_out(config: DKDConfig) -> list[Sample]:
    """The people whose clips a network is measured on."""
    if config.data.own is not None:
        return KeptOut.open(config.data, config.skeleton).stills
    root = config.data.lspet
    return [] if root is None else kept_out_samples(root, config.skeleton)


@dataclass(frozen=True)
class StillSource:
    """Clips made of stills.

    Attributes:
        penn_action: root of Penn Action, whose tracks drive them; None for random motion.
        cache: folder for the collected tracks.
        frames, size: T, and (H, W) of the crops.
        skeleton: of the keypoints.
        labels: of the stills'.
    """

    penn_action: Path | None
    cache: Path
    frames: int
    size: tuple[int, int]
    skeleton: Skeleton = COCO_17
    labels: Skeleton = COCO_17

    @cached_property
    def _motion(self) -> dict[str, MotionBank | None]:
        if self.penn_action is None:
            return {"train": None, "test": None}
        return {
            split: MotionBank.load(self.penn_action, split=split, cache_dir=self.cache)
            for split in ("train", "test")
        }

    def clips(
        self,
        samples: Sequence[Sample],
        split: Literal["train", "test"],
        seed: int,
        strengths: ClipConfig,
        in_order: bool = False,
        frames: int | None = None,
    ) -> StillClips:
        """Endless clips of the samples, moved by the tracks of a split."""
        return StillClips(
            samples,
            frames or self.frames,
            self.size,
            self.skeleton,
            seed,
            self._motion[split],
            strengths,
            in_order,
            self.labels,
        )


def _with_maps(
    task: ClipTask,
    config: DKDConfig,
    source: StillSource,
    samples: Sequence[Sample],
    videos: Sequence[MaskedClip] | None,
    seed: int,
    device: torch.device | None,
) -> AugmentedClips:
    """Clips that are made once, with the initializer's and the teacher's maps."""
    assert config.recorded is not None
    assert isinstance(task.network, DistributionDKD)
    assert task.teacher is not None
    made = source.clips(samples, "train", _RECORDED_SEED, config.clips)
    mixed = _mixed(config, made, videos, _RECORDED_SEED)
    first = by_mass(map_function(task.network.initializer))
    found = ClipsWithMaps(mixed, first, task.teacher, task.network.ratio, device)
    key = " ".join(
        [
            f"{made.description} with confidences",
            f"to {config.step_size}",
            digest_of_samples(samples),
            digest_of_weights(task.network.initializer),
            str(config.penn_action),
            " ".join(digest_of_file(path) for path in _teacher_files(config)),
            "" if config.mixture is None else str(config.mixture),
            "" if config.video is None else config.video.model_dump_json(),
            " ".join(item.clip.name for item in videos or ()),
        ]
    )
    kept = RecordedClips(found, config.recorded, config.cache, key, seed)
    return AugmentedClips(kept, config.size[1], config.skeleton, seed, config.clips.light)


def _teacher_files(config: DKDConfig) -> list[Path]:
    named = [one.weights for one in config.mixture or ()]
    return named if config.teacher is None else [config.teacher]


def _mixed(
    config: DKDConfig, stills: StillClips, videos: Sequence[MaskedClip] | None, seed: int
) -> Dataset[dict[str, Any]]:
    """Clips of stills, and windows of video if the recipe names some."""
    if config.video is None or videos is None:
        return stills
    windows = TrackedWindows(videos, config.frames, config.size, seed, config.video.windows)
    return MixedClips(stills, windows, config.video.share, seed)


def _clips_of(
    config: ClipsConfig, seed: int
) -> tuple[Dataset[dict[str, Any]], Callable[[], Dataset[dict[str, Any]]], int]:
    """Clips to learn from, what opens those to be measured on, and how many those are."""
    if config.video is not None:
        drawn, windows, count = _video_clips(config, config.video, seed)
        return drawn, lambda: windows, count
    assert config.data is not None
    skeleton = config.skeleton
    source = StillSource(config.penn_action, config.cache, config.frames, config.size, skeleton)
    strengths = ClipConfig(rotation_deg=config.rotation_deg, scale=config.scale)
    samples = training_samples(config.data)
    root = config.data.lspet
    kept_out = [] if root is None else kept_out_samples(root)[:_KEPT_OUT_CLIPS]

    def test() -> Dataset[dict[str, Any]]:
        clips = source.clips(
            kept_out, "test", 0, strengths, in_order=True, frames=config.test_frames
        )
        if config.recorded is None:
            return clips
        return _recorded(clips, kept_out, len(kept_out), config, None)

    seed_of_clips = seed if config.recorded is None else _RECORDED_SEED
    made = source.clips(samples, "train", seed_of_clips, strengths)
    if config.recorded is None:
        return made, test, len(kept_out)
    return _recorded(made, samples, config.recorded, config, seed), test, len(kept_out)


def _recorded(
    clips: StillClips, samples: Sequence[Sample], count: int, config: ClipsConfig, seed: int | None
) -> RecordedClips:
    key = f"{clips.description} {digest_of_samples(samples)} {config.penn_action}"
    return RecordedClips(clips, count, config.cache, key, seed)


def _video_clips(
    config: ClipsConfig, video: VideoConfig, seed: int
) -> tuple[VideoClips, VideoClips, int]:
    skeleton = config.skeleton
    training = training_clips(video, config.frames)
    if not is_started(config.network):  # what starts as a pose network knows all of its joints
        require_joints(training[0].skeleton, skeleton)
    tested = config.test_frames or config.frames
    kept_out = kept_out_videos(video, tested, _KEPT_OUT_CLIPS)
    drawn = VideoClips(
        training, config.frames, config.size, skeleton, seed, config.rotation_deg, config.scale
    )
    shown = VideoClips(kept_out, tested, config.size, skeleton, seed=0, in_order=True)
    return drawn, shown, len(kept_out)
