"""The default tracker: follows people with the model's memory, loses and finds them again.

The decisions never see the picture: `advance` runs the networks and passes on what they found. In
each frame it calls `predict`, gives the poses found in the crops of `live` to `update`, asks
whether `detection_is_due`, lets `plan_reinit` say in which regions the initializer has to run, and
hands the poses found there to `apply_reinit`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from vidpose.inference.boxes import Boxes, grow, inside, iou, match
from vidpose.inference.pose import Expected, Pose
from vidpose.tracking.association import (
    MOST_UNSEEN,
    WIDEN,
    boxes_of,
    reidentify,
    without_duplicates,
)
from vidpose.tracking.base import FrameInference, TrackedPose, TrackerSetup
from vidpose.tracking.occlusion import resolve_occlusions
from vidpose.tracking.one_euro import OneEuroFilter
from vidpose.tracking.reinit_policy import TIME_SLACK, ReinitPolicy, ReinitRequest
from vidpose.tracking.track import Track

MIN_VISIBLE = 0.2  # part of a body's box that must lie in the image


class MemoryTracker:
    """All people of one video. `live` are tracked, `lost` may come back."""

    def __init__(self, setup: TrackerSetup) -> None:
        self.live: list[Track] = []
        self.lost: list[Track] = []
        self._traits, self._settings = setup.traits, setup.settings
        self._policy = ReinitPolicy(setup.traits, setup.settings)
        self._smoothing = setup.smoothing
        self._max_people = setup.max_people
        self._next_id = 1
        self._time: float | None = None
        self._detected: float | None = None
        self._size = (0, 0)

    def advance(self, frame: FrameInference, time: float) -> list[TrackedPose]:
        """The people of the next frame; see `PeopleTracker.advance`."""
        timer = frame.timer
        with timer.stage("track"):
            recent = self.predict(time, frame.size)
        if recent and self.live:
            poses = self._estimate_live(frame, time)
            with timer.stage("track"):
                self.update(poses, time)
        boxes = frame.detect()[0] if self.detection_is_due(time) else None
        with timer.stage("track"):
            requests = self.plan_reinit(boxes, time)
        poses = frame.initialize([request.region for request in requests])
        with timer.stage("track"):
            self.apply_reinit(requests, poses, time)
        return [
            TrackedPose(t.id, t.observed, t.smoother) for t in self.live if t.observed is not None
        ]

    def predict(self, time: float, size: tuple[int, int]) -> bool:
        """Predict all tracks at `time`, in an image of `size` (height, width).

        Returns whether the memory is recent enough to step with it. After a change of the
        image's size no track is kept.
        """
        seconds = 0.0 if self._time is None else time - self._time
        if size != self._size:
            self.live, self.lost, self._detected = [], [], None
        self._time, self._size = time, size
        self.lost = [track for track in self.lost if time - track.lost_time <= self._settings.grace]
        for track in self.live + self.lost:
            track.predict(time)
        for track in self.live:
            track.move_crop(seconds, self._traits.aspect, self._traits.padding)
        return seconds <= self._settings.max_gap

    def update(self, poses: Sequence[Pose], time: float) -> None:
        """Take the poses found in the crops of `live`, one for each."""
        for track, pose in zip(self.live, poses, strict=True):
            track.observed = pose
            self._policy.update_confidence(track, pose, time)

    def detection_is_due(self, time: float) -> bool:
        """Whether the detector has to run on this frame."""
        if self._detected is None:
            return True
        return time - self._detected >= self._detect_interval(time) - TIME_SLACK

    def plan_reinit(self, detections: Boxes | None, time: float) -> list[ReinitRequest]:
        """Regions in which the initializer has to run.

        `detections`: boxes (M, 4) of people, or None when the detector did not run.
        """
        if detections is None:
            lists = [self._reinit_requests(track, None, True, time) for track in self.live]
            return self._defer_refreshes(list(chain.from_iterable(lists)), 1, time)
        self._detected, boxes = time, detections
        overlap = self._overlap(boxes, time)
        # A pose that jumped just now must not take the detection away from its own track.
        predicted = iou(boxes_of([track.predicted for track in self.live]), boxes)
        pairs = dict(match(np.maximum(overlap, predicted), self._settings.match_iou))
        requests = []
        for row, track in enumerate(self.live):
            column = pairs.get(row)
            box = None if column is None else boxes[column]
            agrees = column is None or overlap[row, column] >= self._settings.agree_iou
            if column is not None:
                track.detected_time = time
            if self._policy.is_undetected(track, time):
                requests += self._verify(track)
            else:
                requests += self._reinit_requests(track, box, agrees, time)
        if self._has_capacity() or any(request.min_score is not None for request in requests):
            unmatched = sorted(set(range(len(boxes))) - set(pairs.values()))
            requests += [ReinitRequest(self._traits.region(boxes[i])) for i in unmatched]
        return self._defer_refreshes(requests, 0, time)

    def apply_reinit(
        self, requests: Sequence[ReinitRequest], poses: Sequence[Pose], time: float
    ) -> None:
        """Decide on every track, given the poses (one for each request) of the initializer."""
        found = list(zip(requests, poses, strict=True))
        for request, pose in found:
            if request.track is not None:
                self._apply(request.track, pose, request, time)
        self._mark_lost([track for track in self.live if self._is_gone(track, time)], time)
        result = resolve_occlusions(self.live, time, self._traits.sigmas, self._settings)
        self._mark_lost(result.lost, time)
        self.live = [track for track in self.live if track not in result.false_positives]
        for track in self.live:
            if track.observed is not None and self._policy.is_confident(track, track.observed):
                track.update(track.observed, time)
        self._start_tracks(
            [(request, pose) for request, pose in found if request.track is None], time
        )

    def _estimate_live(self, frame: FrameInference, time: float) -> list[Pose]:
        regions = [track.region for track in self.live]
        expected = [Expected(t.predicted.keypoints, time - t.pose_time) for t in self.live]
        if not self._traits.has_memory:
            return frame.initialize(regions, expected)
        memory = [kernels for kernels in (t.memory for t in self.live) if kernels is not None]
        return frame.step(regions, memory, expected)

    def _detect_interval(self, time: float) -> float:
        settings = self._settings
        if not self.live or any(
            self._policy.lacks_confident_pose(track, time) for track in self.live
        ):
            return settings.search_interval
        calm = settings.detect_interval
        if any(track.overlapping for track in self.live):
            calm /= 2  # poses may slide from one person onto the other
        missing = [
            time - track.lost_time for track in self.lost if self._visible_fraction(track) >= 0.5
        ]
        if not missing or not self._has_capacity():
            return calm
        # Just after a loss the detector runs at once, later less and less often.
        return min(max(min(missing) / 4, settings.search_interval), calm)

    def _overlap(self, boxes: Boxes, time: float) -> NDArray[np.float64]:
        """IoU (tracks, detections); boxes of unobserved tracks are widened by their time unseen."""
        if not self.live or not len(boxes):
            return np.zeros((len(self.live), len(boxes)))
        unseen = np.array(
            [0.0 if track.observed else time - track.pose_time for track in self.live]
        )
        current = boxes_of([track.current for track in self.live])
        return iou(grow(current, WIDEN * np.minimum(unseen, MOST_UNSEEN)), boxes)

    def _reinit_requests(
        self, track: Track, box: NDArray[np.float64] | None, agrees: bool, time: float
    ) -> list[ReinitRequest]:
        min_score = self._traits.trust.min_score
        if self._policy.lacks_confident_pose(track, time):
            hidden = track.overlapping and track.observed is not None
            same = box is None and track.observed is not None and not self._traits.has_memory
            if hidden or same:  # it would find the person in front, or the same as before
                return []
            if box is None:
                return [ReinitRequest(track.region, track, min_score, detected=False)]
            return [ReinitRequest(self._traits.region(box), track, min_score)]
        if box is not None and not agrees:
            return [ReinitRequest(self._traits.region(box), track)]
        if self._policy.needs_new_memory(track, time):
            return [ReinitRequest(track.region, track, detected=False)]
        return []

    def _defer_refreshes(
        self, requests: Sequence[ReinitRequest], room: int, time: float
    ) -> list[ReinitRequest]:
        """Without the requests that can wait, except for `room` of them, the oldest memories first.

        Otherwise people found together fall due together, in the detector's frames at that, and
        every such frame takes many times as long as the others.
        """
        waiting = [
            request.track
            for request in requests
            if request.track and request.is_refresh and self._policy.can_defer(request.track, time)
        ]
        waiting.sort(key=lambda track: track.init_time)
        later = waiting[room:]
        return [request for request in requests if request.track not in later]

    def _verify(self, track: Track) -> list[ReinitRequest]:
        """The detector sees no person there: kernels may have slid onto the background, so the pose
        has to be as good without memory as that of a new person."""
        start_score = self._traits.trust.start_score
        if self._traits.has_memory or track.observed is None:
            return [ReinitRequest(track.region, track, start_score, detected=False)]
        if track.observed.score < start_score:
            track.observed = None
        return []

    def _apply(self, track: Track, pose: Pose, request: ReinitRequest, time: float) -> None:
        """Replace the pose found by stepping with the initializer's, if that is good enough."""
        track.init_time, track.memory_mixed = time, False
        if self._policy.accepts(track, pose, request):
            track.observed, track.region, track.low_score_since = pose, request.region, None
            track.look = pose.kernels
        elif request.min_score is not None:
            track.observed = None
        track.init_score = track.current.score

    def _is_gone(self, track: Track, time: float) -> bool:
        return (
            self._policy.lacks_confident_pose(track, time)
            or self._visible_fraction(track) < MIN_VISIBLE
        )

    def _visible_fraction(self, track: Track) -> float:
        """Part of the body's box that lies in the image."""
        box = track.current.box
        _, _, w, h = inside(box, self._size)
        return w * h / (box[2] * box[3])

    def _mark_lost(self, tracks: Sequence[Track], time: float) -> None:
        for track in tracks:
            track.observed, track.lost_time, track.overlapping = None, time, False
            self.live.remove(track)
            self.lost.append(track)

    def _start_tracks(self, unmatched: Sequence[tuple[ReinitRequest, Pose]], time: float) -> None:
        """Resume lost tracks or start new ones from poses that no track has."""
        traits, same = self._traits, self._settings.duplicate_oks
        good = [item for item in unmatched if item[1].score >= traits.trust.start_score]
        good.sort(key=lambda item: -item[1].score)
        tracked = [track.current for track in self.live]
        poses = [pose for _, pose in good]
        kept = without_duplicates(poses, tracked, traits.sigmas, same, traits.flip_index)
        resumed = self._reidentify([good[index][1] for index in kept], time)
        for row in sorted(range(len(kept)), key=lambda row: (row not in resumed, row)):
            request, pose = good[kept[row]]
            if self._has_capacity() and (
                row in resumed or self._policy.can_start_track(pose, tracked)
            ):
                self._activate(resumed.get(row), request, pose, time)
                tracked.append(pose)

    def _reidentify(self, poses: Sequence[Pose], time: float) -> dict[int, Track]:
        """Which of the poses are lost people, by index."""
        pairs = reidentify(
            poses,
            [track.predicted for track in self.lost],
            self._traits.sigmas,
            unseen=[time - track.pose_time for track in self.lost],
            sizes=[track.size for track in self.lost],
            threshold=self._settings.recover_similarity,
        )
        return {row: self.lost[column] for row, column in pairs}

    def _activate(
        self, lost: Track | None, request: ReinitRequest, pose: Pose, time: float
    ) -> None:
        smoother = OneEuroFilter(self._smoothing)
        if lost is None:
            self.live.append(Track(self._next_id, time, pose, time, request.region, smoother))
            self._next_id += 1
            return
        self.lost.remove(lost)
        self.live.append(lost)
        lost.update(pose, time)
        lost.observed, lost.region, lost.smoother = pose, request.region, smoother
        lost.look = pose.kernels
        lost.init_time = lost.detected_time = time
        lost.init_score = pose.score
        lost.low_score_since = lost.duplicate_since = None
        lost.memory_mixed = False

    def _has_capacity(self) -> bool:
        return self._max_people is None or len(self.live) < self._max_people
