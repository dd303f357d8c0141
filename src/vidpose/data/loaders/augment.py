"""Augmented crops of stills: geometry, colour and occlusion for one labelled person."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vidpose.data.bounds import FACTOR, SHARE, STRENGTH, check_bounds
from vidpose.data.samples import Sample, read_image
from vidpose.inference.crop import region_around
from vidpose.skeleton import COCO_17, Skeleton

_LOWER_BODY = ("hip", "knee", "ankle", "pelvis")


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """Strengths of the augmentation.

    Attributes:
        flip: probability of mirroring.
        rotation: standard deviation, degrees; drawn in 60 % of the crops, cut at twice this.
        scale: range of the factor on the crop's size (below 1 zooms in).
        shift: standard deviation of the crop's centre, fraction of the crop's height.
        half_body: probability of cropping around the upper or the lower body alone.
        colour: largest relative change of brightness, contrast and channel gains.
        blur: probability of a blur or of a low-resolution source.
        cut_out: probability of a filled rectangle over part of the person.
    """

    flip: float = 0.5
    rotation: float = 20.0
    scale: tuple[float, float] = (0.75, 1.3)
    shift: float = 0.04
    half_body: float = 0.08
    colour: float = 0.3
    blur: float = 0.15
    cut_out: float = 0.3

    def __post_init__(self) -> None:
        check_bounds(
            self,
            {
                "flip": SHARE,
                "rotation": (0, 180),
                "scale": FACTOR,
                "shift": STRENGTH,
                "half_body": SHARE,
                "colour": SHARE,
                "blur": SHARE,
                "cut_out": SHARE,
            },
        )


def augmented_crop(
    sample: Sample,
    size: tuple[int, int],
    rng: np.random.Generator,
    config: AugmentConfig,
    skeleton: Skeleton = COCO_17,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A random crop of the person.

    Returns uint8 RGB (h, w, 3) of `size` = (h, w), and keypoints (K, 3) of the sample's `skeleton`
    in crop pixels, weight 0 outside the crop.
    """
    image = read_image(sample.image)
    keypoints = sample.keypoints
    box = _half_body_box(keypoints, rng, skeleton) if rng.random() < config.half_body else None
    matrix = _random_matrix(box or sample.box, size, rng, config)
    crop = warp_affine(image, matrix, size)
    points = keypoints.copy()
    points[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    if rng.random() < config.flip and skeleton.can_be_mirrored:
        crop, points = mirror(crop, points, skeleton)
    crop = _degrade(_recolour(crop, rng, config.colour), rng, config.blur)
    if rng.random() < config.cut_out:
        _cut_out(crop, rng)
    return crop, weight_outside(points, size)


def mirror(
    crop: NDArray[np.uint8], keypoints: NDArray[np.float32], skeleton: Skeleton = COCO_17
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The mirrored crop, its left and right keypoints exchanged."""
    points = keypoints[list(skeleton.flip_index)].copy()
    points[:, 0] = crop.shape[1] - 1 - points[:, 0]
    return np.ascontiguousarray(crop[:, ::-1]), points


def weight_outside(points: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Keypoints whose weight is 0 outside a crop of `size` = (h, w)."""
    inside = (points[:, :2] > -0.5).all(axis=1) & (points[:, 0] < size[1] - 0.5)
    inside &= points[:, 1] < size[0] - 0.5
    points[:, 2] *= inside
    return points


def _half_body_box(
    keypoints: NDArray[np.float32], rng: np.random.Generator, skeleton: Skeleton
) -> tuple[float, float, float, float] | None:
    upper = np.array([not name.endswith(_LOWER_BODY) for name in skeleton.keypoints])
    chosen = (upper if rng.random() < 0.6 else ~upper) & (keypoints[:, 2] > 0)
    if chosen.sum() < 4:
        return None
    points = keypoints[chosen, :2]
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.15 * (high - low).max()
    x, y = low - margin
    w, h = high - low + 2 * margin
    return float(x), float(y), float(w), float(h)


def _random_matrix(
    box: tuple[float, float, float, float],
    size: tuple[int, int],
    rng: np.random.Generator,
    config: AugmentConfig,
) -> NDArray[np.float32]:
    height, width = size
    region = region_around(box, aspect=width / height)
    angle = 0.0
    if rng.random() < 0.6:
        limit = 2 * config.rotation
        angle = float(np.clip(rng.normal(0, config.rotation), -limit, limit))
    factor = rng.uniform(*config.scale)
    center = np.array(region.center) - 0.5 + rng.normal(0, config.shift, 2) * region.h
    return crop_matrix(center, height / (region.h * factor), angle, size)


def crop_matrix(
    center: NDArray[np.float64], scale: float, angle: float, size: tuple[int, int]
) -> NDArray[np.float32]:
    """2 x 3 matrix from image pixels to the pixels of a crop of `size` = (h, w).

    Args:
        center: x, y of the image point (origin at a pixel's centre) that is the crop's middle.
        scale: crop pixels per image pixel.
        angle: degrees by which the picture turns clockwise.
        size: height and width.
    """
    radians = np.deg2rad(angle)
    turn = np.array([[np.cos(radians), -np.sin(radians)], [np.sin(radians), np.cos(radians)]])
    linear = scale * turn
    middle = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
    return np.column_stack([linear, middle - linear @ center]).astype(np.float32)


def warp_affine(
    image: NDArray[np.uint8], matrix: NDArray[np.float32], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """The crop of `size` = (h, w) that a `crop_matrix`, mirrored or not, cuts; black outside."""
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 0.5:  # average first, or the crop aliases
        factor = 1 / int(1 / scale)
        image = np.asarray(
            cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8
        )
        matrix = matrix.copy()
        matrix[:, 2] += matrix[:, :2] @ np.full(2, 0.5 / factor - 0.5, np.float32)
        matrix[:, :2] /= factor
    return np.asarray(cv2.warpAffine(image, matrix, (size[1], size[0])), dtype=np.uint8)


def _recolour(
    crop: NDArray[np.uint8], rng: np.random.Generator, strength: float
) -> NDArray[np.uint8]:
    """Brightness, contrast and white balance through one table per channel; at times grey."""
    gains = (1 + rng.uniform(-strength, strength)) * (1 + rng.normal(0, strength / 6, 3))
    offset = rng.uniform(-strength, strength) * 60
    gamma = np.exp(rng.normal(0, strength / 2))
    ramp = (np.arange(256) / 255) ** gamma * 255
    table = np.clip(ramp[:, None] * gains + offset, 0, 255).astype(np.uint8)[:, None, :]
    out = np.asarray(cv2.LUT(crop, table), dtype=np.uint8)
    if strength and rng.random() < 0.05:
        out = np.asarray(cv2.cvtColor(cv2.cvtColor(out, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))
    return out


def _degrade(
    crop: NDArray[np.uint8], rng: np.random.Generator, probability: float
) -> NDArray[np.uint8]:
    if rng.random() >= probability:
        return crop
    height, width = crop.shape[:2]
    if rng.random() < 0.5:
        blurred = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.5, 2.0))
        return np.asarray(blurred, dtype=np.uint8)
    factor = rng.uniform(0.25, 0.7)
    small = cv2.resize(crop, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height)), dtype=np.uint8)


def _cut_out(crop: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """Cover a rectangle somewhere in the crop, in place; covered joints keep their labels."""
    height, width = crop.shape[:2]
    side_y, side_x = (rng.uniform(0.1, 0.35, 2) * height).astype(int)
    y, x = int(rng.uniform(0, height - side_y)), int(rng.uniform(0, max(width - side_x, 1)))
    if rng.random() < 0.5:
        crop[y : y + side_y, x : x + side_x] = rng.integers(0, 256, 3)
        return
    # Another part of the same picture makes a more deceptive occluder than a flat colour.
    from_y, from_x = int(rng.uniform(0, height - side_y)), int(rng.uniform(0, width - side_x))
    patch = crop[from_y : from_y + side_y, from_x : from_x + side_x].copy()
    target = crop[y : y + side_y, x : x + side_x]
    target[:] = patch[: target.shape[0], : target.shape[1]]
