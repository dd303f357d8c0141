"""What happens to a clip's pixels after the geometry: light, occluders, sensor and compression.

All functions take one clip as uint8 RGB (T, H, W, 3), draw their parameters once per clip (with a
slow drift where that is natural) and return a clip of the same shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vidpose.data.bounds import SHARE, STRENGTH, check_bounds
from vidpose.data.synthesis.limb_motion import smooth_signals

Clip = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Light:
    """Colours of a clip and their drift within it. Each is a maximal share, evenly drawn.

    Attributes:
        brightness: gain on all channels.
        contrast: about the middle grey.
        saturation: distance of the channels from their mean.
        white_balance: gain on each channel on its own.
        drift: change of brightness and white balance within the clip, typical size.
    """

    brightness: float = 0.25
    contrast: float = 0.25
    saturation: float = 0.35
    white_balance: float = 0.08
    drift: float = 0.04

    def __post_init__(self) -> None:
        check_bounds(
            self,
            {
                "brightness": SHARE,
                "contrast": SHARE,
                "saturation": SHARE,
                "white_balance": SHARE,
                "drift": SHARE,
            },
        )

    def apply(self, rng: np.random.Generator, clip: Clip, stride: int) -> Clip:
        """The clip in another light."""
        once = rng.uniform(-1.0, 1.0, 6)
        gain = 1 + self.brightness * once[0] + self.white_balance * once[1:4]
        contrast, saturation = 1 + self.contrast * once[4], 1 + self.saturation * once[5]
        drift = 1 + self.drift * smooth_signals(rng, len(clip), stride, 4)
        mix = saturation * np.eye(3) + (1 - saturation) / 3
        out = np.empty_like(clip)
        for index, frame in enumerate(clip):
            matrix = (gain * drift[index, 0] * (0.5 + drift[index, 1:] / 2))[:, None] * mix
            offset = np.full((3, 1), 128 * (1 - contrast))
            cv2.transform(frame, np.hstack([contrast * matrix, offset]), dst=out[index])
        return out


@dataclass(frozen=True, slots=True)
class Occluders:
    """Things that pass in front of the person.

    Attributes:
        probability: of a clip having any.
        count: at most this many.
        size: smallest and largest diameter, as shares of the clip's height.
        speed: typical speed, as a share of the clip's height per frame.
    """

    probability: float = 0.25
    count: int = 2
    size: tuple[float, float] = (0.08, 0.3)
    speed: float = 0.02

    def __post_init__(self) -> None:
        check_bounds(
            self,
            {
                "probability": SHARE,
                "count": (1, 100),
                "size": (0, 2),
                "speed": STRENGTH,
            },
        )

    def apply(self, rng: np.random.Generator, clip: Clip) -> Clip:
        """The clip with polygons of plain or borrowed texture moving across it."""
        if rng.random() >= self.probability:
            return clip
        out = clip.copy()
        for _ in range(int(rng.integers(1, self.count + 1))):
            self._paint(rng, out)
        return out

    def _paint(self, rng: np.random.Generator, clip: Clip) -> None:
        frames, height, width = clip.shape[:3]
        corners = int(rng.integers(4, 9))
        angle = np.sort(rng.uniform(0, 2 * np.pi, corners))
        radius = rng.uniform(*self.size) * height / 2 * rng.uniform(0.6, 1.0, corners)
        stretch = rng.uniform(0.4, 1.0)
        shape = np.stack([radius * np.cos(angle) * stretch, radius * np.sin(angle)], axis=-1)
        start = rng.uniform(0.1, 0.9, 2) * (width, height)
        velocity = rng.normal(0, self.speed * height, 2)
        texture = self._texture(rng, clip[0])
        for index in range(frames):
            outline = shape + start + velocity * (index - frames / 2)
            left, top = np.clip(np.floor(outline.min(axis=0)), 0, (width, height)).astype(int)
            right, bottom = np.clip(outline.max(axis=0) + 2, 0, (width, height)).astype(int)
            if right <= left or bottom <= top:
                continue
            mask = np.zeros((bottom - top, right - left), np.uint8)
            corners_16 = np.round((outline - (left, top)) * 16).astype(np.int32)
            cv2.fillPoly(mask, [corners_16], 255, cv2.LINE_AA, 4)
            cover = mask[..., None].astype(np.uint16)
            window = (slice(top, bottom), slice(left, right))
            clip[index][window] = (
                texture[window] * cover + clip[index][window] * (255 - cover)
            ) // 255

    @staticmethod
    def _texture(rng: np.random.Generator, frame: Clip) -> Clip:
        """A plain colour, or the frame turned upside down and blurred beyond recognition."""
        if rng.random() < 0.5:
            return np.broadcast_to(rng.integers(0, 256, 3, dtype=np.uint8), frame.shape)
        return np.asarray(cv2.blur(frame[::-1], (9, 9)), dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class Degradation:
    """A small or noisy sensor and lossy compression.

    Attributes:
        low_resolution: probability that the clip was smaller once.
        shrink: by which factor it was, smallest and largest.
        noise: probability of sensor noise.
        noise_sigma: its standard deviation in grey levels, smallest and largest.
        compression: probability of block compression (JPEG on every frame).
        quality: its quality (1 to 100), lowest and highest.
    """

    low_resolution: float = 0.2
    shrink: tuple[float, float] = (0.35, 0.8)
    noise: float = 0.2
    noise_sigma: tuple[float, float] = (2.0, 10.0)
    compression: float = 0.25
    quality: tuple[int, int] = (15, 60)

    def __post_init__(self) -> None:
        check_bounds(
            self,
            {
                "low_resolution": SHARE,
                "shrink": (0.01, 1),
                "noise": SHARE,
                "noise_sigma": (0, 255),
                "compression": SHARE,
                "quality": (1, 100),
            },
        )

    def apply(self, rng: np.random.Generator, clip: Clip) -> Clip:
        """The clip as such a camera would have stored it."""
        if rng.random() < self.low_resolution:
            clip = _shrink_and_enlarge(clip, rng.uniform(*self.shrink))
        if rng.random() < self.noise:
            clip = _add_noise(rng, clip, rng.uniform(*self.noise_sigma))
        if rng.random() < self.compression:
            clip = _compress(clip, int(rng.integers(self.quality[0], self.quality[1] + 1)))
        return clip


def _shrink_and_enlarge(clip: Clip, factor: float) -> Clip:
    height, width = clip.shape[1:3]
    small = (max(round(width * factor), 1), max(round(height * factor), 1))
    out = np.empty_like(clip)
    for index, frame in enumerate(clip):
        shrunk = cv2.resize(frame, small, interpolation=cv2.INTER_AREA)
        cv2.resize(shrunk, (width, height), dst=out[index], interpolation=cv2.INTER_LINEAR)
    return out


def _add_noise(rng: np.random.Generator, clip: Clip, sigma: float) -> Clip:
    """Each frame gets another cut-out of one noise field: fresh noise would take the most time."""
    frames, height, width = clip.shape[:3]
    field = rng.normal(0.0, sigma, (height + 32, width + 32, 3)).astype(np.int16)
    out = np.empty_like(clip)
    for index in range(frames):
        y, x = rng.integers(0, 32, 2)
        noisy = clip[index] + field[y : y + height, x : x + width]
        out[index] = np.clip(noisy, 0, 255)
    return out


def _compress(clip: Clip, quality: int) -> Clip:
    out = np.empty_like(clip)
    for index, frame in enumerate(clip):
        _, packed = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
        out[index] = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))
    return out
