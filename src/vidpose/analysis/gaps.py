"""Filling what is missing between two observations of the same keypoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from vidpose.analysis.trajectories import (
    Floats,
    Trajectory,
    person_trajectories,
    runs,
    with_trajectories,
)
from vidpose.errors import VidposeError
from vidpose.results import FrameResult


def fill_gaps(
    frames: Sequence[FrameResult], max_gap: float, *, min_confidence: float = 0.0
) -> list[FrameResult]:
    """Fill gaps of at most ``max_gap`` seconds in people and in their keypoints.

    A gap is a stretch of frames in which a person, or one keypoint, is missing (or less confident
    than ``min_confidence``, in [0, 1]) between two frames that have it; its length is the time
    between those two. Positions follow a monotone cubic through the neighbours (PCHIP, Fritsch and
    Carlson 1980), which never overshoots; confidences, scores and boxes a straight line, and no
    filled confidence is above that of the less confident end. Longer gaps stay.

    Raises VidposeError when ``max_gap`` is not positive.
    """
    if not max_gap > 0:
        raise VidposeError(f"longest gap to fill must be above 0 s, not {max_gap:g}")
    filled = [
        _fill(trajectory, max_gap, min_confidence)
        for trajectory in person_trajectories(frames).values()
    ]
    return with_trajectories(frames, filled)


def _fill(trajectory: Trajectory, max_gap: float, min_confidence: float) -> Trajectory:
    times = trajectory.times
    state = np.column_stack([trajectory.boxes, trajectory.scores])
    whole = _short_gaps(trajectory.present, times, max_gap)
    state[whole] = _straight(times, state, trajectory.present)[whole]
    keypoints = trajectory.keypoints.copy()
    people = trajectory.present | whole
    for joint in range(keypoints.shape[1]):
        known = np.isfinite(keypoints[:, joint, 0]) & (keypoints[:, joint, 2] >= min_confidence)
        # A filled keypoint needs a person to belong to.
        gap = _short_gaps(known, times, max_gap) & people
        if gap.any():
            keypoints[gap, joint] = _between(times, keypoints[:, joint], known)[gap]
    return replace(trajectory, keypoints=keypoints, boxes=state[:, :4], scores=state[:, 4])


def _short_gaps(known: NDArray[np.bool_], times: Floats, max_gap: float) -> NDArray[np.bool_]:
    """(T,) the frames of gaps that have both ends and are short enough."""
    chosen = np.zeros(len(known), dtype=np.bool_)
    for start, end in runs(~known):
        if start > 0 and end < len(known) and times[end] - times[start - 1] <= max_gap:
            chosen[start:end] = True
    return chosen


def _between(times: Floats, points: Floats, known: NDArray[np.bool_]) -> Floats:
    """(T, 3) x, y by PCHIP through the known samples, and the lower confidence of both ends."""
    found = points.copy()
    found[:, :2] = PchipInterpolator(times[known], points[known, :2], axis=0)(times)
    at = np.flatnonzero(known)
    after = np.clip(np.searchsorted(at, np.arange(len(times))), 0, len(at) - 1)
    before = np.clip(after - 1, 0, len(at) - 1)
    found[:, 2] = np.minimum(points[at[before], 2], points[at[after], 2])
    return found


def _straight(times: Floats, values: Floats, known: NDArray[np.bool_]) -> Floats:
    columns = [np.interp(times, times[known], column[known]) for column in values.T]
    return np.column_stack(columns)
