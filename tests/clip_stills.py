"""Stills that the clip tests share: drawn people, and real ones with real motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vidpose.data.synthesis.crop_jitter import CropJitter, Shake
from vidpose.data.synthesis.photometry import Degradation, Light, Occluders
from vidpose.data.synthesis.stills_to_clips import ClipConfig

STANDING = np.array(
    [[50, 10], [53, 7], [47, 7], [57, 9], [43, 9], [65, 30], [35, 30], [75, 55], [25, 55],
     [80, 80], [20, 80], [58, 80], [42, 80], [60, 115], [40, 115], [60, 150], [40, 150]], float,
)  # fmt: skip
"""A person who faces the camera, in COCO's order: left joints are on the right."""

NO_LIGHT = Light(brightness=0, contrast=0, saturation=0, white_balance=0, drift=0)
CLEAN = replace(
    ClipConfig(),
    light=NO_LIGHT,
    occluders=Occluders(probability=0),
    degradation=Degradation(low_resolution=0, noise=0, compression=0),
    motion_blur=0.0,
)
"""All of the geometry, nothing done to the pixels."""

TRIPOD = replace(
    CLEAN,
    flip=0.0,
    rotation_deg=0.0,
    scale=(1.0, 1.0),
    path=0.0,
    shake=Shake(0, 0, 0),
    tracker=CropJitter(shift=0, scale=0, lag=0),
)
"""Limbs that move before a camera and a tracker that do not err."""


def person(
    seed: int, scale: float = 2.0
) -> tuple[NDArray[np.float32], tuple[float, float, float, float]]:
    """Keypoints (17, 3) and box of a person in some pose, about 150 `scale` pixels tall."""
    rng = np.random.default_rng(seed)
    points = (STANDING + rng.normal(0, 6, STANDING.shape) + 60) * scale
    keypoints = np.column_stack([points, np.ones(17)]).astype(np.float32)
    low, high = points.min(axis=0) - 10, points.max(axis=0) + 10
    return keypoints, (low[0], low[1], high[0] - low[0], high[1] - low[1])


def noise_image(seed: int, shape: tuple[int, int] = (560, 440)) -> NDArray[np.uint8]:
    """A smooth random image, uint8 (H, W, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (shape[0] // 20 + 2, shape[1] // 20 + 2, 3))
    return np.kron(coarse, np.ones((20, 20, 1)))[: shape[0], : shape[1]].astype(np.uint8)
