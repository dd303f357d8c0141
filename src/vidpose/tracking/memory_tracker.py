"""Who is who: believing poses, losing, finding again and telling people apart.

The decisions never see the picture: `advance` looks and hands over what was seen. In each frame
it calls `begin`, gives the poses found in the crops of `live` to `observe`, asks whether
`detection_is_due`, lets `plan` say where the initializer has to look, and hands the poses found
there to `settle`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vidpose.inference.boxes import grow, inside, iou, match
from vidpose.inference.crop import CropRegion, region_around
from vidpose.inference.pose import Pose
from vidpose.tracking.association import (
    MOST_UNSEEN,
    WIDEN,
    boxes_of,
    distinct,
    similarity,
)
from vidpose.tracking.base import Sighting, View
from vidpose.tracking.occlusion import settle_rivals
from vidpose.tracking.one_euro import OneEuroFilter
from vidpose.tracking.reinit_policy import TIME_SLACK, Body, Judge, Look
from vidpose.tracking.settings import SmoothingSettings, TrackerSettings
from vidpose.tracking.track import Track

IN_SIGHT = 0.2  # part of a body's box that must lie in the image


class Tracker:
    """All people of one video. `live` are followed, `lost` may come back."""

    def __init__(
        self,
        body: Body,
        settings: TrackerSettings,
        smoothing: SmoothingSettings,
        max_people: int | None,
    ) -> None:
        self.live: list[Track] = []
        self.lost: list[Track] = []
        self._body = body
        self._judge = Judge(body, settings)
        self._settings = settings
        self._smoothing = smoothing
        self._max_people = max_people
        self._next_id = 1
        self._time: float | None = None
        self._detected: float | None = None
        self._size = (0, 0)

    def advance(self, view: View, time: float) -> list[Sighting]:
        """The people of the next frame; see `PeopleTracker.advance`."""
        clock = view.clock
        with clock.stage("track"):
            recent = self.begin(time, view.size)
        if recent and self.live:
            poses = self._look_at_live(view)
            with clock.stage("track"):
                self.observe(poses, time)
        boxes = view.detect()[0] if self.detection_is_due(time) else None
        with clock.stage("track"):
            looks = self.plan(boxes, time)
        poses = view.look([look.region for look in looks])
        with clock.stage("track"):
            self.settle(looks, poses, time)
        return [Sighting(t.id, t.found, t.smoother) for t in self.live if t.found is not None]

    def begin(self, time: float, size: tuple[int, int]) -> bool:
        """Predict everybody at `time`, in an image of `size` (height, width).

        Returns whether the memory is recent enough to step with it. After a change of the
        image's size nobody is known any more.
        """
        seconds = 0.0 if self._time is None else time - self._time
        if size != self._size:
            self.live, self.lost, self._detected = [], [], None
        self._time, self._size = time, size
        self.lost = [track for track in self.lost if time - track.lost <= self._settings.grace]
        for track in self.live + self.lost:
            track.expect(time)
        for track in self.live:
            track.follow(seconds, self._body.aspect, self._body.padding)
        return seconds <= self._settings.max_gap

    def observe(self, poses: Sequence[Pose], time: float) -> None:
        """Take the poses found in the crops of `live`, one for each."""
        for track, pose in zip(self.live, poses, strict=True):
            track.found = pose
            self._judge.note_doubt(track, pose, time)

    def detection_is_due(self, time: float) -> bool:
        """Whether the detector has to look at this frame."""
        if self._detected is None:
            return True
        return time - self._detected >= self._detect_interval(time) - TIME_SLACK

    def plan(self, detections: NDArray[np.float64] | None, time: float) -> list[Look]:
        """Regions that the initializer has to look at.

        `detections`: boxes (M, 4) of people, or None when the detector did not look.
        """
        if detections is None:
            again = [self._look_again(track, None, True, time) for track in self.live]
            return self._in_turn([look for looks in again for look in looks], 1, time)
        self._detected, boxes = time, detections
        overlap = self._overlap(boxes, time)
        # A pose that jumped just now must not take the detection away from its own person.
        expected = iou(boxes_of([track.expected for track in self.live]), boxes)
        pairs = dict(match(np.maximum(overlap, expected), self._settings.match_iou))
        looks = []
        for row, track in enumerate(self.live):
            column = pairs.get(row)
            box = None if column is None else boxes[column]
            agrees = column is None or overlap[row, column] >= self._settings.agree_iou
            if column is not None:
                track.supported = time
            if self._judge.is_missed(track, time):
                looks += self._look_for_proof(track)
            else:
                looks += self._look_again(track, box, agrees, time)
        if self._room() or any(look.least is not None for look in looks):
            fresh = sorted(set(range(len(boxes))) - set(pairs.values()))
            looks += [Look(self._region(boxes[i])) for i in fresh]
        return self._in_turn(looks, 0, time)

    def settle(self, looks: Sequence[Look], poses: Sequence[Pose], time: float) -> None:
        """Decide on every track, given the poses (one for each look) of the initializer."""
        seen = list(zip(looks, poses, strict=True))
        for look, pose in seen:
            if look.track is not None:
                self._take(look.track, pose, look, time)
        self._lose([track for track in self.live if self._is_gone(track, time)], time)
        outcome = settle_rivals(self.live, time, self._body.sigmas, self._settings)
        self._lose(outcome.replaced, time)
        self.live = [track for track in self.live if track not in outcome.doubles]
        for track in self.live:
            if track.found is not None and self._judge.is_believable(track, track.found):
                track.believe(track.found, time)
        self._admit([(look, pose) for look, pose in seen if look.track is None], time)

    def _look_at_live(self, view: View) -> list[Pose]:
        regions = [track.region for track in self.live]
        if not self._body.has_memory:
            return view.look(regions)
        memory = [t.pose.kernels for t in self.live if t.pose.kernels is not None]
        return view.follow(regions, memory)

    def _detect_interval(self, time: float) -> float:
        settings = self._settings
        if not self.live or any(self._judge.is_blind(track, time) for track in self.live):
            return settings.search_interval
        calm = settings.detect_interval
        if any(track.contested for track in self.live):
            calm /= 2  # poses may slide from one person onto the other
        missing = [time - track.lost for track in self.lost if self._in_sight(track) >= 0.5]
        if not missing or not self._room():
            return calm
        # Somebody just lost is searched at once, later less and less often.
        return min(max(min(missing) / 4, settings.search_interval), calm)

    def _overlap(self, boxes: NDArray[np.float64], time: float) -> NDArray[np.float64]:
        """IoU (tracks, detections); boxes of people not found yet are widened by that time."""
        if not self.live or not len(boxes):
            return np.zeros((len(self.live), len(boxes)))
        unseen = np.array([0.0 if track.found else time - track.seen for track in self.live])
        present = boxes_of([track.present for track in self.live])
        return iou(grow(present, WIDEN * np.minimum(unseen, MOST_UNSEEN)), boxes)

    def _look_again(
        self, track: Track, box: NDArray[np.float64] | None, agrees: bool, time: float
    ) -> list[Look]:
        least = self._body.trust.min_score
        if self._judge.is_blind(track, time):
            hidden = track.contested and track.found is not None
            same = box is None and track.found is not None and not self._body.has_memory
            if hidden or same:  # it would see the person in front, or the same as just before
                return []
            if box is None:
                return [Look(track.region, track, least, detected=False)]
            return [Look(self._region(box), track, least)]
        if box is not None and not agrees:
            return [Look(self._region(box), track)]
        if self._judge.is_outdated(track, time):
            return [Look(track.region, track, detected=False)]
        return []

    def _in_turn(self, looks: Sequence[Look], room: int, time: float) -> list[Look]:
        """Without the looks that can wait, but for `room` of them, the oldest memories first.

        Otherwise people found together fall due together, in the detector's frames at that, and
        every such frame takes many times as long as the others.
        """
        waiting = [
            look.track
            for look in looks
            if look.track and look.renews and self._judge.can_wait(look.track, time)
        ]
        waiting.sort(key=lambda track: track.initialised)
        later = waiting[room:]
        return [look for look in looks if look.track not in later]

    def _look_for_proof(self, track: Track) -> list[Look]:
        """The detector sees nobody there: kernels may have slid onto the background, so the pose
        has to be as good without memory as that of somebody new."""
        least = self._body.trust.start_score
        if self._body.has_memory or track.found is None:
            return [Look(track.region, track, least, detected=False)]
        if track.found.score < least:
            track.found = None
        return []

    def _take(self, track: Track, pose: Pose, look: Look, time: float) -> None:
        """Replace the pose found by stepping with the initializer's, if that is good enough."""
        track.initialised, track.renew = time, False
        if self._judge.is_good_enough(track, pose, look):
            track.found, track.region, track.doubted = pose, look.region, None
        elif look.least is not None:
            track.found = None
        track.initial_score = track.present.score

    def _is_gone(self, track: Track, time: float) -> bool:
        return self._judge.is_blind(track, time) or self._in_sight(track) < IN_SIGHT

    def _in_sight(self, track: Track) -> float:
        """Part of the body's box that lies in the image."""
        box = track.present.box
        _, _, w, h = inside(box, self._size)
        return w * h / (box[2] * box[3])

    def _lose(self, tracks: Sequence[Track], time: float) -> None:
        for track in tracks:
            if track.contested:
                track.return_to_anchor()
            track.found, track.lost = None, time
            self.live.remove(track)
            self.lost.append(track)

    def _admit(self, fresh: Sequence[tuple[Look, Pose]], time: float) -> None:
        """Make people of new poses: lost ones again, or new ones."""
        start = self._body.trust.start_score
        good = [item for item in fresh if item[1].score >= start]
        good.sort(key=lambda item: -item[1].score)
        followed = [track.present for track in self.live]
        kept = distinct(
            [pose for _, pose in good], followed, self._body.sigmas, self._settings.duplicate_oks
        )
        back = self._recognise([good[index][1] for index in kept], time)
        for row in sorted(range(len(kept)), key=lambda row: (row not in back, row)):
            look, pose = good[kept[row]]
            if self._room() and (row in back or self._judge.is_somebody(pose, followed)):
                self._enter(back.get(row), look, pose, time)

    def _recognise(self, poses: Sequence[Pose], time: float) -> dict[int, Track]:
        """Which of the poses are lost people, by index."""
        unseen = [time - track.seen for track in self.lost]
        # Somebody out of sight has walked on, or has stopped there.
        walked, stopped = (
            similarity(poses, places, self._body.sigmas, unseen)
            for places in ([t.expected for t in self.lost], [t.pose for t in self.lost])
        )
        pairs = match(np.maximum(walked, stopped), self._settings.recover_similarity)
        return {row: self.lost[column] for row, column in pairs}

    def _enter(self, lost: Track | None, look: Look, pose: Pose, time: float) -> None:
        smoother = OneEuroFilter(self._smoothing)
        if lost is None:
            self.live.append(Track(self._next_id, time, pose, time, look.region, smoother))
            self._next_id += 1
            return
        self.lost.remove(lost)
        self.live.append(lost)
        lost.believe(pose, time)
        lost.found, lost.region, lost.smoother = pose, look.region, smoother
        lost.initialised = lost.supported = time
        lost.initial_score = pose.score
        lost.doubted = lost.doubled = None
        lost.renew = False

    def _room(self) -> bool:
        return self._max_people is None or len(self.live) < self._max_people

    def _region(self, box: NDArray[np.float64]) -> CropRegion:
        x, y, w, h = box.tolist()
        return region_around((x, y, w, h), aspect=self._body.aspect, padding=self._body.padding)
