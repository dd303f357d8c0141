"""The worst frames of a clip: what an error is, and which person-frames are shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import worst_frames
from video_agreement import AgreedPose

from vidpose.skeleton import COCO_17

CLIP = Path("walk.mp4")
IMAGE = np.zeros((100, 300, 3), np.uint8)


def standing(frame: int, left: float) -> AgreedPose:
    """A person 100 px high, every joint at a place of its own, the wrists not agreed on."""
    keypoints = np.ones((17, 3), np.float32)
    keypoints[:, 0] = left + 20 * (np.arange(17) % 2)
    keypoints[:, 1] = 5 * np.arange(17)
    counted = np.array(["wrist" not in name for name in COCO_17.keypoints])
    return AgreedPose(CLIP, frame, IMAGE, (left, 0.0, 40.0, 100.0), keypoints, counted)


def test_error_is_the_mean_of_the_joints_that_count() -> None:
    person = standing(0, 50.0)
    found = person.keypoints + np.array([3.0, 4.0, 0.0], np.float32)
    found[~person.counted] += 500
    assert worst_frames.error(found, person) == pytest.approx(5.0)
    assert worst_frames.error(np.full((17, 3), np.nan, np.float32), person) == 100.0


def test_one_person_is_shown_once_in_half_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 10 frames/s: frame 4 is too near to frame 0, frame 5 and another person are not."""
    monkeypatch.setattr(worst_frames, "frame_times", lambda _: [i / 10 for i in range(10)])
    seen = [standing(0, 50.0), standing(4, 52.0), standing(5, 52.0), standing(1, 200.0)]
    assert worst_frames.farthest(seen, np.array([9.0, 8.0, 7.0, 6.0])) == [0, 2, 3]
    assert worst_frames.farthest(seen, np.array([1.0, 8.0, 7.0, 6.0])) == [1, 3]


def test_wrong_joints_on_the_other_side() -> None:
    """Knees that changed places, a shoulder that is nowhere, and a person who is not found."""
    person = standing(0, 50.0)
    found = person.keypoints.copy()
    left, right = (COCO_17.keypoints.index(f"{side}_knee") for side in ("left", "right"))
    found[[left, right]] = found[[right, left]]
    found[COCO_17.keypoints.index("left_shoulder")] += 300
    nobody = np.full_like(found, np.nan)
    assert worst_frames.wrong_joints([found, nobody], [person, person]) == (3, 2)
