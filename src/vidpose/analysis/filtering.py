"""Zero-lag Butterworth low-pass filter of keypoints, by their true times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.signal import butter, sosfiltfilt

from vidpose.analysis.trajectories import (
    Floats,
    Trajectory,
    person_trajectories,
    runs,
    with_trajectories,
)
from vidpose.errors import VidposeError
from vidpose.results import FrameResult

SHORTEST_RUN = 6  # samples; a shorter stretch says nothing about frequencies and stays as it is
_UNEVEN = 0.01  # part of the median time step by which steps may differ before resampling


def lowpass(
    frames: Sequence[FrameResult], cutoff: float = 6.0, order: int = 4
) -> list[FrameResult]:
    """Smooth all keypoints and boxes by a Butterworth low-pass filter without delay.

    The filter of order ``order`` / 2 runs forwards and backwards, so that nothing is delayed
    (Winter, Biomechanics and Motor Control of Human Movement, 2009, section 2.2); its cutoff is
    raised so that both passes together have lost half of the power at ``cutoff`` hertz. 6 Hz is
    usual for walking, 10 to 15 Hz for fast sport. Where time steps vary, samples are resampled
    evenly, at the median step, and read back at the true times. Each stretch without gaps is
    filtered by itself; confidences and stretches of less than 6 frames stay as they are.

    For live use there is the One-Euro filter of `vidpose.PoseStream` instead.

    Raises VidposeError for an odd ``order``, or when ``cutoff`` is not between 0 and half of the
    frame rate.
    """
    if order < 2 or order % 2:
        raise VidposeError(f"filter order must be 2, 4, 6, ..., not {order}")
    if not cutoff > 0:
        raise VidposeError(f"filter cutoff must be above 0 Hz, not {cutoff:g}")
    smoothed = [
        _smooth(trajectory, cutoff, order) for trajectory in person_trajectories(frames).values()
    ]
    return with_trajectories(frames, smoothed)


def _smooth(trajectory: Trajectory, cutoff: float, order: int) -> Trajectory:
    keypoints, boxes = trajectory.keypoints.copy(), trajectory.boxes.copy()
    for joint in range(keypoints.shape[1]):
        for start, end in runs(np.isfinite(keypoints[:, joint, 0])):
            part = slice(start, end)
            keypoints[part, joint, :2] = smooth_run(
                trajectory.times[part], keypoints[part, joint, :2], cutoff, order
            )
    for start, end in runs(trajectory.present):
        part = slice(start, end)
        boxes[part] = smooth_run(trajectory.times[part], boxes[part], cutoff, order)
    return replace(trajectory, keypoints=keypoints, boxes=boxes)


def short_stretches(frames: Sequence[FrameResult]) -> int:
    """How many stretches without gaps, of a person or their keypoints, are too short to filter."""
    short: set[tuple[int, int, int]] = set()
    for id, trajectory in person_trajectories(frames).items():
        known = np.isfinite(trajectory.keypoints[..., 0]).T
        for mask in (trajectory.present, *known):
            ends = ((start, end) for start, end in runs(mask) if end - start < SHORTEST_RUN)
            short.update((id, start, end) for start, end in ends)
    return len(short)


def smooth_run(times: Floats, values: Floats, cutoff: float, order: int) -> Floats:
    """One stretch without gaps: ``values`` (T, N) at ``times`` (T,) -> (T, N)."""
    if len(times) < 2:
        return values
    steps = np.diff(times)
    step = float(np.median(steps))
    sections = _sections(cutoff, order, 1 / step)  # refuses a cutoff that is too high
    if len(times) < SHORTEST_RUN:
        return values
    pad = min(3 * (order + 1), len(times) - 2)
    if np.abs(steps - step).max() <= _UNEVEN * step:
        return np.asarray(sosfiltfilt(sections, values, axis=0, padlen=pad))
    even = np.linspace(times[0], times[-1], 1 + round((times[-1] - times[0]) / step))
    pad = min(pad, len(even) - 2)
    if pad < 1:
        return values
    resampled = CubicSpline(times, values, axis=0)(even)
    smooth = sosfiltfilt(sections, resampled, axis=0, padlen=pad)
    return np.asarray(CubicSpline(even, smooth, axis=0)(times))


def _sections(cutoff: float, order: int, rate: float) -> Floats:
    half = order // 2
    # Two passes lose half of the power where one pass loses 1 - 1/sqrt(2) of it. The bilinear
    # transform bends frequencies, so the correction is made on the bent scale.
    factor = (2**0.5 - 1) ** (-1 / (2 * half))
    if cutoff > 0.4999 * rate:
        raise VidposeError(
            f"filter cutoff {cutoff:g} Hz must be below half of the frame rate ({rate / 2:.4g} Hz)"
        )
    bent = np.tan(np.pi * cutoff / rate) * factor
    return np.asarray(butter(half, np.arctan(bent) * 2 / np.pi, output="sos"))
