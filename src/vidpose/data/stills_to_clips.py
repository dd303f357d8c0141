"""Labelled stills to labelled clips: one image with keypoints becomes a short video of a person.

Limbs move by real or random motion and carry their pixels (`retarget`, `warp`), the whole body
moves by the camera's path, and a tracker cuts the crops (`camera`). Warp, camera and crop are one
map, so a pixel is resampled once. Keypoints are exact: they are that very map's inverse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vidpose.data.camera import CameraPath, Shake, Tracker, person_boxes
from vidpose.data.motion import Motion, MotionBank, random_motion
from vidpose.data.photometry import Degradation, Light, Occluders
from vidpose.data.retarget import Controls, retarget
from vidpose.data.warp import SplineMap, node_grid, rigid_mls
from vidpose.errors import DataError
from vidpose.skeleton import COCO_17

_CELLS = 20  # of the map's coarse grid along the clip's height
_STRENGTHS = (1.0, 0.5, 0.25, 0.125)  # of the limbs' motion: halved where the map folds
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
        area: a cell of the still may shrink or grow to these shares of its area...
        stretch: ...and be drawn out by at most this factor; else the limbs' motion is halved.
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
    max_displacement: float = 0.2
    path: float = 1.0
    max_step: float = 0.12
    area: tuple[float, float] = (0.2, 4.0)
    stretch: float = 3.0
    shake: Shake = field(default_factory=Shake)
    tracker: Tracker = field(default_factory=Tracker)
    light: Light = field(default_factory=Light)
    occluders: Occluders = field(default_factory=Occluders)
    degradation: Degradation = field(default_factory=Degradation)
    motion_blur: float = 0.15
    exposure: tuple[float, float] = (0.2, 0.9)

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
    """

    images: NDArray[np.uint8]
    keypoints: NDArray[np.float32]
    regions: NDArray[np.float32]
    articulation: float


def render_clip(
    image: NDArray[np.uint8],
    keypoints: NDArray[np.float32],
    box: tuple[float, float, float, float],
    *,
    frames: int,
    size: tuple[int, int],
    rng: np.random.Generator,
    config: ClipConfig,
    motion: MotionBank | None,
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
    person = max(box[2], box[3])
    drawn = _moderate(drawn, keypoints, config.max_displacement * person)
    # A turning torso is filmed partly by a turning camera: a warp alone bends the background.
    share = rng.uniform()
    roll = share * drawn.angles[:, 0]
    camera = _draw_camera(rng, drawn, roll, config, keypoints, box, stride)
    limbs = Motion(drawn.angles - roll[:, None], drawn.stretches, drawn.path)
    scene = _settle(rng, limbs, camera, keypoints, box, size, config)
    images = _render(rng, image, scene, config)
    images = config.occluders.apply(rng, images)
    images = config.light.apply(rng, images, stride)
    images = config.degradation.apply(rng, images)
    return Clip(images, _label(scene, keypoints), scene.regions.astype(np.float32), scene.strength)


@dataclass(frozen=True, slots=True)
class _Scene:
    """Geometry of a clip: everything but its pixels."""

    controls: Controls | None
    camera: CameraPath
    regions: NDArray[np.float64]
    map: SplineMap
    points: NDArray[np.float64]
    strength: float


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
    return replace(motion.scaled(config.articulation), path=np.cumsum(step, axis=0))


def _moderate(motion: Motion, keypoints: NDArray[np.float32], limit: float) -> Motion:
    """The motion, made weaker where it takes a joint further than `limit` pixels."""
    known = keypoints[:, 2] > 0
    away = retarget(keypoints, motion).joints[:, known] - keypoints[known, :2]
    furthest = float(np.hypot(away[..., 0], away[..., 1]).max())
    return motion.scaled(limit / furthest) if furthest > limit else motion


def _draw_camera(
    rng: np.random.Generator,
    motion: Motion,
    roll: NDArray[np.float64],
    config: ClipConfig,
    keypoints: NDArray[np.float32],
    box: tuple[float, float, float, float],
    stride: int,
) -> CameraPath:
    zoom_roll, pan = config.shake.path(rng, len(motion), stride)
    turn = np.radians(rng.uniform(-config.rotation_deg, config.rotation_deg))
    path = (motion.path + pan) * max(box[2], box[3])
    return CameraPath(
        center=complex(box[0] + box[2] / 2 - 0.5, box[1] + box[3] / 2 - 0.5),
        zoom_roll=zoom_roll * np.exp(1j * (turn + roll)),
        shift=path[:, 0] + 1j * path[:, 1],
        mirror=bool(rng.random() < config.flip),
    )


def _settle(
    rng: np.random.Generator,
    motion: Motion,
    camera: CameraPath,
    keypoints: NDArray[np.float32],
    box: tuple[float, float, float, float],
    size: tuple[int, int],
    config: ClipConfig,
) -> _Scene:
    """The strongest motion whose map is sound, down to none."""
    zoom = float(np.exp(rng.uniform(*np.log(config.scale))))
    seed = rng.integers(1 << 62)
    strengths = _STRENGTHS if np.any(motion.angles) or np.any(motion.stretches) else ()
    for strength in (*strengths, 0.0):
        controls = retarget(keypoints, motion.scaled(strength))
        joints = camera.to_frame(controls.joints)
        known = keypoints[:, 2] > 0
        boxes = person_boxes(joints, known, keypoints, camera, box)
        regions = config.tracker.regions(
            np.random.default_rng(seed), boxes, aspect=size[1] / size[0], zoom=zoom
        )
        anchored = _anchor(controls, box) if strength > 0 else None
        every = np.arange(len(motion))
        spline = _build_map(anchored, camera, regions, size, every, every)
        start = _to_crop(joints, regions, size)
        points, last = spline.invert(keypoints[:, :2].astype(np.float64), start)
        scene = _Scene(anchored, camera, regions, spline, points, strength)
        inside = _inside(start, size) | _inside(points, size)
        exact = last[inside & known] < 0.02
        if strength == 0 or (exact.all() and _sound(spline, regions, camera, config)):
            return scene
    raise AssertionError("the last strength always returns")


def _sound(
    spline: SplineMap, regions: NDArray[np.float64], camera: CameraPath, config: ClipConfig
) -> bool:
    """Whether no cell folds, collapses or is drawn out (relative to camera and crop)."""
    scale = regions[:, 3] / spline.size[0] / np.abs(camera.zoom_roll)
    area, side = spline.distortion()
    area = area / (-1 if camera.mirror else 1) / np.square(scale)[:, None, None]
    side = side / scale[:, None, None]
    low, high = config.area
    # The map goes from the clip to the still: what grows in the clip is small in the still.
    return bool(area.min() > 1 / high and area.max() < 1 / low and side.max() < config.stretch)


def _anchor(controls: Controls, box: tuple[float, float, float, float]) -> Controls:
    """The controls with fixed points added around all that moves, which hold the background."""
    everything = np.concatenate([controls.source[None], controls.target]).reshape(-1, 2)
    corner = np.array(box[:2])
    low = np.minimum(everything.min(axis=0), corner)
    high = np.maximum(everything.max(axis=0), corner + box[2:])
    margin = 0.25 * float((high - low).max())
    low, high = low - margin, high + margin
    share = np.arange(5) / 4
    ring = [(s, e) for s in share for e in (0.0, 1.0)] + [
        (e, s) for s in share[1:-1] for e in (0, 1)
    ]
    fixed = low + np.array(ring) * (high - low)
    every = np.broadcast_to(fixed, (len(controls.target), *fixed.shape))
    return Controls(
        controls.joints,
        np.concatenate([controls.source, fixed]),
        np.concatenate([controls.target, every], axis=1),
    )


def _build_map(
    controls: Controls | None,
    camera: CameraPath,
    regions: NDArray[np.float64],
    size: tuple[int, int],
    at: NDArray[np.intp],
    scene_at: NDArray[np.intp],
) -> SplineMap:
    """Maps from the crops of frames `at` to the still, with the scene as in frames `scene_at`."""
    step = size[0] / _CELLS
    nodes = node_grid(size, step)
    region = regions[at][:, None, None]
    in_frame = region[..., :2] + (nodes + 0.5) * region[..., 2:] / (size[1], size[0]) - 0.5
    plane = camera.take(scene_at).to_still(in_frame)
    if controls is not None:
        flat = plane.reshape(len(at), -1, 2)
        plane = rigid_mls(flat, controls.target[scene_at], controls.source).reshape(plane.shape)
    return SplineMap(plane, size, step)


def _to_crop(
    points: NDArray[np.float64], regions: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.float64]:
    scale = regions[:, None, 2:] / (size[1], size[0])
    return np.asarray((points + 0.5 - regions[:, None, :2]) / scale - 0.5, dtype=np.float64)


def _inside(points: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.bool_]:
    x, y = points[..., 0], points[..., 1]
    return (x >= -0.5) & (x < size[1] - 0.5) & (y >= -0.5) & (y < size[0] - 0.5)


def _label(scene: _Scene, keypoints: NDArray[np.float32]) -> NDArray[np.float32]:
    """Keypoints (T, 17, 3) of the crops; the sides change places where the clip is mirrored."""
    inside = _inside(scene.points, scene.map.size)
    weight = np.where(inside, keypoints[:, 2], 0.0)
    labels = np.concatenate([scene.points, weight[..., None]], axis=-1).astype(np.float32)
    labels[weight == 0] = 0.0
    return labels[:, _FLIP] if scene.camera.mirror else labels


def _render(
    rng: np.random.Generator, image: NDArray[np.uint8], scene: _Scene, config: ClipConfig
) -> NDArray[np.uint8]:
    frames = len(scene.regions)
    blurred = rng.random() < config.motion_blur and frames > 1
    exposure = rng.uniform(*config.exposure)
    steps = _velocity(scene) * exposure if blurred else np.zeros_like(scene.map.nodes)
    fastest = float(np.abs(steps).max())
    shots = int(np.clip(np.ceil(fastest / 2), 2, 6)) if blurred else 1
    picture, to_picture = _prefilter(image, scene)
    when = np.linspace(-0.5, 0.5, shots) if shots > 1 else np.zeros(1)
    out = np.empty((frames, *scene.map.size, 3), np.uint8)
    maps = [
        SplineMap(
            to_picture(scene.map.nodes + share * steps), scene.map.size, scene.map.step
        ).dense()
        for share in when
    ]
    for index in range(frames):
        shown = [
            cv2.remap(picture, dense[index, 0], dense[index, 1], cv2.INTER_LINEAR) for dense in maps
        ]
        out[index] = shown[0] if shots == 1 else np.mean(shown, axis=0).round()
    return out


def _velocity(scene: _Scene) -> NDArray[np.float64]:
    """How the maps change from frame to frame with the crops held still; (T, rows, columns, 2)."""
    size, frames = scene.map.size, len(scene.regions)
    at = np.arange(frames)
    after, before = np.minimum(at + 1, frames - 1), np.maximum(at - 1, 0)
    maps = [
        _build_map(scene.controls, scene.camera, scene.regions, size, at, scene_at).nodes
        for scene_at in (after, before)
    ]
    return np.asarray((maps[0] - maps[1]) / (after - before)[:, None, None, None])


def _prefilter(
    image: NDArray[np.uint8], scene: _Scene
) -> tuple[NDArray[np.uint8], Callable[[NDArray[np.float64]], NDArray[np.float64]]]:
    """The image, averaged to a smaller one where the crops would alias, and the way into it."""
    scale = scene.regions[:, 3] / scene.map.size[0] / np.abs(scene.camera.zoom_roll)
    factor = int(scale.min())
    if factor < 2:
        return image, lambda nodes: nodes
    rows, columns = max(image.shape[0] // factor, 1), max(image.shape[1] // factor, 1)
    part = image[: rows * factor, : columns * factor]
    small = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8), lambda nodes: (nodes + 0.5) / factor - 0.5
