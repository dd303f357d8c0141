"""People who occlude each other: no two tracks may end up on one person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray

from vidpose.inference.boxes import Boxes, iou
from vidpose.tracking.association import boxes_of, pairwise_oks
from vidpose.tracking.settings import TrackerSettings
from vidpose.tracking.track import Track

JUMP = 0.4  # OKS with the predicted pose below which a pose has jumped
SHARED_CROP_IOU = 0.2  # of two crops, above which the one shows the other's person
SAME_PLACE = 0.08  # part of a person's size within which two keypoints are at one place
NEWCOMER = 1.0  # s for which a track that duplicates an older one was a false positive


@dataclass(frozen=True, slots=True)
class OcclusionResult:
    """`lost`: tracks to lose, they keep their id. `false_positives`: tracks to delete."""

    lost: list[Track] = field(default_factory=list)
    false_positives: list[Track] = field(default_factory=list)


def resolve_occlusions(
    tracks: Sequence[Track], time: float, sigmas: Sequence[float], settings: TrackerSettings
) -> OcclusionResult:
    """Hide what two tracks share, and find tracks that duplicate another.

    Of two tracks with the same pose, the one whose pose jumped is hidden for this frame; after
    `settings.collapse_time` it is lost, at the place where its own motion would have brought it.
    """
    result = OcclusionResult()
    _mark_overlaps(tracks, settings.overlap_iou)
    close = [track for track in tracks if track.overlapping and track.observed is not None]
    duplicates = _find_duplicates(close, sigmas, settings.collapse_oks)
    for track in tracks:
        if track not in duplicates:
            track.duplicate_since = None
    for track, jumped in duplicates.items():
        track.duplicate_since = time if track.duplicate_since is None else track.duplicate_since
        if time - track.duplicate_since >= settings.collapse_time:
            newcomer = time - track.start_time < NEWCOMER + settings.collapse_time
            (result.false_positives if newcomer else result.lost).append(track)
        elif jumped:
            track.observed = None
    _hide_jumped_keypoints(close)
    return result


def _mark_overlaps(tracks: Sequence[Track], threshold: float) -> None:
    """Note which tracks are close to another; one that was until now needs a new memory."""
    bodies = np.maximum(
        _largest_overlap(boxes_of([track.predicted for track in tracks])),
        _largest_overlap(boxes_of([track.current for track in tracks])),
    )
    crops = _largest_overlap(
        np.array([(t.region.x, t.region.y, t.region.w, t.region.h) for t in tracks]).reshape(-1, 4)
    )
    for track, body, crop in zip(tracks, bodies, crops, strict=True):
        close = bool(body > threshold)
        track.memory_mixed = track.memory_mixed or (track.overlapping and not close)
        track.overlapping = close
        track.crop_shared = bool(crop > SHARED_CROP_IOU)


def _find_duplicates(
    tracks: Sequence[Track], sigmas: Sequence[float], threshold: float
) -> dict[Track, bool]:
    """The weaker ones of tracks with the same pose, and whether their pose has jumped there."""
    if len(tracks) < 2:
        return {}
    poses = [track.current for track in tracks]
    same = pairwise_oks(poses, poses, sigmas)
    agreement = pairwise_oks(poses, [track.predicted for track in tracks], sigmas).diagonal()
    pairs = (pair for pair in combinations(range(len(tracks)), 2) if same[pair] >= threshold)
    weaker = {_weaker(tracks, agreement, a, b) for a, b in pairs}
    return {tracks[index]: bool(agreement[index] < JUMP) for index in sorted(weaker)}


def _largest_overlap(boxes: Boxes) -> NDArray[np.float64]:
    """For each box (N, 4) its IoU with the nearest other one."""
    overlap = iou(boxes, boxes)
    np.fill_diagonal(overlap, 0.0)
    return np.asarray(overlap.max(axis=1, initial=0.0))


def _hide_jumped_keypoints(tracks: Sequence[Track]) -> None:
    """Of two tracks with a keypoint at one place, leave it to the one that predicted it there.

    The other's keypoint has jumped onto the nearer person, while its own is occluded: its
    confidence becomes 0, and it keeps its kernel of the frame before. Somebody of whom no keypoint
    remains is not seen.
    """
    tracks = [track for track in tracks if track.observed is not None]
    for track, other in permutations(tracks, 2):
        if track.observed is None or other.observed is None:
            continue
        reach = SAME_PLACE * max(track.observed.box[2:])
        mine, theirs = track.observed.keypoints, other.observed.keypoints
        together = np.linalg.norm(mine[:, :2] - theirs[:, :2], axis=1) < reach
        jump = np.linalg.norm(mine[:, :2] - track.predicted.keypoints[:, :2], axis=1)
        their_jump = np.linalg.norm(theirs[:, :2] - other.predicted.keypoints[:, :2], axis=1)
        jumped = together & (jump > reach) & (jump > 2 * their_jump)
        if jumped.any():
            remaining = track.observed.without(jumped, track.pose.kernels)
            track.observed = remaining if remaining.score > 0 else None


def _weaker(tracks: Sequence[Track], agreement: NDArray[np.float64], a: int, b: int) -> int:
    """Of two tracks on one person, the newcomer, or the one that fits its own motion less.

    The decision stands while the two stay together.
    """
    for index in (a, b):
        if tracks[index].duplicate_since is not None:
            return index
    older, younger = sorted((a, b), key=lambda index: (tracks[index].start_time, tracks[index].id))
    if tracks[younger].start_time - tracks[older].start_time > NEWCOMER and (
        tracks[younger].pose_time - tracks[younger].start_time < NEWCOMER
    ):
        return younger
    return min((younger, older), key=lambda index: agreement[index] * tracks[index].current.score)
