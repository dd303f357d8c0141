"""The row "stream" of an evaluation is a `PoseStream`, with labelled boxes for its detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnx", reason="the painted networks are built with onnx")

import painted
from vidpose.data.clips import LabelledClip
from vidpose.evaluation.networks import BoxSource, predict_clip
from vidpose.evaluation.single_person import FRAME_SECONDS, SinglePersonStream
from vidpose.inference import PoseModel
from vidpose.inference.pose import Pose, step
from vidpose.tracking import PoseStream

SIZE = (220, 400)
FRAMES = 45
Floats = NDArray[np.float64]
WALKER = painted.Actor(lambda time: (60 + 60 * time, 110), height=100, colour=100)


def box(time: float) -> Floats:
    x, y = WALKER.path(time)
    return np.array([x - 25, y - 50, 50, 100])


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> LabelledClip:
    folder, paths = tmp_path_factory.mktemp("walker"), []
    for index in range(FRAMES):
        paths.append(folder / f"{index:03}.png")
        image = painted.paint([WALKER], index * FRAME_SECONDS, SIZE)
        cv2.imwrite(str(paths[-1]), image[:, :, ::-1])
    boxes = np.array([box(index * FRAME_SECONDS) for index in range(FRAMES)], np.float32)
    return LabelledClip(
        "walker", tuple(paths), np.ones((FRAMES, 5, 3), np.float32), boxes, painted.SKELETON
    )


class Due:
    """Gives `boxes` one after the other, `count` of them; then it detects."""

    def __init__(self, boxes: Sequence[Floats], count: int) -> None:
        self.boxes = list(boxes[:count])

    def detect(self, image: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        if not self.boxes:
            return painted.BodyDetector().detect(image)
        return np.array([self.boxes.pop(0)], np.float64), np.ones(1)


def with_trust(model: PoseModel, **changes: float) -> PoseModel:
    return replace(model, trust=replace(model.trust, **changes))


@pytest.mark.parametrize(("boxes", "detections"), [("every", 0), ("first", 2)])
def test_the_row_is_what_a_stream_reports(
    boxes: BoxSource, detections: int, clip: LabelledClip, dkd_model: PoseModel
) -> None:
    """Detections are due at 0, 0.5 and 1 s: the labels', or the detector's after the first."""
    detector = painted.BodyDetector()
    row = predict_clip(dkd_model, clip, ["stream"], boxes, detector=detector)["stream"]
    assert detector.calls == detections
    due = Due([clip.boxes[0], clip.boxes[15], clip.boxes[30]], 1 if boxes == "first" else 3)
    stream = PoseStream(dkd_model, due, smooth=False, max_people=1)
    times = [index * FRAME_SECONDS for index in range(FRAMES)]
    people = [stream.step(painted.paint([WALKER], t, SIZE), t).people[0] for t in times]
    np.testing.assert_array_equal(row.keypoints, np.stack([each.keypoints for each in people]))
    np.testing.assert_array_equal(row.scores, np.float32([each.score for each in people]))
    assert row.initialised == 1


def test_the_memorys_age_brings_an_initialisation(clip: LabelledClip, dkd_model: PoseModel) -> None:
    young = with_trust(dkd_model, max_age=0.4)
    rows = predict_clip(young, clip, ["step", "stream"], "every")
    assert rows["step"].initialised == 1
    assert rows["stream"].initialised == 4  # at 0, 0.4, 0.8 and 1.2 s


@pytest.mark.parametrize(("low", "initialised"), [(3, 1), (4, 2)])
def test_a_low_score_is_tolerated_for_the_trusts_patience(
    low: int, initialised: int, dkd_model: PoseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step's score falls for so many frames; the patience is three frames."""
    patient = with_trust(dkd_model, min_score=0.5, patience=3 * FRAME_SECONDS)
    stream = SinglePersonStream(patient)
    frames = range(12)
    scores = iter([0.9 if index < 3 or index >= 3 + low else 0.4 for index in frames[1:]])

    def faded(*arguments: Any) -> list[Pose]:
        return [replace(pose, score=next(scores)) for pose in step(*arguments)]

    monkeypatch.setattr("vidpose.tracking.base.step", faded)
    for _ in frames:
        stream.advance(painted.paint([WALKER], 0.0, SIZE), box(0.0))
    assert stream.initialised == initialised


def test_a_person_who_is_lost_is_missing(dkd_model: PoseModel) -> None:
    stream = SinglePersonStream(dkd_model)
    there, score = stream.advance(painted.paint([WALKER], 0.0, SIZE), box(0.0))
    assert score > 0.8
    assert np.isfinite(there).all()
    for _ in range(12):
        keypoints, score = stream.advance(np.zeros((*SIZE, 3), np.uint8), None)
    assert np.isnan(keypoints).all()
    assert keypoints.shape == (5, 3)
    assert score == 0.0


def test_a_labelled_box_without_a_pose_is_no_person(dkd_model: PoseModel) -> None:
    keypoints, _ = SinglePersonStream(dkd_model).advance(np.zeros((*SIZE, 3), np.uint8), box(0.0))
    assert np.isnan(keypoints).all()


def test_other_people_in_the_picture_are_not_taken(dkd_model: PoseModel) -> None:
    other = painted.Actor(lambda time: (300, 110), height=120, colour=220)
    stream = SinglePersonStream(dkd_model, painted.BodyDetector())
    for index in range(30):
        time = index * FRAME_SECONDS
        image = painted.paint([other, WALKER], time, SIZE)
        keypoints, _ = stream.advance(image, box(0.0) if index == 0 else None)
        assert np.abs(keypoints[:, :2] - WALKER.keypoints(time)).max() < 8
