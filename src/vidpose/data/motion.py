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

from vidpose.data import penn_action
from vidpose.data.penn_action import PennTrack, Split
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

_MIRRORED = (0, 1, 2, 3, 5, 4, 7, 6, 9, 8, 11, 10)
_MIN_LENGTH = (
    0.35  # of the limb's usual length: below, it points at the camera and its angle is noise
)
_MAX_STRETCH = np.log(1.25)
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

    def scaled(self, factor: float) -> Motion:
        """The limbs' motion made weaker (0 to 1); the path stays."""
        return Motion(self.angles * factor, self.stretches * factor, self.path)

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
    own = smooth_signals(rng, frames, stride, len(LIMBS)) * amplitude
    angles = own.copy()
    for limb, parent in enumerate(PARENTS):
        if parent >= 0:
            angles[:, limb] += angles[:, parent]
    stretches = smooth_signals(rng, frames, stride, len(LIMBS)) * 0.06 * strength
    path = smooth_signals(rng, frames, stride, 2) * 0.15 * strength
    reference = int(rng.integers(frames))
    return _relative(angles, stretches, path, reference)


class MotionBank:
    """Windows of Penn Action's joint tracks, as motion. Immutable; can be pickled and shared."""

    def __init__(self, tracks: Sequence[PennTrack]) -> None:
        """Prepare the tracks; raises DataError where there are none."""
        if not tracks:
            raise DataError("no tracks to take motion from")
        parts = [_analyse(track) for track in tracks]
        self._vectors = np.concatenate([vectors for vectors, _, _ in parts])
        self._valid = np.concatenate([valid for _, valid, _ in parts])
        self._path = np.concatenate([path for _, _, path in parts])
        self._lengths = np.array([len(track) for track in tracks])
        self._starts = np.cumsum(self._lengths) - self._lengths

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
        room = np.maximum(self._lengths - span + 1, 0)
        ends = np.cumsum(room)
        for _ in range(_TRIES):
            draw = int(rng.integers(ends[-1]))
            track = int(np.searchsorted(ends, draw, side="right"))
            first = int(self._starts[track] + draw - (ends[track] - room[track]))
            rows = first + stride * np.arange(frames)
            if self._valid[rows, 0].all():
                break
        motion = self._window(rows[::-1] if rng.random() < 0.5 else rows, int(rng.integers(frames)))
        return motion.mirrored() if rng.random() < 0.5 else motion

    def _window(self, rows: NDArray[np.int64], reference: int) -> Motion:
        vectors = self._vectors[rows]
        valid = self._valid[rows].all(axis=0)
        angles = np.unwrap(np.angle(vectors), axis=0)
        stretches = np.log(np.maximum(np.abs(vectors), 1e-6))
        motion = _relative(angles, stretches, self._path[rows].astype(np.float64), reference)
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


def smooth_signals(
    rng: np.random.Generator, frames: int, stride: int, count: int
) -> NDArray[np.float64]:
    """`count` smooth random signals of about unit amplitude, float64 (frames, count)."""
    time = np.arange(frames)[:, None, None] * stride / 30.0
    frequency = rng.uniform(0.3, 1.5, (count, 3))
    phase = rng.uniform(0, 2 * np.pi, (count, 3))
    weight = rng.normal(size=(count, 3)) / np.sqrt(3 * frequency)
    return (weight * np.sin(2 * np.pi * frequency * time + phase)).sum(axis=-1)


def _analyse(
    track: PennTrack,
) -> tuple[NDArray[np.complex64], NDArray[np.bool_], NDArray[np.float32]]:
    """Limb vectors (T, 12) as x + iy, whether each can be relied on, and the path (T, 2)."""
    points, known = _smooth(track)
    joint = {name: points[:, index] for index, name in enumerate(penn_action.JOINTS)}
    sure = {name: known[:, index] for index, name in enumerate(penn_action.JOINTS)}
    for name, pair in (("neck", "shoulder"), ("pelvis", "hip")):
        joint[name] = (joint[f"left_{pair}"] + joint[f"right_{pair}"]) / 2
        sure[name] = sure[f"left_{pair}"] & sure[f"right_{pair}"]
    ends = [("pelvis", "neck"), ("right_shoulder", "left_shoulder"), ("right_hip", "left_hip"),
            ("neck", "head")]  # fmt: skip
    for inner, outer in (
        ("shoulder", "elbow"),
        ("elbow", "wrist"),
        ("hip", "knee"),
        ("knee", "ankle"),
    ):
        ends += [(f"{side}_{inner}", f"{side}_{outer}") for side in ("left", "right")]
    vectors = np.stack([joint[outer] - joint[inner] for inner, outer in ends], axis=1)
    valid = np.stack([sure[outer] & sure[inner] for inner, outer in ends], axis=1)
    lengths = np.abs(vectors)
    for limb in range(len(ends)):
        if valid[:, limb].any():
            usual = np.percentile(lengths[valid[:, limb], limb], 80)
            valid[:, limb] &= lengths[:, limb] > _MIN_LENGTH * usual
    center = (joint["neck"] + joint["pelvis"]) / 2
    size = max(float(np.median(track.boxes[:, 2:].max(axis=1))), 1.0)
    path = np.stack([center.real, center.imag], axis=-1) / size
    return vectors.astype(np.complex64), valid, path.astype(np.float32)


def _smooth(track: PennTrack) -> tuple[NDArray[np.complex128], NDArray[np.bool_]]:
    """Joints (T, 13) as x + iy with short holes filled and label noise averaged over time."""
    points = track.keypoints[..., 0].astype(np.complex128) + 1j * track.keypoints[..., 1]
    weight = track.labelled.astype(np.float64)
    sums = gaussian_filter1d(weight, 1.0, axis=0, mode="nearest", truncate=3)
    smooth = gaussian_filter1d((points * weight).real, 1.0, axis=0, mode="nearest", truncate=3)
    smooth_y = gaussian_filter1d((points * weight).imag, 1.0, axis=0, mode="nearest", truncate=3)
    return (smooth + 1j * smooth_y) / np.maximum(sums, 1e-9), sums > 0.2
