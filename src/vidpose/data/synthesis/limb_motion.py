"""Articulated motion that any still pose can borrow: how limbs turn and stretch over time.

Motion is transferred, not positions: a window of a real joint track is reduced to the *change* of
each limb's angle and length since a reference frame, and to the path of the whole body. The still
keeps its own limbs. Smooth random motion has the same form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from vidpose.data.datasets import penn_action
from vidpose.data.datasets.penn_action import PennTrack, Split
from vidpose.errors import DataError

LIMBS = (
    "torso", "shoulders", "hips", "head",
    "left_upper_arm", "right_upper_arm", "left_forearm", "right_forearm",
    "left_thigh", "right_thigh", "left_shin", "right_shin",
)  # fmt: skip
"""The vectors that move: pelvis to neck, right to left shoulder, right to left hip, neck to head,
and then each limb from its inner to its outer joint."""

PARENTS = (-1, 0, 0, 0, 0, 0, 4, 5, 0, 0, 8, 9)
"""The limb that a limb moves along with where nothing is known about its own motion."""

_ENDS = (
    ("pelvis", "neck"), ("right_shoulder", "left_shoulder"), ("right_hip", "left_hip"),
    ("neck", "head"), ("left_shoulder", "left_elbow"), ("right_shoulder", "right_elbow"),
    ("left_elbow", "left_wrist"), ("right_elbow", "right_wrist"), ("left_hip", "left_knee"),
    ("right_hip", "right_knee"), ("left_knee", "left_ankle"), ("right_knee", "right_ankle"),
)  # fmt: skip
_MIRRORED = (0, 1, 2, 3, 5, 4, 7, 6, 9, 8, 11, 10)
_MIN_LENGTH = (
    0.35  # of a limb's usual length; below, it points at the camera and its angle is noise
)
_MAX_STRETCH = float(np.log(1.25))
_GAP = 3  # empty frames between tracks: as far as the smoothing of labels reaches
_TRIES = 20


@dataclass(frozen=True, slots=True)
class Motion:
    """Motion over T frames, relative to a reference frame in which everything is zero.

    Attributes:
        angles: float64 (T, 12): the limbs' change of angle in the image, in radians.
        stretches: float64 (T, 12): the logarithm of the limbs' change of length.
        path: float64 (T, 2): displacement of the torso's centre, in sizes of the person (the
            longer side of the person's box).
    """

    angles: NDArray[np.float64]
    stretches: NDArray[np.float64]
    path: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.path)

    def weakened(self, strengths: NDArray[np.float64]) -> Motion:
        """Limbs that move less; the path stays.

        Args:
            strengths: (12,) factors, 0 to 1, on each limb's motion relative to its parent: at 0
                the limb and its parent are one rigid body.
        """
        angles = self.angles.copy()
        for limb, parent in enumerate(PARENTS):
            if parent >= 0:
                own = self.angles[:, limb] - self.angles[:, parent]
                angles[:, limb] = angles[:, parent] + own * strengths[limb]
            else:
                angles[:, limb] *= strengths[limb]
        return Motion(angles, self.stretches * strengths, self.path)

    def mirrored(self) -> Motion:
        """The motion as a mirror shows it."""
        order = list(_MIRRORED)
        return Motion(-self.angles[:, order], self.stretches[:, order], self.path * (-1.0, 1.0))


def random_motion(
    rng: np.random.Generator, frames: int, *, stride: int = 1, strength: float = 1.0
) -> Motion:
    """Smooth random motion: every limb swings on its own, the torso least.

    Args:
        frames: number of frames, at least 1.
        stride: frames of a 30 Hz video between two of the clip's.
        strength: factor on all amplitudes; 1 moves forearms by about 30 degrees.
    """
    amplitude = strength * np.array([0.12, 0.1, 0.1, 0.15] + [0.35] * 2 + [0.5] * 2 + [0.25] * 4)
    angles = smooth_signals(rng, frames, stride, len(LIMBS)) * amplitude
    for limb, parent in enumerate(PARENTS):
        if parent >= 0:
            angles[:, limb] += angles[:, parent]
    stretches = smooth_signals(rng, frames, stride, len(LIMBS)) * 0.06 * strength
    path = smooth_signals(rng, frames, stride, 2) * 0.15 * strength
    return _relative(angles, stretches, path, int(rng.integers(frames)))


def smooth_signals(
    rng: np.random.Generator, frames: int, stride: int, count: int
) -> NDArray[np.float64]:
    """`count` smooth random signals of about unit amplitude, float64 (frames, count).

    They swing at 0.3 to 1.5 Hz, the slower the further, where one frame in `stride` of a 30 Hz
    video is taken.
    """
    time = np.arange(frames)[:, None, None] * stride / 30.0
    frequency = rng.uniform(0.3, 1.5, (count, 3))
    phase = rng.uniform(0, 2 * np.pi, (count, 3))
    weight = rng.normal(size=(count, 3)) / np.sqrt(3 * frequency)
    return np.asarray((weight * np.sin(2 * np.pi * frequency * time + phase)).sum(axis=-1))


class MotionBank:
    """Windows of Penn Action's joint tracks, as motion. Immutable; can be pickled and shared."""

    def __init__(self, tracks: Sequence[PennTrack]) -> None:
        """Prepare the tracks; raises DataError where there are none."""
        if not tracks:
            raise DataError("no tracks to take motion from")
        self._lengths = np.array([len(track) for track in tracks])
        self._starts = np.cumsum(self._lengths + _GAP) - self._lengths - _GAP
        self._vectors, self._valid, center = _limbs(tracks, self._starts)
        sizes = [max(float(np.median(track.boxes[:, 2:].max(axis=1))), 1.0) for track in tracks]
        self._path = center / np.repeat(sizes, self._lengths + _GAP)

    @classmethod
    def load(
        cls, root: Path, *, split: Split = "train", cache_dir: Path | None = None
    ) -> MotionBank:
        """The bank of one split of Penn Action; arguments as of `penn_action.read_tracks`."""
        return cls(penn_action.read_tracks(root, split=split, cache_dir=cache_dir))

    def __len__(self) -> int:
        """The number of tracks."""
        return len(self._lengths)

    def sample(self, rng: np.random.Generator, frames: int, *, stride: int = 1) -> Motion:
        """Motion of a random window, forwards or backwards, mirrored or not.

        The reference frame, in which nothing has moved, is any frame of the window. Limbs whose
        joints are unknown in the window, or that point at the camera, move along with their parent.

        Args:
            frames: number of frames, at least 1.
            stride: frames of the track between two of the motion's; made smaller where no track
                is long enough.

        Raises:
            DataError: `frames` is more than the longest track has.
        """
        longest = int(self._lengths.max())
        if frames > longest:
            raise DataError(f"no track has {frames} frames; the longest has {longest}")
        if frames > 1:
            stride = max(1, min(stride, (longest - 1) // (frames - 1)))
        span = (frames - 1) * stride + 1
        ends = np.cumsum(np.maximum(self._lengths - span + 1, 0))  # of each track's windows
        for _ in range(_TRIES):
            draw = int(rng.integers(ends[-1]))
            track = int(np.searchsorted(ends, draw, side="right"))
            before = int(ends[track - 1]) if track else 0
            rows = int(self._starts[track]) + draw - before + stride * np.arange(frames)
            if self._valid[rows, 0].all():
                break
        motion = self._window(rows[::-1] if rng.random() < 0.5 else rows, int(rng.integers(frames)))
        return motion.mirrored() if rng.random() < 0.5 else motion

    def _window(self, rows: NDArray[np.intp], reference: int) -> Motion:
        vectors = self._vectors[rows]
        valid = np.asarray(self._valid[rows].all(axis=0))
        angles = np.unwrap(np.angle(vectors), axis=0)
        stretches = np.log(np.maximum(np.abs(vectors), 1e-6))
        center = self._path[rows]
        path = np.stack([center.real, center.imag], axis=-1)
        if not valid[0]:
            path[:] = 0.0
        motion = _relative(angles, stretches, path, reference)
        for limb, parent in enumerate(PARENTS):
            if not valid[limb]:
                motion.angles[:, limb] = motion.angles[:, parent] if parent >= 0 else 0.0
                motion.stretches[:, limb] = 0.0
        return motion


def _relative(
    angles: NDArray[np.float64],
    stretches: NDArray[np.float64],
    path: NDArray[np.float64],
    reference: int,
) -> Motion:
    stretches = np.clip(stretches - stretches[reference], -_MAX_STRETCH, _MAX_STRETCH)
    return Motion(angles - angles[reference], stretches, path - path[reference])


def _limbs(
    tracks: Sequence[PennTrack], starts: NDArray[np.intp]
) -> tuple[NDArray[np.complex128], NDArray[np.bool_], NDArray[np.complex128]]:
    """All tracks' limb vectors (N, 12) as x + iy, whether each can be relied on, and the torso's
    centre (N,); tracks are `_GAP` frames apart."""
    points, known = _smooth(tracks)
    joint = dict(zip(penn_action.JOINTS, points.T, strict=True))
    sure = dict(zip(penn_action.JOINTS, known.T, strict=True))
    for name, pair in (("neck", "shoulder"), ("pelvis", "hip")):
        joint[name] = (joint[f"left_{pair}"] + joint[f"right_{pair}"]) / 2
        sure[name] = sure[f"left_{pair}"] & sure[f"right_{pair}"]
    vectors = np.stack([joint[outer] - joint[inner] for inner, outer in _ENDS], axis=1)
    valid = np.stack([sure[outer] & sure[inner] for inner, outer in _ENDS], axis=1)
    squares = np.add.reduceat(np.abs(vectors) ** 2 * valid, starts)
    usual = np.sqrt(squares / np.maximum(np.add.reduceat(valid.astype(int), starts), 1))
    lengths = np.diff(starts, append=len(vectors))
    valid &= np.abs(vectors) > _MIN_LENGTH * np.repeat(usual, lengths, axis=0)
    return vectors, valid, (joint["neck"] + joint["pelvis"]) / 2


def _smooth(tracks: Sequence[PennTrack]) -> tuple[NDArray[np.complex128], NDArray[np.bool_]]:
    """All joints (N, 13) as x + iy, short holes filled and label noise averaged over time."""
    joints = len(penn_action.JOINTS)
    blank = np.zeros((_GAP, joints, 3))
    stacked = np.concatenate(
        [
            part
            for track in tracks
            for part in (np.dstack([track.keypoints[..., :2], track.labelled]), blank)
        ]
    )
    stacked[..., :2] *= stacked[..., 2:]
    sums = gaussian_filter1d(stacked, 1.0, axis=0, mode="constant", radius=_GAP)
    weight = sums[..., 2]
    return (sums[..., 0] + 1j * sums[..., 1]) / np.maximum(weight, 1e-9), weight > 0.2
