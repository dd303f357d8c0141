"""A model on a clip: which network runs on which frame, checked with an echo for a network."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from stills_folders import write_image
from vidpose.bundle import Trust
from vidpose.data.clips import LabelledClip
from vidpose.errors import DataError
from vidpose.evaluation import networks
from vidpose.evaluation.networks import networks_of, predict_clip
from vidpose.evaluation.single_person import FRAME_SECONDS
from vidpose.inference.crop import CropRegion
from vidpose.inference.pose import LOOK_SHARE, Expected, Pose
from vidpose.skeleton import COCO_17

BOXES = [[10.0, 20, 40, 60], [30, 20, 40, 60], [50, 20, 40, 60], [70, 20, 40, 60]]


@dataclass
class Calls:
    """What the networks were asked; each finds all keypoints in the middle of its region."""

    initializer: list[CropRegion] = field(default_factory=list)
    step: list[tuple[CropRegion, float]] = field(default_factory=list)
    expected: list[Expected] = field(default_factory=list)
    step_score: float = 0.9

    def pose(self, region: CropRegion, score: float, memory: float) -> Pose:
        x, y = region.center
        keypoints = np.tile(np.float32([x - 0.5, y - 0.5, score]), (17, 1))
        return Pose(keypoints, score, (x - 20, y - 30, 40, 60), np.full((17, 1, 1, 1), memory))


@dataclass(frozen=True)
class Model:
    """As much of a model as is asked for."""

    stepper: object | None = "some"
    aspect: float = 0.75
    padding: float = 1.25
    trust: Trust = field(default_factory=lambda: Trust(min_score=0.3))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls = Calls()

    def initialize(model: Any, image: Any, regions: Any, clock: Any) -> list[Pose]:
        (region,) = regions
        calls.initializer.append(region)
        return [calls.pose(region, 0.9, len(calls.initializer))]

    def step(
        model: Any, image: Any, regions: Any, memory: Any, clock: Any, expected: list[Expected]
    ) -> list[Pose]:
        calls.expected += expected
        (region,), (kernels,) = regions, memory
        calls.step.append((region, float(kernels.max())))
        return [calls.pose(region, calls.step_score, kernels.max() + 100)]

    monkeypatch.setattr(networks, "initialize", initialize)
    monkeypatch.setattr(networks, "step", step)
    return calls


@pytest.fixture
def clip(tmp_path: Path) -> LabelledClip:
    frames = tuple(write_image(tmp_path / f"{n}.png", (120, 160)) for n in range(len(BOXES)))
    keypoints = np.ones((len(BOXES), 17, 3), np.float32)
    return LabelledClip("c", frames, keypoints, np.array(BOXES, np.float32), COCO_17)


def centers(boxes: list[list[float]]) -> list[tuple[float, float]]:
    return [(x + w / 2, y + h / 2) for x, y, w, h in boxes]


def test_step_initialises_once_and_lives_on_its_memory(clip: LabelledClip, calls: Calls) -> None:
    poses = predict_clip(cast("Any", Model()), clip, ["step"], "every")["step"]
    assert poses.initialised == 1
    assert [region.center for region in calls.initializer] == centers(BOXES[:1])
    assert [region.center for region, _ in calls.step] == centers(BOXES[1:])
    second = LOOK_SHARE + (1 - LOOK_SHARE) * 101
    third = LOOK_SHARE + (1 - LOOK_SHARE) * (second + 100)
    assert [memory for _, memory in calls.step] == [1, second, third]
    expected = np.array(centers(BOXES)) - 0.5
    np.testing.assert_allclose(poses.keypoints[:, 0, :2], expected)
    assert poses.keypoints.shape == (4, 17, 3)
    for before, each in zip(expected, calls.expected, strict=False):  # where it was a frame ago
        np.testing.assert_allclose(each.keypoints[0, :2], before)
        assert each.seconds == FRAME_SECONDS
    assert len(calls.expected) == 3


def test_step_is_never_initialised_anew(clip: LabelledClip, calls: Calls) -> None:
    calls.step_score = 0.0
    assert predict_clip(cast("Any", Model()), clip, ["step"], "every")["step"].initialised == 1


def test_initializer_runs_on_every_frame(clip: LabelledClip, calls: Calls) -> None:
    poses = predict_clip(cast("Any", Model()), clip, ["initializer"], "every")["initializer"]
    assert poses.initialised == 4
    assert calls.step == []


def test_with_the_first_box_only_the_crop_follows_the_pose(
    clip: LabelledClip, calls: Calls
) -> None:
    """The echo sees everybody in the middle of the crop, so the crop stays where it was."""
    predict_clip(cast("Any", Model()), clip, ["step"], "first")
    first = calls.initializer[0]
    assert first.center == centers(BOXES)[0]
    assert all(region == first for region, _ in calls.step)


def test_networks_worth_a_row() -> None:
    assert networks_of(cast("Any", Model()), clips=True) == ("step", "stream", "initializer")
    assert networks_of(cast("Any", Model(stepper=None)), clips=True) == ("initializer",)
    assert networks_of(cast("Any", Model()), clips=False) == ("initializer",)


def test_every_frame_is_told_and_a_damaged_one_is_named(clip: LabelledClip, calls: Calls) -> None:
    seen = []
    predict_clip(cast("Any", Model()), clip, ["step"], "every", lambda: seen.append(1))
    assert len(seen) == 4
    clip.frames[2].write_bytes(b"no image")
    with pytest.raises(DataError, match=r"2\.png"):
        predict_clip(cast("Any", Model()), clip, ["step"], "every")
