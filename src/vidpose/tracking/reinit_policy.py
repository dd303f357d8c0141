"""When a pose is trusted and when the initializer has to run again, for tracked and new people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vidpose.bundle import Trust
from vidpose.inference.boxes import contained
from vidpose.inference.crop import CropRegion, region_around
from vidpose.inference.pose import Pose
from vidpose.tracking.association import boxes_of, pairwise_oks
from vidpose.tracking.settings import TrackerSettings
from vidpose.tracking.track import Track

PART = 0.5  # of a box within another, from which it may be a part of that body
SHARED_CROP_AGE = 3.0  # factor on the memory's maximal age while another person is in the crop
BETTER = 0.8  # a new pose replaces a confident one from this part of its score on
TURN = 0.2  # s for which an old memory may wait for a frame without other initialisations
TIME_SLACK = 1e-3  # s, so that time stamps' rounding does not postpone what is due


@dataclass(frozen=True, slots=True)
class ReinitRequest:
    """A region for the initializer: a new person when `track` is None.

    `min_score`: of the pose found there, below which the track is lost; None where it has a
    confident pose already. `detected`: the region is the detector's.
    """

    region: CropRegion
    track: Track | None = None
    min_score: float | None = None
    detected: bool = True

    @property
    def is_refresh(self) -> bool:
        """Whether it only renews the memory of a person who is tracked well."""
        return self.track is not None and self.min_score is None and not self.detected


@dataclass(frozen=True, slots=True)
class ModelTraits:
    """What the tracker has to know of the model: crop shape, OKS sigmas, trust, memory, and which
    joints change places in a mirror (none: not known)."""

    aspect: float
    padding: float
    sigmas: tuple[float, ...]
    trust: Trust
    has_memory: bool
    flip_index: tuple[int, ...] = ()

    def region(self, box: Iterable[float]) -> CropRegion:
        """Where the person of a box (x, y, w, h) is initialised."""
        x, y, w, h = map(float, box)
        return region_around((x, y, w, h), aspect=self.aspect, padding=self.padding)


class ReinitPolicy:
    """Decides which poses to trust, by the model's trust and the tracker's settings."""

    def __init__(self, traits: ModelTraits, settings: TrackerSettings) -> None:
        self._traits = traits
        self._trust = traits.trust
        self._settings = settings

    def update_confidence(self, track: Track, pose: Pose, time: float) -> None:
        """Remember since when the track's pose has been below trust."""
        if pose.score >= self._trust.min_score and not self._drifts(track, pose):
            track.low_score_since = None
        elif track.low_score_since is None:
            track.low_score_since = time

    def lacks_confident_pose(self, track: Track, time: float) -> bool:
        """Whether no pose of the track can be trusted in this frame."""
        if track.observed is None:
            return True
        if track.low_score_since is None:
            return False
        waited = time - track.low_score_since >= self._trust.patience - TIME_SLACK
        return waited or track.observed.score < self._trust.min_score / 2

    def needs_new_memory(self, track: Track, time: float) -> bool:
        """Whether the track's memory has to be made anew."""
        if not self._traits.has_memory:
            return False
        if self._overdue(track, time) >= 0.0 or self._score_dropped(track):
            return True
        return track.memory_mixed and not track.crop_shared

    def can_defer(self, track: Track, time: float) -> bool:
        """Whether a memory is only old, and not for long, or only of a lower score."""
        return not track.memory_mixed and self._overdue(track, time) < TURN

    def is_undetected(self, track: Track, time: float) -> bool:
        """Whether the detector should see the track and does not; behind others it need not."""
        patience = self._settings.grace / 2 if track.overlapping else 0.0
        return time - track.detected_time > patience

    def is_confident(self, track: Track, pose: Pose) -> bool:
        """Whether the pose may update the track."""
        return track.low_score_since is None and pose.score >= self._trust.min_score

    def accepts(self, track: Track, pose: Pose, request: ReinitRequest) -> bool:
        """Whether the initializer's pose replaces the one observed before."""
        before = track.observed
        if request.min_score is not None or before is None:
            return pose.score >= (request.min_score or 0.0)
        if track.overlapping and not request.detected:  # it may have found the other person
            same = pairwise_oks([pose], [before], self._traits.sigmas)[0, 0]
            if same < self._settings.duplicate_oks:
                return False
        return pose.score >= BETTER * before.score

    def can_start_track(self, pose: Pose, tracked: Sequence[Pose]) -> bool:
        """Whether a new pose is good enough: doubly so within the box of a tracked person, of
        whom the detector may have seen a part."""
        start = self._trust.start_score
        parts = contained(pose.box, boxes_of(tracked))
        return pose.score >= (start + 1.0) / 2 if (parts > PART).any() else pose.score >= start

    def _overdue(self, track: Track, time: float) -> float:
        """Seconds since the memory's age reached its limit; negative before."""
        limit = self._trust.max_age * (SHARED_CROP_AGE if track.crop_shared else 1.0)
        return time - track.init_time + TIME_SLACK - limit

    def _score_dropped(self, track: Track) -> bool:
        """Whether the score is too far below what it was after the last initialisation.

        Near others it falls because they are in the way, and the initializer may find them.
        """
        if track.observed is None or track.crop_shared or track.overlapping:
            return False
        return track.observed.score < (1.0 - self._trust.max_drop) * track.init_score

    def _drifts(self, track: Track, pose: Pose) -> bool:
        """Whether the pose has left the middle of its crop."""
        x, y, w, h = pose.box
        middle_x, middle_y = track.region.center
        reach = self._trust.max_drift
        return (
            abs(x + w / 2 - middle_x) > reach * track.region.w
            or abs(y + h / 2 - middle_y) > reach * track.region.h
        )
