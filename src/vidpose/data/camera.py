"""The camera that films a clip and the tracker that cuts the person out of its frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidpose.data.motion import smooth_signals
from vidpose.runtime.crop import CropRegion, region_around

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CameraPath:
    """Similarities, maybe mirrored, from the still's plane to the pixels of T video frames.

    Attributes:
        center: the point of the still that the camera turns about, as x + iy.
        zoom_roll: complex128 (T,): zoom and turn of each frame.
        shift: complex128 (T,): displacement of the centre in pixels.
        mirror: whether the still is mirrored first.
    """

    center: complex
    zoom_roll: NDArray[np.complex128]
    shift: NDArray[np.complex128]
    mirror: bool

    def to_frame(self, points: Points) -> Points:
        """Points (T, ..., 2) of the still's plane to pixels of the frames."""
        local = points[..., 0] + 1j * points[..., 1] - self.center
        if self.mirror:
            local = -local.conj()
        zoom_roll, shift = self._like(local)
        return _xy(local * zoom_roll + shift + self.center)

    def to_still(self, points: Points) -> Points:
        """Pixels (T, ..., 2) of the frames to points of the still's plane."""
        local = points[..., 0] + 1j * points[..., 1] - self.center
        zoom_roll, shift = self._like(local)
        local = (local - shift) / zoom_roll
        return _xy((-local.conj() if self.mirror else local) + self.center)

    def take(self, frames: NDArray[np.intp]) -> CameraPath:
        """The same camera at the given frames."""
        return CameraPath(self.center, self.zoom_roll[frames], self.shift[frames], self.mirror)

    def _like(
        self, values: NDArray[np.complex128]
    ) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
        shape = (-1, *[1] * (values.ndim - 1))
        return self.zoom_roll.reshape(shape), self.shift.reshape(shape)


@dataclass(frozen=True, slots=True)
class Shake:
    """Strengths of the camera's own smooth motion.

    Attributes:
        pan: typical displacement, in sizes of the person.
        zoom: typical change of the zoom's logarithm.
        roll_deg: typical turn in degrees.
    """

    pan: float = 0.04
    zoom: float = 0.04
    roll_deg: float = 2.0

    def path(
        self, rng: np.random.Generator, frames: int, stride: int
    ) -> tuple[NDArray[np.complex128], NDArray[np.float64]]:
        """Zoom and roll as a complex factor (T,), and the pan (T, 2) in sizes of the person."""
        signals = smooth_signals(rng, frames, stride, 4)
        zoom_roll = np.exp(
            self.zoom * signals[:, 0] + 1j * np.radians(self.roll_deg) * signals[:, 1]
        )
        return zoom_roll, self.pan * signals[:, 2:]


@dataclass(frozen=True, slots=True)
class Tracker:
    """How a tracker cuts the person out: late, and not quite where the person is.

    Attributes:
        padding: factor on the box's sides, as in `vidpose.runtime.crop.region_around`.
        shift: standard deviation of the region's centre, as a share of the box's longer side.
        scale: the region's size is off by up to this share, evenly drawn.
        lag: share of the previous estimate that the tracked box keeps, at most; drawn per clip.
    """

    padding: float = 1.25
    shift: float = 0.03
    scale: float = 0.1
    lag: float = 0.4

    def regions(
        self, rng: np.random.Generator, boxes: Points, *, aspect: float, zoom: float
    ) -> NDArray[np.float64]:
        """Regions x, y, w, h (T, 4) for a person whose true boxes are `boxes` (T, 4).

        The first frame's region is around its own box, as a detector would place it; later ones
        are around the previous frame's, as that is all a tracker knows.

        Args:
            aspect: width / height of the regions.
            zoom: factor on the regions' sides.
        """
        lag = rng.uniform(0.0, self.lag)
        tracked, out = boxes[0], np.empty_like(boxes)
        for index in range(len(boxes)):
            tracked = lag * tracked + (1 - lag) * boxes[max(index - 1, 0)]
            x, y, w, h = tracked
            dx, dy = rng.normal(0.0, self.shift, 2) * max(w, h)
            factor = zoom * (1 + rng.uniform(-self.scale, self.scale)) * self.padding
            box = (float(x + dx), float(y + dy), float(w), float(h))
            region: CropRegion = region_around(box, aspect=aspect, padding=factor)
            out[index] = region.x, region.y, region.w, region.h
        return out


def person_boxes(
    joints: Points,
    known: NDArray[np.bool_],
    still: NDArray[np.float32],
    camera: CameraPath,
    box: tuple[float, float, float, float],
) -> NDArray[np.float64]:
    """The person's boxes x, y, w, h (T, 4) in the frames.

    A box keeps the distance from the joints' extent that it has in the still.

    Args:
        joints: (T, 17, 2) joints in the frames.
        known: (17,) which of them count; at least one.
        still: (17, 3) the still's keypoints.
        box: x, y, w, h in the still, edge coordinates.
    """
    low, high = still[known, :2].min(axis=0) + 0.5, still[known, :2].max(axis=0) + 0.5
    before, after = low - box[:2], np.add(box[:2], box[2:]) - high
    if camera.mirror:
        before[0], after[0] = after[0], before[0]
    zoom = np.abs(camera.zoom_roll)[:, None]
    start = joints[:, known].min(axis=1) + 0.5 - before * zoom
    end = joints[:, known].max(axis=1) + 0.5 + after * zoom
    return np.concatenate([start, np.maximum(end - start, 1.0)], axis=1)


def _xy(points: NDArray[np.complex128]) -> Points:
    return np.stack([points.real, points.imag], axis=-1)
