"""The stream on painted films: who is there, where, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnx", reason="the painted networks are built with onnx")

import painted
from vidpose.errors import BundleError, InputError
from vidpose.inference import PoseModel
from vidpose.inference.pose import Pose, initialize, step
from vidpose.results import FrameResult
from vidpose.tracking import PoseStream

SIZE = (220, 400)

WALKER = painted.Actor(lambda time: (60 + 60 * time, 110), height=100, colour=100)
OTHER = painted.Actor(lambda time: (340 - 60 * time, 115), height=100, colour=220)


def stream(model: PoseModel, **options: object) -> PoseStream:
    return PoseStream(model, painted.BodyDetector(), **options)


def runs(ids: Sequence[int | None]) -> list[int | None]:
    """The ids without their repetitions."""
    return [key for key, _ in groupby(ids)]


@pytest.mark.parametrize("rate", [5, 30, 60])
@pytest.mark.parametrize("model", ["dkd_model", "frame_model"])
def test_a_walker_is_followed_at_any_rate(
    rate: int, model: str, request: pytest.FixtureRequest
) -> None:
    results = painted.film(
        stream(request.getfixturevalue(model)), [WALKER], rate=rate, seconds=4, size=SIZE
    )
    assert painted.ids_of(WALKER, results) == [1] * len(results)
    for index, result in enumerate(results):
        assert (result.index, result.time) == (index, index / rate)
        (person,) = result.people
        error = np.abs(person.keypoints[:, :2] - WALKER.keypoints(result.time))
        assert error.max() < 0.06 * WALKER.height
        assert person.score > 0.8
        x, _, w, h = person.box
        assert abs(x + w / 2 - WALKER.path(result.time)[0]) < 6
        assert 80 < h < 110


def test_a_step_expects_people_where_their_last_sure_pose_takes_them(
    dkd_model: PoseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[NDArray[np.float32], float]] = []
    scores = iter([0.9, 0.9, 0.3, 0.9])

    def watched(*arguments: Any) -> list[Pose]:
        (expected,) = arguments[-1]
        given.append((expected.keypoints[:, :2], expected.seconds))
        return [replace(pose, score=next(scores)) for pose in step(*arguments)]

    monkeypatch.setattr("vidpose.tracking.base.step", watched)
    painted.film(stream(dkd_model), [WALKER], rate=10, seconds=0.5, size=SIZE)
    assert [seconds for _, seconds in given] == pytest.approx([0.1, 0.1, 0.1, 0.2])
    for number, (keypoints, _) in enumerate(given, 1):
        assert np.abs(keypoints - WALKER.keypoints(number / 10)).max() < 7  # 12 behind otherwise


def test_a_network_without_memory_expects_people_too(
    frame_model: PoseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []

    def watched(*arguments: Any) -> list[Pose]:
        given.extend(each.seconds for each in arguments[-1] or [])
        return initialize(*arguments)

    monkeypatch.setattr("vidpose.tracking.base.initialize", watched)
    painted.film(stream(frame_model), [WALKER], rate=10, seconds=0.4, size=SIZE)
    assert given == pytest.approx([0.1, 0.1, 0.1])


def test_people_come_and_go_with_ids_that_never_return(dkd_model: PoseModel) -> None:
    """Three people, one after the other, each gone for longer than the grace time."""
    actors = [
        painted.Actor(
            lambda time, k=k: (60.0 + 90 * k, 110) if 4 * k <= time < 4 * k + 1.5 else None
        )
        for k in range(3)
    ]
    results = painted.film(stream(dkd_model), actors, rate=20, seconds=11, size=SIZE)
    for number, actor in enumerate(actors, 1):
        ids = painted.ids_of(actor, results)
        present = [id for id, result in zip(ids, results, strict=True) if actor.path(result.time)]
        assert set(present[2:]) == {number}  # found within 0.1 s
    for result in results:
        there = sum(actor.path(result.time - 0.15) is not None for actor in actors)
        assert len(result.people) <= max(
            there, sum(a.path(result.time) is not None for a in actors)
        )


def test_no_people_is_a_result_too(dkd_model: PoseModel) -> None:
    results = painted.film(stream(dkd_model), [], rate=10, seconds=1, size=SIZE)
    assert [result.people for result in results] == [()] * 10
    assert [result.index for result in results] == list(range(10))


@pytest.mark.parametrize("rate", [10, 30])
def test_people_who_cross_keep_their_ids(rate: int, dkd_model: PoseModel) -> None:
    """The one in front all the time; the one behind before and after."""
    results = painted.film(stream(dkd_model), [WALKER, OTHER], rate=rate, seconds=4.5, size=SIZE)
    front, behind = painted.ids_of(OTHER, results), painted.ids_of(WALKER, results)
    assert len({*front}) == 1
    assert behind[0] == behind[-1] != front[0]
    apart = [abs(WALKER.path(r.time)[0] - OTHER.path(r.time)[0]) > 75 for r in results]
    assert {id for id, far in zip(behind, apart, strict=True) if far} == {behind[0]}


def test_motion_alone_tells_people_apart_who_look_the_same(frame_model: PoseModel) -> None:
    """No memory and the same colours: only the way of walking is left."""
    twins = [
        painted.Actor(actor.path, height=100, colour=colour)
        for actor, colour in ((WALKER, 128), (OTHER, 129))
    ]
    results = painted.film(stream(frame_model), twins, rate=30, seconds=4.5, size=SIZE)
    ids = [painted.ids_of(twin, results) for twin in twins]
    assert ids[0][0] != ids[1][0]
    assert [run[-1] for run in ids] == [run[0] for run in ids]


def test_a_person_hidden_for_a_second_is_the_same_person(dkd_model: PoseModel) -> None:
    blink = painted.Actor(lambda time: None if 1.5 <= time < 2.5 else (60 + 60 * time, 110))
    results = painted.film(stream(dkd_model), [blink], rate=30, seconds=4, size=SIZE)
    ids = painted.ids_of(blink, results)
    assert runs(ids) == [1, None, 1]
    back = ids[75:]
    assert back.index(1) <= 8  # seen again after 0.25 s at most


def test_a_person_gone_for_long_is_a_new_person(dkd_model: PoseModel) -> None:
    blink = painted.Actor(lambda time: None if 1 <= time < 4 else (200, 110))
    results = painted.film(stream(dkd_model), [blink], rate=15, seconds=5, size=SIZE)
    assert runs(painted.ids_of(blink, results)) == [1, None, 2]


def test_a_gap_in_time_is_bridged(dkd_model: PoseModel) -> None:
    """Frames are missing for 1.2 s, in which the person has walked on by 72 pixels."""
    one = stream(dkd_model)
    times = [index / 30 for index in range(60)] + [3.2 + index / 30 for index in range(30)]
    results = [one.step(painted.paint([WALKER], time, SIZE), time) for time in times]
    assert painted.ids_of(WALKER, results) == [1] * 90


def test_two_streams_never_meet(dkd_model: PoseModel) -> None:
    """Frame by frame in turn gives, bit for bit, what one after the other gives."""
    films = [[WALKER, OTHER], [OTHER]]
    alone = [
        painted.film(stream(dkd_model), actors, rate=15, seconds=3, size=SIZE) for actors in films
    ]
    streams = [stream(dkd_model), stream(dkd_model)]
    turns: list[list[FrameResult]] = [[], []]
    for index in range(45):
        for results, one, actors in zip(turns, streams, films, strict=True):
            results.append(one.step(painted.paint(actors, index / 15, SIZE), index / 15))
    assert turns == alone


def test_initialisations_for_a_falling_score_do_not_meet_either(dkd_model: PoseModel) -> None:
    """The painted step is less sure than the initializer, so `max_drop` asks for it."""
    eager = replace(dkd_model, trust=replace(dkd_model.trust, max_drop=0.0))
    counts = []
    for model in (dkd_model, eager):
        films = [[WALKER], [WALKER, OTHER]]
        alone = [
            painted.film(stream(model), actors, rate=15, seconds=2, size=SIZE) for actors in films
        ]
        streams = [stream(model), stream(model)]
        for index in range(30):
            for results, one, actors in zip(alone, streams, films, strict=True):
                result = one.step(painted.paint(actors, index / 15, SIZE), index / 15)
                assert result == results[index]
        counts.append(sum(result.timings["initialize"] > 0 for result in alone[0]))
        assert painted.ids_of(WALKER, alone[0]) == [1] * 30
    assert counts[1] > counts[0] == 1


def test_reset_makes_a_new_stream(dkd_model: PoseModel) -> None:
    used = stream(dkd_model)
    painted.film(used, [OTHER, WALKER], rate=15, seconds=2, size=SIZE)
    used.reset()
    again = painted.film(used, [WALKER], rate=15, seconds=2, size=SIZE)
    assert again == painted.film(stream(dkd_model), [WALKER], rate=15, seconds=2, size=SIZE)


def test_smoothing_changes_positions_only(dkd_model: PoseModel) -> None:
    results = {
        smooth: painted.film(
            stream(dkd_model, smooth=smooth), [WALKER, OTHER], rate=30, seconds=3, size=SIZE
        )
        for smooth in (True, False)
    }
    for calm, raw in zip(results[True], results[False], strict=True):
        for a, b in zip(calm.people, raw.people, strict=True):
            assert (a.id, a.score, a.box) == (b.id, b.score, b.box)
            assert np.array_equal(a.keypoints[:, 2], b.keypoints[:, 2])
    still = painted.Actor(lambda time: (200 + (int(time * 30) % 2), 110))
    jitter = {
        smooth: np.diff([r.people[0].keypoints[:, 0] for r in film], axis=0)
        for smooth, film in (
            (
                smooth,
                painted.film(
                    stream(dkd_model, smooth=smooth), [still], rate=30, seconds=2, size=SIZE
                ),
            )
            for smooth in (True, False)
        )
    }
    assert np.abs(jitter[True]).mean() < 0.6 * np.abs(jitter[False]).mean()


def test_a_detection_without_a_person_is_not_reported(dkd_model: PoseModel) -> None:
    """A blue wall, which the detector takes for a body, has no keypoints."""
    image = np.zeros((*SIZE, 3), np.uint8)
    image[50:150, 100:150, 2] = 200
    one = stream(dkd_model)
    assert all(not one.step(image, index / 30).people for index in range(60))


@pytest.mark.parametrize("rate", [10, 30, 60])
def test_the_detector_runs_by_time_and_not_by_frame(rate: int, dkd_model: PoseModel) -> None:
    one = stream(dkd_model)
    painted.film(one, [WALKER], rate=rate, seconds=4, size=SIZE)
    assert one.detector.calls == 8  # at 0, 0.5, ... 3.5 s


def test_the_detector_runs_often_while_no_person_is_there(dkd_model: PoseModel) -> None:
    one = stream(dkd_model)
    painted.film(one, [], rate=60, seconds=2, size=SIZE)
    assert 18 <= one.detector.calls <= 21


def test_no_more_people_than_asked_for(dkd_model: PoseModel) -> None:
    actors = [
        painted.Actor(lambda time, x=x: (x, 110), height=90 + x / 20, colour=60 + x // 2)
        for x in (60, 200, 340)
    ]
    results = painted.film(stream(dkd_model, max_people=2), actors, rate=10, seconds=2, size=SIZE)
    assert [len(result.people) for result in results] == [2] * 20
    assert {p.id for r in results for p in r.people} == {1, 2}
    with pytest.raises(InputError, match="max_people"):
        stream(dkd_model, max_people=0)


def test_a_new_image_size_starts_with_new_people(dkd_model: PoseModel) -> None:
    one = stream(dkd_model)
    first = painted.film(one, [WALKER], rate=10, seconds=1, size=SIZE)
    image = painted.paint([WALKER], 1.0, (300, 500))
    second = one.step(image, 1.0)
    assert [p.id for p in first[-1].people] == [1]
    assert [p.id for p in second.people] == [2]


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((20, 30), np.uint8),
        np.zeros((20, 30, 4), np.uint8),
        np.zeros((20, 30, 1), np.uint8),
        np.zeros((20, 30, 3), np.float32),
        np.zeros((0, 30, 3), np.uint8),
        np.zeros((2, 20, 30, 3), np.uint8),
        [[1, 2, 3]],
        None,
    ],
    ids=str,
)
def test_what_is_no_rgb_image_is_refused(image: object, dkd_model: PoseModel) -> None:
    one = stream(dkd_model)
    with pytest.raises(InputError, match="an image is") as caught:
        one.step(image, 0.0)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert one.step(painted.paint([WALKER], 0, SIZE), 0.0).index == 0  # nothing was spoilt


@pytest.mark.parametrize("time", [0.9, float("nan"), float("inf"), -5.0])
def test_time_must_not_go_back(time: float, dkd_model: PoseModel) -> None:
    one = stream(dkd_model)
    image = painted.paint([WALKER], 0, SIZE)
    one.step(image, 1.0)
    with pytest.raises(InputError, match="time"):
        one.step(image, time)
    assert one.step(image, 1.0).people  # the same time twice is allowed


@pytest.mark.parametrize("time", [None, "0.5", np.nan, True])
def test_a_time_that_is_none_is_said(time: object, dkd_model: PoseModel) -> None:
    one = stream(dkd_model)
    with pytest.raises(InputError, match="frame 0: time must be a number of seconds, got"):
        one.step(painted.paint([WALKER], 0, SIZE), time)  # type: ignore[arg-type]


def test_models_and_detectors_go_by_name_too() -> None:
    one = PoseStream("dkd-lite-int8", "finder")
    assert one.model.name == "dkd-lite-int8"
    assert not one.step(painted.paint([], 0, SIZE), np.float32(0)).people
    with pytest.raises(BundleError, match="nobody"):
        PoseStream("nobody")
    with pytest.raises(InputError, match="a model is a PoseModel or a name, got int"):
        PoseStream(3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a detector has a method 'detect', int has none"):
        PoseStream("dkd-lite-int8", 3)  # type: ignore[arg-type]


def test_views_of_images_give_the_same(dkd_model: PoseModel) -> None:
    """A BGR picture turned round by slicing has negative strides."""
    image = painted.paint([WALKER], 1, SIZE)
    turned: NDArray[np.uint8] = np.ascontiguousarray(image[:, :, ::-1])[:, :, ::-1]
    assert stream(dkd_model).step(turned, 0.0) == stream(dkd_model).step(image, 0.0)


def test_every_stage_has_its_milliseconds(dkd_model: PoseModel) -> None:
    results = painted.film(stream(dkd_model), [WALKER], rate=10, seconds=0.3, size=SIZE)
    for result in results:
        assert set(result.timings) == {
            "detect", "crop", "initialize", "step", "decode", "track", "smooth",
        }  # fmt: skip
    first, second = results[:2]
    assert first.timings["detect"] > 0 < first.timings["initialize"]
    assert second.timings["detect"] == second.timings["initialize"] == 0 < second.timings["step"]


def test_the_shipped_detector_is_used_or_asked_for(
    dkd_model: PoseModel, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    empty = tmp_path_factory.mktemp("assets")
    monkeypatch.setattr("vidpose.bundle.file._assets", lambda: empty)
    with pytest.raises(BundleError, match="'finder' is not at hand"):
        PoseStream(dkd_model)
