"""Decisions about people, with poses made by hand instead of pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from driven import SIZE, World, new_track, pose, turned

from vidpose.inference.crop import region_around
from vidpose.inference.pose import Expected, Pose
from vidpose.tracking.memory_tracker import MemoryTracker
from vidpose.tracking.reinit_policy import TURN


def test_a_weak_pose_is_no_person_and_a_good_one_is() -> None:
    world = World()
    assert world.frame(0.0, seen=[pose(100, score=0.35)]) == {}
    assert list(world.frame(0.2, seen=[pose(100, score=0.45)])) == [1]


def test_a_low_score_is_tolerated_then_initialised_anew_then_lost() -> None:
    world = World()
    world.frame(0.0, seen=[pose(100)])
    inits = world.inits
    assert list(world.frame(0.04, {1: pose(100, score=0.25)})) == [1]
    assert world.inits == inits  # below trust for a moment only
    again = world.frame(0.16, {1: pose(100, score=0.25)}, seen=[pose(104)])
    assert again[1].keypoints[0, 0] == pytest.approx(154.0)  # the initializer's pose
    assert world.inits > inits
    world.frame(0.2, {1: pose(100, score=0.05)})
    assert world.tracker.live == []
    assert [track.id for track in world.tracker.lost] == [1]


def test_a_lost_person_comes_back_where_the_motion_leads() -> None:
    """Two people are lost; each gets the own id back though both have moved."""
    world = World()
    for index in range(20):
        time = index / 20
        walkers = [pose(60 + 100 * time), pose(520 - 100 * time)]
        world.frame(time, dict(enumerate(walkers, 1)), seen=walkers)
    world.frame(1.0, {1: pose(0, score=0.0), 2: pose(0, score=0.0)})
    assert world.tracker.live == []
    back = [pose(370.0), pose(210.0)]
    people = world.frame(1.5, seen=back)
    assert {id: round(p.keypoints[0, 0] - 50) for id, p in people.items()} == {1: 210, 2: 370}


@pytest.mark.parametrize("rate", [10, 30])
def test_of_two_tracks_on_one_person_the_one_that_jumped_goes(rate: int) -> None:
    world = World()
    left, right = pose(100), pose(180)
    for index in range(rate):
        world.frame(index / rate, {1: left, 2: right}, seen=[left, right])
    assert len(world.tracker.live) == 2
    for index in range(rate, rate + rate // 2):
        people = world.frame(index / rate, {1: right, 2: right}, seen=[right])
        assert 1 not in people  # hidden at once, before it is lost
        assert people[2].keypoints[0, 0] == pytest.approx(right.keypoints[0, 0])
    assert [track.id for track in world.tracker.live] == [2]
    (lost,) = world.tracker.lost
    assert lost.pose.keypoints[0, 0] == pytest.approx(left.keypoints[0, 0], abs=2)
    back = [world.frame(1.5 + index / 20, {2: right}, seen=[left, right]) for index in range(6)]
    assert sorted(back[-1]) == [1, 2]


def test_a_new_track_that_duplicates_another_is_a_false_positive() -> None:
    world = World(duplicate_oks=0.9)
    person = pose(100)
    for index in range(40):
        world.frame(index / 20, {1: person}, seen=[person])
    world.frame(2.0, {1: person}, seen=[person, pose(112)])
    assert len(world.tracker.live) == 2
    for index in range(1, 10):
        world.frame(2.0 + index / 20, {1: person, 2: person}, seen=[person])
    assert [track.id for track in world.tracker.live] == [1]
    assert world.tracker.lost == []


def test_a_second_box_of_a_person_found_turned_round_starts_no_track() -> None:
    """The detector's second box lies aside; the step has left and right exchanged."""
    world, person = World(), pose(100)
    world.frame(0.0, seen=[person])
    aside = pose(160)
    for index in range(1, 15):
        world.frame(
            index / 20, {1: turned(person)}, seen=[person], detected=[turned(person), aside]
        )
    assert [track.id for track in world.tracker.live] == [1]


def test_a_keypoint_that_jumped_onto_the_other_is_hidden() -> None:
    """The hidden arm of the one behind is found at the arm of the one in front."""
    world = World()
    behind, front = pose(100), pose(160)
    for index in range(10):
        world.frame(index / 20, {1: behind, 2: front}, seen=[behind, front])
    wrong = Pose.of(behind.keypoints.copy(), np.ones((17, 1, 1, 1), np.float32))
    wrong.keypoints[9, :2] = front.keypoints[9, :2]
    people = world.frame(0.5, {1: wrong, 2: front}, seen=[behind, front])
    confidence = people[1].keypoints[:, 2]
    assert confidence[9] == 0.0
    assert np.delete(confidence, 9).min() > 0.8
    memory = world.tracker.live[0].pose.kernels
    assert memory is not None
    assert memory[9].item() == 0.0  # the kernel of the frame before
    assert memory[8].item() == 1.0
    assert people[2].keypoints[:, 2].min() > 0.8


def test_a_look_that_is_taken_is_looked_back_at() -> None:
    """The initializer's kernels, also of a person who was lost and is found again."""
    world, person = World(max_age=1.0), pose(100)
    looked = [Pose.of(person.keypoints, np.full((17, 1, 1, 1), n, np.float32)) for n in range(3)]
    for index in range(80):
        world.frame(index / 20, {1: person}, seen=[looked[0 if index < 20 else 1]])
    (track,) = world.tracker.live
    assert track.look is looked[1].kernels
    gone = pose(100, score=0.05)
    for index in range(80, 100):
        world.frame(index / 20, {1: gone})
    assert not world.tracker.live
    for index in range(100, 110):
        world.frame(index / 20, {1: person}, seen=[looked[2]])
    (track,) = world.tracker.live
    assert track.id == 1
    assert track.look is looked[2].kernels


def test_the_step_gets_the_memory_of_the_track_and_its_place() -> None:
    world = World()
    world.frame(0.0, seen=[pose(100)])
    (track,) = world.tracker.live
    track.look = np.full((17, 1, 1, 1), 8.0, np.float32)
    given: list[np.ndarray] = []
    places: list[Expected] = []

    class Frame:
        @staticmethod
        def step(
            regions: list[object], memory: list[np.ndarray], expected: list[Expected]
        ) -> list[Pose]:
            given.extend(memory)
            places.extend(expected)
            return [pose(100) for _ in regions]

    track.velocity = np.array([40.0, 0.0])
    world.tracker.predict(0.2, SIZE)
    world.tracker._estimate_live(Frame(), 0.2)  # type: ignore[arg-type]
    assert [float(memory.mean()) for memory in given] == pytest.approx([2.0])
    (place,) = places
    assert place.seconds == pytest.approx(0.2)
    assert place.keypoints[:, 0] - pose(100).keypoints[:, 0] == pytest.approx(8.0, rel=0.1)


def test_a_network_without_memory_gets_the_place_too() -> None:
    world = World(memory=False)
    world.frame(0.0, seen=[pose(100)])
    given: list[Expected] = []

    class Frame:
        @staticmethod
        def initialize(regions: list[object], expected: list[Expected]) -> list[Pose]:
            given.extend(expected)
            return [pose(100) for _ in regions]

    world.tracker.predict(0.2, SIZE)
    world.tracker._estimate_live(Frame(), 0.2)  # type: ignore[arg-type]
    (place,) = given
    assert place.seconds == pytest.approx(0.2)
    np.testing.assert_array_equal(place.keypoints, pose(100).keypoints)


def test_one_detection_serves_one_person() -> None:
    """Two people stand close and the detector sees them as one: no person is added or lost."""
    world = World()
    left, right = pose(100), pose(170)
    world.frame(0.0, seen=[left, right])
    for index in range(1, 40):
        people = world.frame(
            index / 20, {1: left, 2: right}, seen=[left, right], detected=[pose(135)]
        )
        assert sorted(people) == [1, 2]


def test_kernels_that_slid_onto_the_background_are_detected() -> None:
    """The steps are sure of themselves, but neither detector nor initializer finds a person."""
    world = World()
    world.frame(0.0, seen=[pose(100)])
    for index in range(1, 12):
        world.frame(index / 20, {1: pose(100)})
    assert world.tracker.live == []


def test_a_person_missed_by_the_detector_only_stays() -> None:
    world = World()
    world.frame(0.0, seen=[pose(100)])
    for index in range(1, 100):
        people = world.frame(index / 20, {1: pose(100)}, seen=[pose(100)], detected=[])
        assert list(people) == [1]


@pytest.mark.parametrize(("score", "people"), [(0.6, 1), (0.9, 2)])
def test_a_part_of_a_body_is_no_person_unless_the_pose_is_sure(score: float, people: int) -> None:
    """A small box within a followed person's: a leg, or a person far behind."""
    world = World()
    large, small = pose(100, height=300), pose(160, y=250, height=80, score=score)
    world.frame(0.0, seen=[large])
    for index in range(1, 20):
        world.frame(index / 20, {1: large, 2: small}, seen=[large, small])
    assert len(world.tracker.live) == people


@pytest.mark.parametrize(("score", "people"), [(0.6, 1), (0.8, 2)])
def test_a_part_found_with_the_whole_body_is_no_person_unless_it_is_sure(
    score: float, people: int
) -> None:
    """Both are new in the first frame; the body has the better pose."""
    world = World()
    body, part = pose(100, height=300), pose(160, y=150, height=150, score=score)
    assert len(world.frame(0.0, seen=[part, body])) == people


def test_who_enters_the_picture_and_is_lost_for_a_moment_keeps_the_id() -> None:
    """First there is a head at the picture's border, then most of a body; no keypoint lies where
    it was."""
    world = World()
    head, body = pose(10, y=100, height=40), pose(-20, y=60, height=200)
    assert list(world.frame(0.0, seen=[head])) == [1]
    assert world.frame(0.1, {1: replace(head, score=0.0)}) == {}
    assert list(world.frame(0.3, seen=[body])) == [1]


def test_who_stands_elsewhere_is_another() -> None:
    world = World()
    assert list(world.frame(0.0, seen=[pose(10, y=100, height=40)])) == [1]
    world.frame(0.1, {1: pose(10, y=100, height=40, score=0.0)})
    assert list(world.frame(0.3, seen=[pose(60, y=60, height=200)])) == [2]


def tucked(x: float, y: float) -> Pose:
    """Somebody 40 px high whose keypoints are where no standing person has them."""
    upside_down = pose(x, y, height=40)
    return Pose.of(upside_down.keypoints[::-1].copy(), upside_down.kernels)


@pytest.mark.parametrize(("distance", "people"), [(100, [1]), (250, [2])])
def test_who_unfolds_nearby_just_after_a_loss_is_the_same(
    distance: float, people: list[int]
) -> None:
    """A body's length counts, not the last box's: the body was 200 px long before it folded."""
    world, ball = World(), tucked(100, 180)
    world.frame(0.0, seen=[pose(100)])
    world.frame(0.1, {1: ball}, seen=[ball])
    world.frame(0.2, {1: replace(ball, score=0.0)})
    unfolded = pose(100 + distance)
    assert list(world.frame(0.4, seen=[unfolded])) == people


def test_who_unfolds_nearby_long_after_a_loss_is_another() -> None:
    world, ball = World(), tucked(100, 180)
    world.frame(0.0, seen=[pose(100)])
    world.frame(0.1, {1: ball}, seen=[ball])
    world.frame(0.2, {1: replace(ball, score=0.0)})
    world.frame(0.6)
    assert list(world.frame(0.7, seen=[pose(200)])) == [2]


def test_a_person_who_has_left_the_picture_is_lost() -> None:
    world = World()
    for index in range(30):
        x = 500 + 10.0 * index
        world.frame(index / 20, {1: pose(x)}, seen=[pose(x)] if x < 600 else [])
    assert world.tracker.live == []


def test_ids_are_counted_up_whatever_happens() -> None:
    world = World(grace=0.1)
    ids = []
    for index in range(5):
        ids += list(world.frame(index * 2.0, seen=[pose(100)]))
        world.frame(index * 2.0 + 0.1, {index + 1: pose(100, score=0.0)})
    assert ids == [1, 2, 3, 4, 5]


def test_a_drifting_pose_is_not_trusted() -> None:
    """The pose wanders out of its crop with full confidence."""
    world = World()
    world.frame(0.0, seen=[pose(100)])
    people = world.frame(0.1, {1: pose(180)}, seen=[pose(100)])
    people = world.frame(0.2, {1: pose(180)}, seen=[pose(100)])
    assert people[1].keypoints[0, 0] == pytest.approx(150.0, abs=1)


def test_memory_is_made_anew_with_age() -> None:
    for memory, expected in ((True, 3), (False, 0)):
        world = World(memory=memory, max_age=1.0)
        world.frame(0.0, seen=[pose(100)])
        start = world.inits
        for index in range(1, 100):
            world.frame(index / 30, {1: pose(100)}, seen=[pose(100)])
        assert world.inits - start == expected


@pytest.mark.parametrize(("rate", "most"), [(30, 1), (5, 4)])
def test_memories_are_made_anew_in_turn(rate: int, most: int) -> None:
    """Four people found together: at 30 frames/s each has a frame of its own, without the
    detector; at 5 frames/s no memory may wait that long."""
    world = World(max_age=1.0)
    people = {number + 1: pose(20.0 + 150 * number) for number in range(4)}
    world.frame(0.0, seen=list(people.values()))
    counts = []
    for index in range(1, 3 * rate):
        before = world.inits
        world.frame(index / rate, people, seen=list(people.values()))
        counts.append(world.inits - before)
        if rate == 30 and index % (rate // 2) == 0:  # the detector's frames
            assert counts[-1] == 0
        for track in world.tracker.live:
            assert index / rate - track.init_time < 1.0 + TURN
    assert max(counts) <= most
    assert sum(counts) == 8


def due(tracker: MemoryTracker, last: float) -> float:
    """Seconds after the last detection, at `last`, in which the next one is due."""
    steps = range(1, 1000)
    return next(step / 1000 for step in steps if tracker.detection_is_due(last + step / 1000))


def test_how_often_the_detector_runs() -> None:
    """Every 0.5 s, half as long among people who overlap, 0.1 s while no pose is trusted; after a
    loss after a quarter of the time since it, while the person would be in the picture."""
    world = World()
    assert world.tracker.detection_is_due(0.0)
    world.frame(0.0, seen=[])
    assert due(world.tracker, 0.0) == pytest.approx(0.1, abs=0.002)
    world.frame(0.2, seen=[pose(100), pose(400)])
    assert due(world.tracker, 0.2) == pytest.approx(0.5, abs=0.002)
    left, right = world.tracker.live
    left.overlapping = True
    assert due(world.tracker, 0.2) == pytest.approx(0.25, abs=0.002)
    left.overlapping = False
    right.observed = None
    assert due(world.tracker, 0.2) == pytest.approx(0.1, abs=0.002)
    right.observed = pose(400)
    world.tracker._mark_lost([right], 0.2)
    assert due(world.tracker, 0.2) == pytest.approx(0.1, abs=0.002)
    right.lost_time = -1.0  # a second and a fifth before
    assert due(world.tracker, 0.2) == pytest.approx(0.4, abs=0.002)
    right.predicted = pose(-60)  # half of the box is outside at the left
    assert due(world.tracker, 0.2) == pytest.approx(0.5, abs=0.002)


def test_no_more_detections_for_the_lost_where_no_person_can_be_added() -> None:
    world = World(max_people=1)
    world.frame(0.0, seen=[pose(100), pose(400)])
    world.tracker.lost.append(new_track(400, id=9))
    assert due(world.tracker, 0.0) == pytest.approx(0.5, abs=0.002)


def test_what_the_initializer_is_asked_for() -> None:
    """A detection without a track; one that disagrees with its track's pose; a track without a
    trusted pose, in the detection's place or its own."""
    world = World()
    tracker = world.tracker
    world.frame(0.0, seen=[pose(100), pose(400)])
    tracker.predict(0.5, SIZE)
    tracker.update([pose(100), pose(400)], 0.5)
    boxes = np.array([pose(140).box, pose(400).box, pose(250).box])
    first, new = tracker.plan_reinit(boxes, 0.5)
    assert (first.track, first.min_score, first.detected) == (tracker.live[0], None, True)
    assert first.region == region_around(pose(140).box)
    assert (new.track, new.region) == (None, region_around(pose(250).box))
    tracker.update([pose(100, score=0.1), pose(400, score=0.1)], 0.5)
    tracker.live[1].detected_time = 0.0  # not seen since
    rescue, own = tracker.plan_reinit(boxes[:1], 0.5)
    assert (rescue.min_score, rescue.detected) == (0.3, True)
    assert rescue.region == region_around(pose(140).box)
    assert (own.track, own.min_score, own.detected) == (tracker.live[1], 0.4, False)
    (left, right) = tracker.plan_reinit(None, 0.5)
    assert (left.region, left.min_score, left.detected) == (tracker.live[0].region, 0.3, False)
    assert right.track is tracker.live[1]


@pytest.mark.parametrize(("x", "lost"), [(555, False), (575, True)])
def test_a_body_must_lie_in_the_image_to_a_fifth(x: float, lost: bool) -> None:
    """Of a box 112 px wide, from x - 1.5 on, in an image 640 px wide."""
    world = World()
    world.frame(0.0, seen=[pose(500)])
    track = world.tracker.live[0]
    track.observed = pose(x + 60)
    assert world.tracker._is_gone(track, 0.0) is (world.tracker._visible_fraction(track) < 0.2)
    assert world.tracker._is_gone(track, 0.0) is lost


def test_a_person_found_again_starts_with_a_fresh_filter_and_memory() -> None:
    world = World()
    world.frame(0.0, seen=[pose(100)])
    track = world.tracker.live[0]
    smoother = track.smoother
    track.duplicate_since, track.memory_mixed = 0.0, True
    world.frame(0.1, {1: pose(0, score=0.0)})
    assert world.tracker.live == []
    assert (track.lost_time, track.observed) == (0.1, None)
    world.frame(0.6, seen=[pose(104, score=0.7)])
    assert world.tracker.live == [track]
    assert world.tracker.lost == []
    assert track.smoother is not smoother
    times = (track.init_time, track.detected_time, track.pose_time)
    assert times == (0.6, 0.6, 0.6)
    assert track.init_score == pytest.approx(0.7)
    assert track.low_score_since is track.duplicate_since is None
    assert not track.memory_mixed


def test_the_lost_are_forgotten_after_the_grace_time() -> None:
    world = World()
    world.tracker.predict(0.0, SIZE)
    world.tracker.lost = [new_track(100)]
    world.tracker.predict(2.0, SIZE)
    assert len(world.tracker.lost) == 1
    world.tracker.predict(2.01, SIZE)
    assert world.tracker.lost == []


def test_after_a_gap_the_memory_is_not_used() -> None:
    world = World()
    assert world.tracker.predict(0.0, SIZE)
    assert world.tracker.predict(0.5, SIZE)
    assert not world.tracker.predict(1.01, SIZE)
