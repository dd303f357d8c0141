"""People who come close to each other: no two tracks may end up on one person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from vidpose.inference.boxes import iou
from vidpose.tracking.association import boxes_of, pose_likeness
from vidpose.tracking.settings import TrackerSettings
from vidpose.tracking.track import Track

JUMP = 0.4  # OKS with the expected pose below which a pose has jumped
GAIN = 0.3  # OKS by which exchanged poses must fit better to be exchanged
CROWD_IOU = 0.2  # of two crops, above which the one shows the other's person
SAME_PLACE = 0.08  # part of a person's size within which two keypoints are at one place
NEWCOMER = 1.0  # s for which a track that doubles an older one was nobody's


@dataclass(frozen=True, slots=True)
class Outcome:
    """`replaced`: tracks to lose, they keep their id. `doubles`: tracks that were nobody."""

    replaced: list[Track] = field(default_factory=list)
    doubles: list[Track] = field(default_factory=list)


def settle_rivals(
    tracks: Sequence[Track], time: float, sigmas: Sequence[float], settings: TrackerSettings
) -> Outcome:
    """Give each pose to one track, and find tracks that double another.

    Poses go to the tracks whose expected pose they fit best. Of two tracks with the same pose,
    the one whose pose jumped is hidden for this frame; after `settings.collapse_time` it is
    lost, at the place where its own motion would have brought it.
    """
    outcome = Outcome()
    _mark_contests(tracks, settings.contest_iou)
    close = [track for track in tracks if track.contested and track.found is not None]
    _exchange(close, sigmas)
    doubled = _doubled(close, sigmas, settings.collapse_oks)
    for track in tracks:
        if track not in doubled:
            track.doubled = None
    for track, jumped in doubled.items():
        track.doubled = time if track.doubled is None else track.doubled
        if time - track.doubled >= settings.collapse_time:
            newcomer = time - track.born < NEWCOMER + settings.collapse_time
            (outcome.doubles if newcomer else outcome.replaced).append(track)
        elif jumped:
            track.found = None
    _return_stolen(close)
    return outcome


def _mark_contests(tracks: Sequence[Track], threshold: float) -> None:
    """Note who is close to somebody; who was until now needs a new memory."""
    bodies = np.maximum(
        _largest_overlap(boxes_of([track.expected for track in tracks])),
        _largest_overlap(boxes_of([track.present for track in tracks])),
    )
    crops = _largest_overlap(
        np.array([(t.region.x, t.region.y, t.region.w, t.region.h) for t in tracks]).reshape(-1, 4)
    )
    for track, body, crop in zip(tracks, bodies, crops, strict=True):
        close = bool(body > threshold)
        track.renew = track.renew or (track.contested and not close)
        track.contested = close
        track.crowded = bool(crop > CROWD_IOU)


def _doubled(
    tracks: Sequence[Track], sigmas: Sequence[float], threshold: float
) -> dict[Track, bool]:
    """The weaker ones of tracks with the same pose, and whether their pose has jumped there."""
    if len(tracks) < 2:
        return {}
    poses = [track.present for track in tracks]
    alike = pose_likeness(poses, poses, sigmas)
    agreement = pose_likeness(poses, [track.expected for track in tracks], sigmas).diagonal()
    pairs = (pair for pair in combinations(range(len(tracks)), 2) if alike[pair] >= threshold)
    weaker = {_weaker(tracks, agreement, a, b) for a, b in pairs}
    return {tracks[index]: bool(agreement[index] < JUMP) for index in sorted(weaker)}


def _largest_overlap(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each box (N, 4) its IoU with the nearest other one."""
    overlap = iou(boxes, boxes)
    np.fill_diagonal(overlap, 0.0)
    return np.asarray(overlap.max(axis=1, initial=0.0))


def _exchange(tracks: Sequence[Track], sigmas: Sequence[float]) -> None:
    """One-to-one assignment of the present poses to the expected ones."""
    if len(tracks) < 2:
        return
    found = [track.found for track in tracks if track.found is not None]
    alike = pose_likeness(found, [track.expected for track in tracks], sigmas)
    rows, columns = linear_sum_assignment(alike, maximize=True)
    if alike[rows, columns].sum() - np.trace(alike) < GAIN:
        return
    regions = [track.region for track in tracks]
    for row, column in zip(rows, columns, strict=True):
        tracks[column].found, tracks[column].region = found[row], regions[row]


def _return_stolen(tracks: Sequence[Track]) -> None:
    """Of two tracks with a keypoint at one place, leave it to the one that expected it there.

    The other's keypoint has jumped onto the nearer person, while its own is hidden: its
    confidence becomes 0, and it keeps its kernel of the frame before.
    """
    tracks = [track for track in tracks if track.found is not None]
    for track, other in permutations(tracks, 2):
        if track.found is None or other.found is None:
            continue
        reach = SAME_PLACE * max(track.found.box[2:])
        mine, theirs = track.found.keypoints, other.found.keypoints
        together = np.linalg.norm(mine[:, :2] - theirs[:, :2], axis=1) < reach
        jump = np.linalg.norm(mine[:, :2] - track.expected.keypoints[:, :2], axis=1)
        their_jump = np.linalg.norm(theirs[:, :2] - other.expected.keypoints[:, :2], axis=1)
        stolen = together & (jump > reach) & (jump > 2 * their_jump)
        if stolen.any():
            track.found = track.found.without(stolen, track.pose.kernels)


def _weaker(tracks: Sequence[Track], agreement: NDArray[np.float64], a: int, b: int) -> int:
    """Of two tracks on one person, the newcomer, or the one that fits its own motion less.

    A verdict stands while the two stay together.
    """
    for index in (a, b):
        if tracks[index].doubled is not None:
            return index
    older, younger = sorted((a, b), key=lambda index: (tracks[index].born, tracks[index].id))
    if tracks[younger].born - tracks[older].born > NEWCOMER and (
        tracks[younger].seen - tracks[younger].born < NEWCOMER
    ):
        return younger
    return min((younger, older), key=lambda index: agreement[index] * tracks[index].present.score)
