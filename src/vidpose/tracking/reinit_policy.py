"""What is believed: the trust in poses, of people followed and new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vidpose.bundle import Trust
from vidpose.inference.boxes import contained
from vidpose.inference.crop import CropRegion
from vidpose.inference.pose import Pose
from vidpose.tracking.association import boxes_of, pose_likeness
from vidpose.tracking.settings import TrackerSettings
from vidpose.tracking.track import Track

PART = 0.8  # of a box within another, from which it may be a part of that body
CROWDED_AGE = 3.0  # factor on the age of a memory while somebody else is in the crop
BETTER = 0.8  # a new pose replaces a believed one from this part of its score on
TURN = 0.2  # s for which an old memory may wait for a frame in which nothing else is looked at
TIME_SLACK = 1e-3  # s, so that time stamps' rounding does not postpone what is due


@dataclass(frozen=True, slots=True)
class Look:
    """A region for the initializer: somebody new when `track` is None.

    `least`: score of the pose found there without which the track is lost; None where it has a
    believable pose already. `detected`: the region is the detector's.
    """

    region: CropRegion
    track: Track | None = None
    least: float | None = None
    detected: bool = True

    @property
    def renews(self) -> bool:
        """Whether it only makes the memory of somebody anew who is followed well."""
        return self.track is not None and self.least is None and not self.detected


@dataclass(frozen=True, slots=True)
class Body:
    """What the tracker has to know of the model: crop shape, OKS sigmas, trust, memory."""

    aspect: float
    padding: float
    sigmas: tuple[float, ...]
    trust: Trust
    has_memory: bool


class Judge:
    """Decides whom and what to believe, by the model's trust and the tracker's settings."""

    def __init__(self, body: Body, settings: TrackerSettings) -> None:
        self._body = body
        self._trust = body.trust
        self._settings = settings

    def note_doubt(self, track: Track, pose: Pose, time: float) -> None:
        """Remember since when the track's pose has been below trust."""
        if pose.score >= self._trust.min_score and not self._drifts(track, pose):
            track.doubted = None
        elif track.doubted is None:
            track.doubted = time

    def is_blind(self, track: Track, time: float) -> bool:
        """Whether nothing believable is known of the track in this frame."""
        if track.found is None:
            return True
        if track.doubted is None:
            return False
        waited = time - track.doubted >= self._trust.patience - TIME_SLACK
        return waited or track.found.score < self._trust.min_score / 2

    def is_outdated(self, track: Track, time: float) -> bool:
        """Whether the track's memory has to be made anew."""
        if not self._body.has_memory:
            return False
        if self._overdue(track, time) >= 0.0 or self._has_fallen(track):
            return True
        return track.renew and not track.crowded

    def can_wait(self, track: Track, time: float) -> bool:
        """Whether an outdated memory is only old, and not for long, or only less sure."""
        return not track.renew and self._overdue(track, time) < TURN

    def is_missed(self, track: Track, time: float) -> bool:
        """Whether the detector should see the track and does not; behind others it need not."""
        patience = self._settings.grace / 2 if track.contested else 0.0
        return time - track.supported > patience

    def is_believable(self, track: Track, pose: Pose) -> bool:
        """Whether the pose may become what is known of the track."""
        return track.doubted is None and pose.score >= self._trust.min_score

    def is_good_enough(self, track: Track, pose: Pose, look: Look) -> bool:
        """Whether the initializer's pose replaces the one found before."""
        before = track.found
        if look.least is not None or before is None:
            return pose.score >= (look.least or 0.0)
        if track.contested and not look.detected:  # it may have looked at the other person
            alike = pose_likeness([pose], [before], self._body.sigmas)[0, 0]
            if alike < self._settings.duplicate_oks:
                return False
        return pose.score >= BETTER * before.score

    def is_somebody(self, pose: Pose, followed: Sequence[Pose]) -> bool:
        """Whether a new pose is good enough: doubly so within the box of a followed person, of
        whom the detector may have seen a part."""
        start = self._trust.start_score
        parts = contained(pose.box, boxes_of(followed))
        return pose.score >= (start + 1.0) / 2 if (parts > PART).any() else pose.score >= start

    def _overdue(self, track: Track, time: float) -> float:
        """Seconds since the memory's age reached its limit; negative before."""
        limit = self._trust.max_age * (CROWDED_AGE if track.crowded else 1.0)
        return time - track.initialised + TIME_SLACK - limit

    def _has_fallen(self, track: Track) -> bool:
        """Whether the score is too far below what it was after the last look.

        Near others it falls because they are in the way, and a look may find them instead.
        """
        if track.found is None or track.crowded or track.contested:
            return False
        return track.found.score < (1.0 - self._trust.max_drop) * track.initial_score

    def _drifts(self, track: Track, pose: Pose) -> bool:
        """Whether the pose has left the middle of its crop."""
        x, y, w, h = pose.box
        middle_x, middle_y = track.region.center
        reach = self._trust.max_drift
        return (
            abs(x + w / 2 - middle_x) > reach * track.region.w
            or abs(y + h / 2 - middle_y) > reach * track.region.h
        )
