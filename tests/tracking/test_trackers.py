"""Every tracker within the stream, on painted films: the stream's promises hold for each."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the painted networks are built with onnx")

import painted
from vidpose.errors import InputError
from vidpose.inference import PoseModel
from vidpose.results import FrameResult
from vidpose.tracking import PoseStream
from vidpose.tracking.trackers import TrackerName

SIZE = (220, 400)
WALKER = painted.Actor(lambda time: (60 + 60 * time, 110), height=100, colour=100)
OTHER = painted.Actor(lambda time: (340 - 60 * time, 115), height=100, colour=220)

every_tracker = pytest.mark.parametrize("tracker", get_args(TrackerName))


def stream(model: PoseModel, tracker: TrackerName, **options: object) -> PoseStream:
    return PoseStream(model, painted.BodyDetector(), tracker=tracker, **options)


@every_tracker
@pytest.mark.parametrize("rate", [10, 30])
@pytest.mark.parametrize("model", ["dkd_model", "frame_model"])
def test_a_walker_is_followed_with_and_without_memory(
    tracker: TrackerName, rate: int, model: str, request: pytest.FixtureRequest
) -> None:
    results = painted.film(
        stream(request.getfixturevalue(model), tracker), [WALKER], rate=rate, seconds=2, size=SIZE
    )
    assert [result.index for result in results] == list(range(2 * rate))
    assert painted.ids_of(WALKER, results) == [1] * len(results)
    assert all(len(result.people) == 1 for result in results)


@pytest.mark.parametrize("tracker", ["default", "poseflow"])
def test_people_who_cross_keep_their_ids(tracker: TrackerName, frame_model: PoseModel) -> None:
    """The one in front hides the other for a moment. (The flow tracker's queue is carried along
    by the one in front, so it may give the other a new id: docs/evaluation.md.)"""
    results = painted.film(
        stream(frame_model, tracker), [WALKER, OTHER], rate=20, seconds=4.5, size=SIZE
    )
    for actor in (WALKER, OTHER):
        ids = painted.ids_of(actor, results)
        assert ids[0] == ids[-1] is not None
    assert painted.ids_of(WALKER, results)[0] != painted.ids_of(OTHER, results)[0]


@every_tracker
def test_a_film_without_people(tracker: TrackerName, dkd_model: PoseModel) -> None:
    results = painted.film(stream(dkd_model, tracker), [], rate=10, seconds=1, size=SIZE)
    assert [(result.index, result.people) for result in results] == [(i, ()) for i in range(10)]


@every_tracker
def test_streams_never_meet_and_reset_forgets(tracker: TrackerName, dkd_model: PoseModel) -> None:
    """Frame by frame in turn gives what one after the other gives, and so does a used stream."""
    films = [[WALKER, OTHER], [OTHER]]
    used = stream(dkd_model, tracker)
    alone = []
    for actors in films:
        alone.append(painted.film(used, actors, rate=15, seconds=2, size=SIZE))
        used.reset()
    streams = [stream(dkd_model, tracker), stream(dkd_model, tracker)]
    turns: list[list[FrameResult]] = [[], []]
    for index in range(30):
        for results, one, actors in zip(turns, streams, films, strict=True):
            results.append(one.step(painted.paint(actors, index / 15, SIZE), index / 15))
    assert turns == alone


@every_tracker
def test_a_new_image_size_starts_with_new_people(
    tracker: TrackerName, frame_model: PoseModel
) -> None:
    one = stream(frame_model, tracker)
    first = painted.film(one, [WALKER], rate=10, seconds=1, size=SIZE)
    second = one.step(painted.paint([WALKER], 1.0, (300, 500)), 1.0)
    assert [p.id for p in first[-1].people] == [1]
    assert [p.id for p in second.people] == [2]


@pytest.mark.parametrize("tracker", ["poseflow", "flow"])
def test_the_detector_and_the_initializer_run_on_every_frame(
    tracker: TrackerName, dkd_model: PoseModel
) -> None:
    one = stream(dkd_model, tracker)
    results = painted.film(one, [WALKER], rate=10, seconds=1, size=SIZE)
    assert one.detector.calls == 10
    for result in results:
        assert result.timings["initialize"] > 0 == result.timings["step"]
        assert result.timings["track"] > 0


@pytest.mark.parametrize("tracker", ["poseflow", "flow"])
def test_without_memory_a_fallen_score_changes_nothing(
    tracker: TrackerName, dkd_model: PoseModel
) -> None:
    eager = replace(dkd_model, trust=replace(dkd_model.trust, max_drop=0.0))
    usual, same = (
        painted.film(stream(model, tracker), [WALKER, OTHER], rate=15, seconds=1, size=SIZE)
        for model in (dkd_model, eager)
    )
    assert usual == same


@pytest.mark.parametrize("tracker", ["poseflow", "flow"])
def test_smoothing_changes_positions_only(tracker: TrackerName, dkd_model: PoseModel) -> None:
    calm, raw = (
        painted.film(
            stream(dkd_model, tracker, smooth=smooth), [WALKER], rate=20, seconds=1, size=SIZE
        )
        for smooth in (True, False)
    )
    for a, b in zip(calm, raw, strict=True):
        assert [(p.id, p.score, p.box) for p in a.people] == [
            (p.id, p.score, p.box) for p in b.people
        ]
    assert not np.array_equal(calm[-1].people[0].keypoints, raw[-1].people[0].keypoints)


def test_an_unknown_tracker_is_named(dkd_model: PoseModel) -> None:
    with pytest.raises(InputError, match="'sort'; there are default, poseflow, flow"):
        stream(dkd_model, "sort")  # type: ignore[arg-type]
