"""The camera that films a clip and the tracker that cuts the person out of its frames.

Points of the plane are complex numbers here, x + iy, in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidpose.data.bounds import FACTOR, SHARE, STRENGTH, check_bounds
from vidpose.data.synthesis.limb_motion import smooth_signals
from vidpose.inference.boxes import Box
from vidpose.inference.crop import region_around

Points = NDArray[np.complex128]

_SIDES = np.array([1, 1j, -1, -1j])  # right, bottom, left, top
_OUTWARDS = np.array([1, 1, -1, -1])
_HALF = 0.5 + 0.5j  # from the centre of the top-left pixel to its corner


@dataclass(frozen=True, slots=True)
class CameraPath:
    """Similarities, maybe mirrored, from the still's plane to the pixels of T video frames.

    Attributes:
        center: the point of the still that the camera turns about.
        zoom_roll: complex128 (T,): zoom and turn of each frame.
        shift: complex128 (T,): displacement of the centre.
        mirror: whether the still is mirrored first.
    """

    center: complex
    zoom_roll: Points
    shift: Points
    mirror: bool

    def to_frame(self, points: Points) -> Points:
        """Points (T, ...) of the still's plane to pixels of the frames."""
        local = points - self.center
        if self.mirror:
            local = -local.conj()
        return _along(self.zoom_roll, local) * local + _along(self.shift + self.center, local)

    def to_still(self, points: Points) -> Points:
        """Pixels (T, ...) of the frames to points of the still's plane."""
        local = points - _along(self.shift + self.center, points)
        local = local / _along(self.zoom_roll, points)
        return (-local.conj() if self.mirror else local) + self.center

    def take(self, frames: NDArray[np.intp]) -> CameraPath:
        """The same camera at the given frames."""
        return CameraPath(self.center, self.zoom_roll[frames], self.shift[frames], self.mirror)


@dataclass(frozen=True, slots=True)
class Crops:
    """Crops of T frames, of the regions' own shape.

    Attributes:
        regions: float64 (T, 4): x, y, w, h in the frames, edge coordinates.
        size: height and width of the crops in pixels.
    """

    regions: NDArray[np.float64]
    size: tuple[int, int]

    @property
    def scale(self) -> NDArray[np.float64]:
        """Pixels of the frame for one of the crop: (T,)."""
        return np.asarray(self.regions[:, 3] / self.size[0])

    def to_crop(self, points: Points) -> Points:
        """Points (T, ...) of the frames to pixels of the crops."""
        return (points + _HALF - _along(self._corner, points)) / _along(self.scale, points) - _HALF

    def to_frame(self, points: Points) -> Points:
        """Points (T, ...) or (1, ...) of the crops to pixels of the frames."""
        return (points + _HALF) * _along(self.scale, points) + _along(self._corner, points) - _HALF

    def contain(self, points: Points) -> NDArray[np.bool_]:
        """Whether points of the crops lie on their pixels."""
        x, y = points.real, points.imag
        wide = (x >= -0.5) & (x < self.size[1] - 0.5)
        return np.asarray(wide & (y >= -0.5) & (y < self.size[0] - 0.5))

    def take(self, frames: NDArray[np.intp]) -> Crops:
        """The crops of the given frames."""
        return Crops(self.regions[frames], self.size)

    @property
    def _corner(self) -> Points:
        return np.asarray(self.regions[:, 0] + 1j * self.regions[:, 1])


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

    def __post_init__(self) -> None:
        check_bounds(
            self,
            {
                "pan": STRENGTH,
                "zoom": (0, 2),
                "roll_deg": (0, 180),
            },
        )

    def path(self, rng: np.random.Generator, frames: int, stride: int) -> tuple[Points, Points]:
        """Zoom and roll as one factor (T,), and the pan (T,) in sizes of the person."""
        zoom, roll, x, y = smooth_signals(rng, frames, stride, 4).T
        zoom_roll = np.exp(self.zoom * zoom + 1j * np.radians(self.roll_deg) * roll)
        return np.asarray(zoom_roll), np.asarray(self.pan * (x + 1j * y))


@dataclass(frozen=True, slots=True)
class CropJitter:
    """How a tracker cuts the person out: late, and not quite where the person is.

    Attributes:
        padding: factor on the box's sides, as in `vidpose.inference.crop.region_around`.
        shift: standard deviation of the region's centre, as a share of the box's longer side.
        scale: the region's size is off by up to this share, evenly drawn.
        lag: share of the previous estimate that the tracked box keeps.

    Shift, scale and lag are those of the worst tracker: how good it is, is drawn once per clip.
    """

    padding: float = 1.25
    shift: float = 0.05
    scale: float = 0.1
    lag: float = 0.4

    def __post_init__(self) -> None:
        check_bounds(
            self,
            {
                "padding": FACTOR,
                "shift": STRENGTH,
                "scale": (0, 0.99),
                "lag": SHARE,
            },
        )

    def regions(
        self,
        rng: np.random.Generator,
        boxes: NDArray[np.float64],
        *,
        aspect: float,
        zoom: float,
    ) -> NDArray[np.float64]:
        """Regions x, y, w, h (T, 4) for a person whose true boxes are `boxes` (T, 4).

        The first frame's region is around its own box, as a detector would place it; later ones
        are around the previous frame's, as that is all a tracker knows.

        Args:
            aspect: width / height of the regions.
            zoom: factor on the regions' sides.
        """
        lag = self.lag * rng.random()
        unrest = rng.random()
        tracked, out = boxes[0], np.empty_like(boxes)
        for index in range(len(boxes)):
            tracked = lag * tracked + (1 - lag) * boxes[max(index - 1, 0)]
            x, y, w, h = (float(value) for value in tracked)
            dx, dy = rng.normal(0.0, self.shift * unrest, 2) * max(w, h)
            factor = zoom * (1 + self.scale * unrest * rng.uniform(-1, 1)) * self.padding
            region = region_around((x + dx, y + dy, w, h), aspect=aspect, padding=factor)
            out[index] = region.x, region.y, region.w, region.h
        return out


def person_boxes(
    joints: Points, still: Points, box: Box, camera: CameraPath
) -> NDArray[np.float64]:
    """The person's boxes x, y, w, h (T, 4) in the frames, in edge coordinates.

    A box keeps the distance from the joints' extent that it has in the still, on the side that the
    camera has turned it to.

    Args:
        joints: (T, K) the known joints in the frames; at least one.
        still: (K,) the same joints in the still.
        box: x, y, w, h in the still, edge coordinates.
    """
    extent = _extent(still[None])[0]
    right, bottom = box[0] + box[2], box[1] + box[3]
    margins = (np.array([right, bottom, box[0], box[1]]) - extent) * _OUTWARDS
    if camera.mirror:
        margins[[0, 2]] = margins[[2, 0]]
    # Between two of its sides' directions a box has a mixture of their margins.
    turn = camera.zoom_roll[:, None, None] / np.abs(camera.zoom_roll)[:, None, None]
    share = np.maximum((_SIDES[:, None] * (_SIDES * turn).conj()).real, 0.0) ** 2
    margins = (share @ margins) * np.abs(camera.zoom_roll)[:, None]
    right, bottom, left, top = (_extent(joints) + margins * _OUTWARDS).T
    size = np.maximum([right - left, bottom - top], 1.0)
    return np.stack([left, top, *size], axis=1)


def _extent(points: Points) -> NDArray[np.float64]:
    """Right, bottom, left and top (T, 4) of the points (T, K), in edge coordinates."""
    x, y = points.real + 0.5, points.imag + 0.5
    return np.stack([x.max(axis=1), y.max(axis=1), x.min(axis=1), y.min(axis=1)], axis=1)


def _along(values: NDArray[Any], points: Points) -> Points:
    """One value a frame, shaped to go with points (T, ...)."""
    return values.reshape(-1, *[1] * (points.ndim - 1))
