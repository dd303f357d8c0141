"""Labelled stills to labelled clips: one image with keypoints becomes a short video of a person.

Limbs move by real or random motion and carry their pixels (`retarget`, `warp`), the whole body
moves by the camera's path, and a tracker cuts the crops (`camera`). Warp, camera and crop are one
map, so a pixel is resampled once. Keypoints are exact: they are found in that very map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vidpose.data.bounds import FACTOR, SHARE, STRENGTH, check_bounds
from vidpose.data.synthesis.clip_geometry import Scene, Shot, Soundness, build_scene, carry
from vidpose.data.synthesis.crop_jitter import CameraPath, CropJitter, Shake
from vidpose.data.synthesis.limb_motion import LIMBS, Motion, MotionBank, random_motion
from vidpose.data.synthesis.photometry import Degradation, Light, Occluders
from vidpose.data.synthesis.retarget import retarget
from vidpose.errors import DataError
from vidpose.inference.boxes import Box
from vidpose.skeleton import COCO_17

_BLUR_STEP = 2.0  # pixels between the moments that motion blur is the mean of...
_MAX_SHOTS = 6  # ...but no more moments than these
_FLIP = list(COCO_17.flip_index)


@dataclass(frozen=True, slots=True)
class ClipConfig:
    """How strong everything is. Lengths are in sizes of the person: the box's longer side.

    Attributes:
        flip: probability of mirroring the clip.
        rotation_deg: the clip is turned by up to this angle, evenly drawn.
        scale: factor on the tracker's regions, smallest and largest, evenly drawn in logarithm.
        stride: frames of 30 Hz video between two of the clip's, smallest and largest.
        articulation: strength of the limbs' motion; 0 leaves the pose as it is.
        tracks: share of clips that borrow a real track's motion where a bank is given.
        max_displacement: a joint moves at most about this far from its place in the still.
        path: strength of the whole body's motion through the frame.
        max_step: the body's path goes at most this far from frame to frame.
        soundness: what the warp may do to the image before the limbs' motion is made weaker.
        shake, tracker, light, occluders, degradation: see there.
        motion_blur: probability of motion blur.
        exposure: share of the time between two frames that the shutter is open, lowest and highest.
    """

    flip: float = 0.5
    rotation_deg: float = 30.0
    scale: tuple[float, float] = (0.75, 1.3)
    stride: tuple[int, int] = (1, 3)
    articulation: float = 1.0
    tracks: float = 0.8
    max_displacement: float = 0.35
    path: float = 1.0
    max_step: float = 0.12
    soundness: Soundness = field(default_factory=Soundness)
    shake: Shake = field(default_factory=Shake)
    tracker: CropJitter = field(default_factory=CropJitter)
    light: Light = field(default_factory=Light)
    occluders: Occluders = field(default_factory=Occluders)
    degradation: Degradation = field(default_factory=Degradation)
    motion_blur: float = 0.15
    exposure: tuple[float, float] = (0.2, 0.9)

    def __post_init__(self) -> None:
        check_bounds(
            self,
            {
                "flip": SHARE,
                "rotation_deg": (0, 180),
                "scale": FACTOR,
                "stride": (1, 30),
                "articulation": STRENGTH,
                "tracks": SHARE,
                "max_displacement": STRENGTH,
                "path": STRENGTH,
                "max_step": STRENGTH,
                "motion_blur": SHARE,
                "exposure": SHARE,
            },
        )

    def still(self) -> ClipConfig:
        """The same without articulated motion: camera, tracker and light alone."""
        return replace(self, articulation=0.0)


@dataclass(frozen=True, slots=True)
class Clip:
    """The tracker's crops of T frames.

    Attributes:
        images: uint8 RGB (T, height, width, 3).
        keypoints: float32 (T, 17, 3): x, y in crop pixels (the top-left pixel's centre is 0, 0)
            and the still's weight; weight 0 where the joint is unknown or outside the crop.
            Joints behind an occluder keep their weight.
        regions: float32 (T, 4): the crops' x, y, w, h in the video frames' pixels.
        articulation: the share of the drawn limb motion that the quality check left, 0 to 1.
        carried: float32 (T, P, 3) in the same way, of further points; None unless given.
    """

    images: NDArray[np.uint8]
    keypoints: NDArray[np.float32]
    regions: NDArray[np.float32]
    articulation: float
    carried: NDArray[np.float32] | None = None


def render_clip(
    image: NDArray[np.uint8],
    keypoints: NDArray[np.float32],
    box: Box,
    *,
    frames: int,
    size: tuple[int, int],
    rng: np.random.Generator,
    config: ClipConfig,
    motion: MotionBank | None,
    carried: tuple[NDArray[np.float32], Sequence[int]] | None = None,
) -> Clip:
    """Make a clip of a labelled still.

    Args:
        image: uint8 RGB (H, W, 3).
        keypoints: float32 (17, 3) COCO joints: x, y in pixels, weight (0: unknown).
        box: the person's x, y, w, h in pixels, edge coordinates.
        frames: T, at least 1.
        size: height and width of the crops in pixels.
        rng: all that is random comes from here: the same state gives the same clip.
        config: strengths.
        motion: real tracks to borrow motion from; None for smooth random motion alone.
        carried: further points (P, 3) as the keypoints are, which move nothing and go with the
            picture, and which takes the place of each in a mirrored clip.

    Raises:
        DataError: the still has no known keypoint, or its box is empty.
    """
    known = keypoints[:, 2] > 0
    if not known.any():
        raise DataError(
            "a still needs at least one keypoint with a weight above 0 to become a clip"
        )
    if not (box[2] > 0 and box[3] > 0):
        raise DataError(f"a still's box must have a positive width and height, got {box}")
    stride = int(rng.integers(config.stride[0], config.stride[1] + 1))
    drawn = _draw_motion(rng, frames, stride, config, motion)
    limbs = _moderate(drawn, keypoints, config.max_displacement * max(box[2], box[3]))
    # A turning torso is filmed partly by a turning camera: a warp alone bends the background.
    roll = rng.uniform() * limbs.angles[:, :1]
    shot = Shot(
        keypoints=keypoints,
        box=box,
        camera=_draw_camera(rng, limbs.path, roll[:, 0], config, box, stride),
        tracker=config.tracker,
        jitter=int(rng.integers(1 << 62)),
        size=size,
        zoom=float(np.exp(rng.uniform(*np.log(config.scale)))),
    )
    scene = build_scene(shot, replace(limbs, angles=limbs.angles - roll), config.soundness)
    images = _render(rng, image, scene, config)
    images = config.occluders.apply(rng, images)
    images = config.light.apply(rng, images, stride)
    images = config.degradation.apply(rng, images)
    regions = scene.crops.regions.astype(np.float32)
    more = None if carried is None else _label_carried(scene, *carried)
    return Clip(images, _label(scene), regions, scene.articulation, more)


def _draw_motion(
    rng: np.random.Generator, frames: int, stride: int, config: ClipConfig, bank: MotionBank | None
) -> Motion:
    if bank is not None and rng.random() < config.tracks:
        motion = bank.sample(rng, frames, stride=stride)
    else:
        motion = random_motion(rng, frames, stride=stride)
    step = np.diff(motion.path, axis=0, prepend=motion.path[:1])
    length = np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-9)
    step *= np.minimum(config.path, config.max_step / length)[:, None]
    strengths = np.full(len(LIMBS), config.articulation)
    return replace(motion.weakened(strengths), path=np.cumsum(step, axis=0))


def _moderate(motion: Motion, keypoints: NDArray[np.float32], limit: float) -> Motion:
    """The motion, made weaker where it takes a joint further than `limit` pixels."""
    known = keypoints[:, 2] > 0
    still = keypoints[known, 0] + 1j * keypoints[known, 1]
    furthest = float(np.abs(retarget(keypoints, motion).joints[:, known] - still).max())
    return motion.weakened(np.full(len(LIMBS), limit / furthest)) if furthest > limit else motion


def _draw_camera(
    rng: np.random.Generator,
    path: NDArray[np.float64],
    roll: NDArray[np.float64],
    config: ClipConfig,
    box: Box,
    stride: int,
) -> CameraPath:
    zoom_roll, pan = config.shake.path(rng, len(path), stride)
    turn = np.radians(rng.uniform(-config.rotation_deg, config.rotation_deg))
    mirror = bool(rng.random() < config.flip)
    return CameraPath(
        center=complex(box[0] + box[2] / 2 - 0.5, box[1] + box[3] / 2 - 0.5),
        zoom_roll=zoom_roll * np.exp(1j * (turn + (-roll if mirror else roll))),
        shift=(path[:, 0] + 1j * path[:, 1] + pan) * max(box[2], box[3]),
        mirror=mirror,
    )


def _label(scene: Scene) -> NDArray[np.float32]:
    """Keypoints (T, 17, 3) of the crops; the sides change places where the clip is mirrored."""
    weight = np.where(scene.crops.contain(scene.points), scene.shot.keypoints[:, 2], 0.0)
    labels = np.stack([scene.points.real, scene.points.imag, weight], axis=-1).astype(np.float32)
    labels[weight <= 0] = 0.0
    return labels[:, _FLIP] if scene.shot.camera.mirror else labels


def _label_carried(
    scene: Scene, points: NDArray[np.float32], flip: Sequence[int]
) -> NDArray[np.float32]:
    """Keypoints (T, P, 3) of points of the still in the crops."""
    places, sure = carry(scene, points[:, 0] + 1j * points[:, 1])
    weight = np.where(scene.crops.contain(places) & sure, points[:, 2], 0.0)
    labels = np.stack([places.real, places.imag, weight], axis=-1).astype(np.float32)
    labels[weight <= 0] = 0.0
    return labels[:, list(flip)] if scene.shot.camera.mirror else labels


def _render(
    rng: np.random.Generator, image: NDArray[np.uint8], scene: Scene, config: ClipConfig
) -> NDArray[np.uint8]:
    """The crops' pixels, sharp or as the mean of several moments while the shutter is open."""
    warp, shots = scene.warp, [scene.warp.nodes]
    if rng.random() < config.motion_blur and len(scene.points) > 1:
        way = scene.velocity() * rng.uniform(*config.exposure)
        longest = float((np.abs(way) / np.abs(scene.scale)[:, None, None]).max())
        count = int(np.clip(np.ceil(longest / _BLUR_STEP), 2, _MAX_SHOTS))
        shots = [warp.nodes + share * way for share in np.linspace(-0.5, 0.5, count)]
    picture, factor = _prefilter(image, scene)
    half = 0.5 + 0.5j
    maps = [
        replace(warp, nodes=(nodes + half) / factor - half if factor > 1 else nodes).dense()
        for nodes in shots
    ]
    out = np.empty((len(scene.points), *warp.size, 3), np.uint8)
    for index in range(len(out)):
        shown = [cv2.remap(picture, x[index], y[index], cv2.INTER_LINEAR) for x, y in maps]
        out[index] = np.sum(shown, axis=0, dtype=np.uint16) // len(shown) if shown[1:] else shown[0]
    return out


def _prefilter(image: NDArray[np.uint8], scene: Scene) -> tuple[NDArray[np.uint8], int]:
    """The image, averaged to one smaller by a whole factor where the crops would alias."""
    factor = int(np.abs(scene.scale).min())
    if factor < 2:
        return image, 1
    rows, columns = max(image.shape[0] // factor, 1), max(image.shape[1] // factor, 1)
    part = image[: rows * factor, : columns * factor]
    small = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8), factor
