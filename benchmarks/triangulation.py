"""Several calibrated cameras on one scene: triangulation and reprojection error.

Where no labels exist, cameras that look from different sides still check each other: a joint
found rightly in all of them meets in one point of space. The error left, in pixels, measures a
pose network without any ground truth (it cannot see an error that all cameras share).
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from vidpose.errors import DataError


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera with lens distortion.

    x_camera = rotation (3, 3) @ x_world + translation (3,), metres; `matrix` (3, 3) is the
    intrinsic matrix in pixels, `distortion` OpenCV's (k1, k2, p1, p2, ...), `size` (w, h).
    """

    name: str
    size: tuple[int, int]
    matrix: NDArray[np.float64]
    distortion: NDArray[np.float64]
    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]

    def project(self, points: ArrayLike) -> NDArray[np.float64]:
        """Pixels (N, 2) of world points (N, 3); NaN in, NaN out."""
        world = np.asarray(points, np.float64).reshape(-1, 1, 3)
        if not world.size:  # OpenCV refuses to project nothing
            return np.zeros((0, 2))
        rotation, _ = cv2.Rodrigues(self.rotation)
        pixels, _ = cv2.projectPoints(
            world, rotation, self.translation, self.matrix, self.distortion
        )
        return np.asarray(pixels, np.float64).reshape(-1, 2)

    def rays(self, points: ArrayLike) -> NDArray[np.float64]:
        """Normalised image coordinates (N, 2) of pixels (N, 2), the lens taken out."""
        pixels = np.asarray(points, np.float64).reshape(-1, 1, 2)
        if not pixels.size:
            return np.zeros((0, 2))
        undistorted = cv2.undistortPoints(pixels, self.matrix, self.distortion)
        return np.asarray(undistorted, np.float64).reshape(-1, 2)


def read_qualisys(path: Path) -> tuple[Camera, ...]:
    """The cameras of a Qualisys calibration (`.qca.txt`, XML), translations in metres.

    Raises DataError where the file is not one.
    """
    try:
        root = ElementTree.parse(path).getroot()
        cameras = tuple(_qualisys_camera(node) for node in root.iter("camera"))
    except (OSError, ElementTree.ParseError, KeyError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: not a readable Qualisys calibration: {error}") from error
    if not cameras:
        raise DataError(f"{path}: the calibration holds no camera")
    return cameras


def _qualisys_camera(node: ElementTree.Element) -> Camera:
    view, lens, pose = (_attributes(node, tag) for tag in ("fov_video", "intrinsic", "transform"))
    # Lengths in the intrinsics are 1/64 pixel.
    focal = lens["focalLengthU"] / 64, lens["focalLengthV"] / 64
    centre = lens["centerPointU"] / 64 - view["left"], lens["centerPointV"] / 64 - view["top"]
    names = ["radialDistortion1", "radialDistortion2", "tangentalDistortion1"]
    names += ["tangentalDistortion2", "radialDistortion3"]
    # The rotation is stored by columns, camera to world, and the camera looks along -z.
    turn = np.array([[pose[f"r{i}{j}"] for i in (1, 2, 3)] for j in (1, 2, 3)])
    flip = np.diag([1.0, -1.0, -1.0])
    rotation = flip @ turn.T
    position = np.array([pose["x"], pose["y"], pose["z"]]) / 1000
    return Camera(
        name=node.attrib["serial"],
        size=(int(view["right"] - view["left"]) + 1, int(view["bottom"] - view["top"]) + 1),
        matrix=np.array([[focal[0], 0, centre[0]], [0, focal[1], centre[1]], [0, 0, 1.0]]),
        distortion=np.array([lens[name] for name in names]),
        rotation=rotation,
        translation=-rotation @ position,
    )


def _attributes(node: ElementTree.Element, tag: str) -> dict[str, float]:
    child = node.find(tag)
    if child is None:
        raise ValueError(f"camera without <{tag}>")
    numbers = {}
    for name, text in child.attrib.items():
        try:
            numbers[name] = float(text)
        except ValueError:
            continue
    return numbers


def triangulate(
    points: ArrayLike, confidence: ArrayLike, cameras: tuple[Camera, ...]
) -> NDArray[np.float64]:
    """World points (N, 3) from pixels (C, N, 2) and confidences (C, N) of C cameras.

    The direct linear transform on undistorted rays, each camera's two equations weighted by its
    confidence. NaN where fewer than two cameras see the point with a positive confidence.
    """
    pixels, weight = np.asarray(points, float), np.asarray(confidence, float)
    usable = (weight > 0) & np.isfinite(pixels).all(axis=-1)
    weight = np.where(usable, weight, 0.0)
    rows = []
    for index, camera in enumerate(cameras):
        rays = camera.rays(np.where(usable[index, :, None], pixels[index], 0.0))
        view = np.column_stack([camera.rotation, camera.translation])
        for axis in (0, 1):
            equation = rays[:, axis, None] * view[2] - view[axis]
            rows.append(equation * weight[index, :, None])
    _, _, basis = np.linalg.svd(np.stack(rows, axis=1), full_matrices=True)
    homogeneous = basis[:, -1]
    seen = usable.sum(axis=0) >= 2
    scale = np.where(seen & (homogeneous[:, 3] != 0), homogeneous[:, 3], np.nan)
    solved: NDArray[np.float64] = homogeneous[:, :3] / scale[:, None]
    return solved


def reprojection_error(
    world: ArrayLike, points: ArrayLike, cameras: tuple[Camera, ...]
) -> NDArray[np.float64]:
    """Distances (C, N) in pixels between world points (N, 3) seen by C cameras and `points`."""
    pixels = np.asarray(points, float)
    projected = np.stack([camera.project(world) for camera in cameras])
    distance: NDArray[np.float64] = np.linalg.norm(projected - pixels[..., :2], axis=-1)
    return distance


def held_out_error(
    points: ArrayLike, confidence: ArrayLike, cameras: tuple[Camera, ...]
) -> NDArray[np.float64]:
    """Distances (C, N): each camera's pixels against the point that the others alone agree on.

    Harsher than the reprojection error, which a camera's own error pulls towards itself. NaN
    where the camera itself, or all but one of the others, has no confidence.
    """
    pixels, weight = np.asarray(points, float), np.asarray(confidence, float)
    errors = np.full(weight.shape, np.nan)
    for index, camera in enumerate(cameras):
        others = weight.copy()
        others[index] = 0
        world = triangulate(pixels, others, cameras)
        distance = np.linalg.norm(camera.project(world) - pixels[index, :, :2], axis=-1)
        errors[index] = np.where(weight[index] > 0, distance, np.nan)
    return errors
