"""What a user of a stream may set. Times are in seconds, of the frames' own time stamps."""

from __future__ import annotations

from dataclasses import dataclass
from warnings import warn


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """How people are found, followed and told apart. Overlaps are IoU or OKS, in [0, 1].

    `detect_interval`: s between two detections while all goes well.
    `search_interval`: s between two detections while no person is tracked or a person is lost.
    `max_gap`: s between two frames after which the memory is not used, poses are made anew.
    `grace`: s for which a lost person keeps the id.
    `match_iou`: overlap of boxes at which a detection is a tracked person.
    `agree_iou`: overlap below which a detection that matched says that the crop is wrong.
    `duplicate_oks`: OKS with a tracked pose at which a new pose is the same person.
    `recover_similarity`: similarity (mean of OKS and overlap with the predicted pose, both widened
    by the time unseen) at which a new pose is a lost person; who was lost just now is also known by
    the place alone (`association.reidentify`).
    `collapse_oks`, `collapse_time`: two tracks with that OKS for so many s are one person.
    `overlap_iou`: overlap at which two people are too close to trust the motion of either.
    `contest_iou`: deprecated name of `overlap_iou`.
    """

    detect_interval: float = 0.5
    search_interval: float = 0.1
    max_gap: float = 0.5
    grace: float = 2.0
    match_iou: float = 0.3
    agree_iou: float = 0.6
    duplicate_oks: float = 0.5
    recover_similarity: float = 0.25
    collapse_oks: float = 0.6
    collapse_time: float = 0.2
    overlap_iou: float = 0.1
    contest_iou: float | None = None

    def __post_init__(self) -> None:
        if self.contest_iou is not None:
            warn(
                "TrackerSettings.contest_iou is now overlap_iou; this name goes away in 1.0",
                DeprecationWarning,
                stacklevel=3,
            )
            object.__setattr__(self, "overlap_iou", self.contest_iou)
            object.__setattr__(self, "contest_iou", None)


@dataclass(frozen=True, slots=True)
class SmoothingSettings:
    """One-Euro filter of keypoints; lengths are parts of the person's size (box's longer side).

    `min_cutoff`: Hz, cut-off frequency of a keypoint at rest: lower is calmer.
    `beta`: Hz for each size per second, growth of the cut-off with speed: higher lags less. A
    keypoint in steady motion lags by less than 1 / (2 pi beta) of the size at any frame rate.
    `speed_cutoff`: Hz, cut-off frequency of the speed's own filter.
    `max_gap`: s between two frames after which the filter starts anew.
    """

    min_cutoff: float = 1.5
    beta: float = 15.0
    speed_cutoff: float = 1.0
    max_gap: float = 0.5
