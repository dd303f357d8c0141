"""Speeds of keypoints from their true times."""

from __future__ import annotations

import numpy as np

from vidpose.analysis.trajectories import Floats, Trajectory, runs


def keypoint_speeds(trajectory: Trajectory) -> Floats:
    """(T, K) speed of every keypoint in pixels a second; NaN where a neighbour is missing.

    Second-order differences that allow for uneven time steps, one-sided at the ends of a stretch.
    Filter first (`lowpass`): differences amplify noise.
    """
    speeds: Floats = np.full(trajectory.keypoints.shape[:2], np.nan)
    for joint in range(trajectory.keypoints.shape[1]):
        for start, end in runs(np.isfinite(trajectory.keypoints[:, joint, 0])):
            if end - start < 2:
                continue
            points = trajectory.keypoints[start:end, joint, :2]
            velocity = np.gradient(points, trajectory.times[start:end], axis=0)
            speeds[start:end, joint] = np.hypot(velocity[:, 0], velocity[:, 1])
    return speeds
