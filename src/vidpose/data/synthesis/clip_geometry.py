"""Where every pixel and every joint of a clip comes from: warp, camera and crop as one map.

The limbs' motion is made weaker, limb by limb, until the map is sound: nowhere folded, collapsed or
drawn out. Points of the plane are complex numbers here, x + iy, in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidpose.data.bounds import check_bounds
from vidpose.data.synthesis.crop_jitter import CameraPath, CropJitter, Crops, person_boxes
from vidpose.data.synthesis.limb_motion import LIMBS, Motion
from vidpose.data.synthesis.retarget import Controls, blame, retarget
from vidpose.data.synthesis.warp import Points, SplineMap, node_grid, rigid_mls, stretches
from vidpose.inference.boxes import Box

_CELLS = 16  # of the map's grid along the crop's height
_ROUNDS = 8  # of weakening before the limbs' motion is given up
_MARGIN = 0.35  # between all that moves and the fixed points around it, as a share of its size
_AROUND = np.array([0, 1, -1, 1j, -1j]) / 64  # a joint's surroundings, as shares of the height
_CONVERGED = 0.02  # crop pixels that the last step of a keypoint's search may still go


@dataclass(frozen=True, slots=True)
class Soundness:
    """How far a warp may stretch or squeeze a still, apart from camera and crop.

    A limit of s allows any small line to become up to s times longer or shorter. Folds break every
    limit.

    Attributes:
        anywhere: the limit for every piece of the crops.
        joints: the limit at and around known joints, whose appearance should last.
    """

    anywhere: float = 4.0
    joints: float = 2.0

    def __post_init__(self) -> None:
        check_bounds(
            self,
            {
                "anywhere": (1, 1000),
                "joints": (1, 1000),
            },
        )


@dataclass(frozen=True, slots=True)
class Shot:
    """A still and how it is filmed, over T frames.

    Attributes:
        keypoints: float32 (17, 3): the still's joints and weights, at least one above 0.
        box: the person's x, y, w, h in the still, edge coordinates.
        camera: from the still's plane to the frames.
        tracker: cuts the crops.
        jitter: seed of the tracker's errors.
        size: height and width of the crops.
        zoom: factor on the sides of the crops' regions.
    """

    keypoints: NDArray[np.float32]
    box: Box
    camera: CameraPath
    tracker: CropJitter
    jitter: int
    size: tuple[int, int]
    zoom: float

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which joints have a weight: (17,)."""
        return self.keypoints[:, 2] > 0

    @property
    def still(self) -> Points:
        """The still's joints: (17,)."""
        return np.asarray(self.keypoints[:, 0] + 1j * self.keypoints[:, 1], dtype=np.complex128)


@dataclass(frozen=True, slots=True)
class Scene:
    """The geometry of a clip of T frames.

    Attributes:
        shot: what was filmed.
        controls: what holds and moves the warp; None where nothing is warped.
        crops: where the tracker cut them.
        warp: the map from the crops' pixels to the still.
        points: complex128 (T, 17): joints in the crops; meaningless for unknown ones.
        misses: float64 (T, 17): how far, in crop pixels, the search for each joint was still from
            its end.
        articulation: mean share of the limbs' motion that was left, 0 to 1.
    """

    shot: Shot
    controls: Controls | None
    crops: Crops
    warp: SplineMap
    points: Points
    misses: NDArray[np.float64]
    articulation: float

    @property
    def scale(self) -> NDArray[np.float64]:
        """Pixels of the still for one of the clip, unwarped: (T,), negative if mirrored."""
        sign = -1 if self.shot.camera.mirror else 1
        return np.asarray(sign * self.crops.scale / np.abs(self.shot.camera.zoom_roll))

    def velocity(self) -> Points:
        """How the map's nodes change in one frame's time, with the crop held still.

        complex128 (T, rows, columns), in pixels of the still.
        """
        frames = np.arange(len(self.points))
        after, before = np.minimum(frames + 1, frames[-1]), np.maximum(frames - 1, 0)
        late, early = (
            _source(self.shot, self.controls, self.crops, at).nodes for at in (after, before)
        )
        return np.asarray((late - early) / np.maximum(after - before, 1)[:, None, None])


def build_scene(shot: Shot, motion: Motion, soundness: Soundness) -> Scene:
    """The geometry with as much of the limbs' motion as stays sound.

    The motion's path does not matter: it is the camera's.
    """
    strengths = np.ones(len(LIMBS))
    if not (motion.angles.any() or motion.stretches.any()):
        strengths[:] = 0.0
    for _ in range(_ROUNDS):
        controls = retarget(shot.keypoints, motion.weakened(strengths))
        scene = _film(shot, controls, strengths)
        if not strengths.any():
            return scene
        frames, places = _faults(scene, controls, soundness)
        if len(frames) == 0:
            return scene
        strengths = strengths * blame(controls, frames, places)
    still = np.zeros(len(LIMBS))
    return _film(shot, retarget(shot.keypoints, motion.weakened(still)), still)


def carry(scene: Scene, still: Points) -> tuple[Points, NDArray[np.bool_]]:
    """Where points (P,) of the still lie in the crops (T, P), and whether they were found."""
    shot, crops, controls = scene.shot, scene.crops, scene.controls
    plane = np.tile(still.astype(np.complex128), (len(scene.points), 1))
    if controls is not None:
        source = controls.source[None]
        plane = np.concatenate(
            [rigid_mls(still[None], source, target) for target in controls.target]
        )
    start = crops.to_crop(shot.camera.to_frame(plane))
    points, misses = scene.warp.invert(still, start)
    return points, misses <= _CONVERGED


def _film(shot: Shot, controls: Controls, strengths: NDArray[np.float64]) -> Scene:
    """Film the moved controls, cut the crops and find the joints in them."""
    known, still = shot.known, shot.still
    joints = shot.camera.to_frame(controls.joints)
    boxes = person_boxes(joints[:, known], still[known], shot.box, shot.camera)
    regions = shot.tracker.regions(
        np.random.default_rng(shot.jitter),
        boxes,
        aspect=shot.size[1] / shot.size[0],
        zoom=shot.zoom,
    )
    crops = Crops(regions, shot.size)
    held = _hold(controls, shot.box) if strengths.any() else None
    warp = _source(shot, held, crops, np.arange(len(regions)))
    points = crops.to_crop(joints)
    misses = np.zeros(points.shape)
    points[:, known], misses[:, known] = warp.invert(still[known], points[:, known])
    return Scene(shot, held, crops, warp, points, misses, float(strengths.mean()))


def _source(shot: Shot, controls: Controls | None, crops: Crops, at: NDArray[np.intp]) -> SplineMap:
    """Maps from the crops to the still, with camera and limbs as they are in the frames `at`."""
    step = shot.size[0] / _CELLS
    nodes = node_grid(shot.size, step)
    plane = shot.camera.take(at).to_still(crops.to_frame(nodes[None]))
    if controls is not None:
        flat = plane.reshape(len(plane), -1)
        plane = rigid_mls(flat, controls.target[at], controls.source).reshape(plane.shape)
    return SplineMap(plane, shot.size, step)


def _faults(
    scene: Scene, controls: Controls, soundness: Soundness
) -> tuple[NDArray[np.intp], Points]:
    """Where the map breaks the limits: frames (M,) and places (M,) in the moved still's plane."""
    shot, crops = scene.shot, scene.crops
    centers, along_x, along_y = scene.warp.slopes()
    frame, row, column = np.nonzero(_beyond(soundness.anywhere, along_x, along_y, scene.scale))
    in_frame = crops.take(frame).to_frame(centers[row, column])
    place = shot.camera.take(frame).to_still(in_frame)
    around = scene.points[..., None] + _AROUND * shot.size[0]
    _, along_x, along_y = scene.warp.at(around.reshape(len(around), -1))
    bent = _beyond(soundness.joints, along_x, along_y, scene.scale).reshape(around.shape)
    bad = bent.any(axis=-1) | (scene.misses > _CONVERGED)
    expected = crops.to_crop(shot.camera.to_frame(controls.joints))
    near = crops.contain(expected) | crops.contain(scene.points)
    bad_frame, joint = np.nonzero(bad & near & shot.known)
    return (
        np.concatenate([frame, bad_frame]),
        np.concatenate([place, controls.joints[bad_frame, joint]]),
    )


def _beyond(
    limit: float, along_x: Points, along_y: Points, scale: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Where a map with these derivatives (T, ...) stretches or squeezes beyond a limit."""
    scale = scale.reshape(-1, *[1] * (along_x.ndim - 1))
    # A mirrored clip's map mirrors everywhere; mirrored once more, it should not.
    least, greatest = stretches(along_x * np.sign(scale), along_y)
    return np.asarray((least < np.abs(scale) / limit) | (greatest > np.abs(scale) * limit))


def _hold(controls: Controls, box: Box) -> Controls:
    """The controls with fixed points added around all that moves, which hold the background."""
    everything = np.append(controls.target, controls.source)
    left, right = min(everything.real.min(), box[0]), max(everything.real.max(), box[0] + box[2])
    top, bottom = min(everything.imag.min(), box[1]), max(everything.imag.max(), box[1] + box[3])
    margin = _MARGIN * max(right - left, bottom - top)
    x = np.linspace(left - margin, right + margin, 5)
    y = np.linspace(top - margin, bottom + margin, 5)
    grid = x + 1j * y[:, None]
    ring = np.concatenate([grid[0], grid[-1], grid[1:-1, 0], grid[1:-1, -1]])
    fixed = np.broadcast_to(ring, (len(controls.target), len(ring)))
    return Controls(
        controls.joints,
        np.append(controls.source, ring),
        np.concatenate([controls.target, fixed], axis=1),
        controls.limbs,
    )
