"""Trainings of per-frame networks: stills to learn from, kept-out people to be measured on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from vidpose.data.loaders.stills import StillsDataset, training_samples
from vidpose.data.loaders.tracked_windows import MixedClips, TrackedWindows, WindowFrames
from vidpose.data.samples import Sample
from vidpose.methods.distilpose.model import DistilPose
from vidpose.methods.distilpose.task import DistilPoseConfig, flip_tested
from vidpose.methods.okdhp.model import MultiBranchPose
from vidpose.methods.okdhp.task import OKDHPConfig, PersonStills, okdhp_model, validation_split
from vidpose.methods.per_frame.pose import PoseConfig, PoseTask, map_function
from vidpose.methods.per_frame.students import StudentConfig, build_student, read_network
from vidpose.methods.per_frame.task import FrameModel
from vidpose.training.distil import DistilConfig, DistilTask
from vidpose.training.task import Task, Training
from vidpose.training.validation import KeptOut, stills_pck

_LAGGING = 2  # frames of a window whose last one lags behind as a tracker does
_CHOICE = "pck@0.1"  # branches are close to each other: the stricter threshold tells them apart


def frame_training(config: StudentConfig | DistilConfig, seed: int) -> Training:
    """The training of a per-frame section. Raises DataError where data or weights are faulty."""
    section = config.student if isinstance(config, DistilConfig) else config
    samples = training_samples(section.data, section.joints)
    validation: list[Sample] = []
    if isinstance(section, OKDHPConfig):
        samples, validation = validation_split(samples)
    evaluator = FrameEvaluator(section, KeptOut.open(section.data, section.joints), validation)
    task: Task
    if isinstance(config, DistilConfig):
        task = DistilTask(config, samples)
    elif isinstance(config, PoseConfig):
        task = PoseTask(config, samples)
    else:
        task = build_student(config, samples)
    crop_size = config.crop_size if isinstance(config, PoseConfig) else section.size
    return Training(task, _stills(section, samples, crop_size, seed), evaluator)


def _stills(
    section: StudentConfig, samples: Sequence[Sample], size: tuple[int, int], seed: int
) -> Dataset[dict[str, Any]]:
    if isinstance(section, PoseConfig) and section.video is not None:
        stills = StillsDataset(samples, size, seed, section.augment, section.joints)
        clips, video = section.video.open(section.cache), section.video
        frames = WindowFrames(TrackedWindows(clips, _LAGGING, size, seed, video.windows))
        return MixedClips(stills, frames, video.share, seed)
    contrasted = isinstance(section, OKDHPConfig) and section.contrast > 0
    kind = PersonStills if contrasted else StillsDataset
    return kind(samples, size, seed, section.augment, section.joints)


class FrameEvaluator:
    """Scores of a per-frame network on labelled people that no training sees.

    Args:
        section: what the network is.
        kept_out: the people.
        validation: people of the *training* images by whom OKDHP's branch is chosen, so that the
            kept-out ones stay unseen by every decision.
    """

    def __init__(
        self, section: StudentConfig, kept_out: KeptOut, validation: Sequence[Sample] = ()
    ) -> None:
        self._section = section
        self._kept_out = kept_out
        self._validation = validation

    def __call__(self, network: nn.Module) -> dict[str, float]:
        section, scores = self._section, {}
        if isinstance(section, OKDHPConfig):
            assert isinstance(network, MultiBranchPose)
            scores = choose_branch(network, section, self._validation)
        scores |= self._scores(read_network(network, section))
        flip = isinstance(section, DistilPoseConfig) and section.flip_test and bool(scores)
        if flip and isinstance(network, DistilPose):
            assert isinstance(section, DistilPoseConfig)
            mirrored = self._scores(flip_tested(network, section))
            scores |= {f"flip_test/{name}": value for name, value in mirrored.items()}
        return scores

    def _scores(self, model: FrameModel) -> dict[str, float]:
        network = map_function(model.deployed().eval())
        return self._kept_out.scores(network, self._section.size, self._section.joints)


def choose_branch(
    network: MultiBranchPose, section: OKDHPConfig, people: Sequence[Sample]
) -> dict[str, float]:
    """Measure every branch on `people` and note the best, or the one that the section keeps, as
    the network's chosen one. Returns the branches' scores."""
    scores = {}
    for branch in range(len(network.branches)):
        model = okdhp_model(network, branch, section)
        found = stills_pck(
            map_function(model.deployed().eval()), people, section.size, section.joints
        )
        scores[f"branch_{branch}/{_CHOICE}"] = found[_CHOICE]
    best = int(np.argmax(np.nan_to_num(list(scores.values()))))
    with torch.no_grad():
        network.chosen.fill_(best if section.keep == "best" else section.keep)
    return scores
