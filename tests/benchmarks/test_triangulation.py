"""Triangulation: synthetic cameras, OpenCV as the oracle, and the real calibration file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from triangulation import (
    Camera,
    held_out_error,
    read_qualisys,
    reprojection_error,
    triangulate,
)

from vidpose.errors import DataError

CALIBRATION = """<?xml version='1.0' encoding='ASCII'?>
<calibration><cameras><camera serial="left">
<fov_video bottom="479" left="0" right="639" top="0"/>
<transform r11="1" r12="0" r13="0" r21="0" r22="1" r23="0" r31="0" r32="0" r33="1"
 x="1000" y="2000" z="3000"/>
<intrinsic focalLengthU="32000" focalLengthV="32000" centerPointU="20480" centerPointV="15360"
 radialDistortion1="0" radialDistortion2="0" radialDistortion3="0" tangentalDistortion1="0"
 tangentalDistortion2="0" skew="0"/>
</camera></cameras></calibration>"""


def ring(count: int = 4, distortion: float = -0.1) -> tuple[Camera, ...]:
    """Cameras on a circle of 4 m, all looking at the origin."""
    cameras = []
    for index in range(count):
        angle = 2 * np.pi * index / count + 0.3
        position = np.array([4 * np.cos(angle), 4 * np.sin(angle), 1.0])
        forward = -position / np.linalg.norm(position)
        right = np.cross(forward, [0, 0, 1.0])
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(forward, right), forward])
        matrix = np.array([[900.0, 0, 320], [0, 900, 240], [0, 0, 1]])
        lens = np.array([distortion, 0.05, 0.001, -0.002])
        shift = -rotation @ position
        cameras.append(Camera(f"c{index}", (640, 480), matrix, lens, rotation, shift))
    return tuple(cameras)


def scene(cameras: tuple[Camera, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    world = np.random.default_rng(0).uniform(-0.8, 0.8, (30, 3))
    return world, np.stack([camera.project(world) for camera in cameras])


def test_projected_points_come_back_through_the_distortion() -> None:
    cameras = ring()
    world, pixels = scene(cameras)
    solved = triangulate(pixels, np.ones(pixels.shape[:2]), cameras)
    np.testing.assert_allclose(solved, world, atol=1e-4)
    assert reprojection_error(solved, pixels, cameras).max() < 0.05


def test_two_cameras_agree_with_opencv() -> None:
    cameras = ring(2, distortion=0.0)
    cameras = tuple(
        Camera(c.name, c.size, c.matrix, np.zeros(4), c.rotation, c.translation) for c in cameras
    )
    _, pixels = scene(cameras)
    pixels = pixels + np.random.default_rng(1).normal(0, 2, pixels.shape)
    views = [np.column_stack([c.rotation, c.translation]) for c in cameras]
    rays = [c.rays(p).T for c, p in zip(cameras, pixels, strict=True)]
    expected = cv2.triangulatePoints(views[0], views[1], rays[0], rays[1])
    solved = triangulate(pixels, np.ones(pixels.shape[:2]), cameras)
    np.testing.assert_allclose(solved, (expected[:3] / expected[3]).T, atol=1e-9)


def test_unsure_camera_is_outvoted() -> None:
    cameras = ring()
    world, pixels = scene(cameras)
    pixels[2] += 60
    equal = triangulate(pixels, np.ones(pixels.shape[:2]), cameras)
    weights = np.ones(pixels.shape[:2])
    weights[2] = 0.01
    weighted = triangulate(pixels, weights, cameras)
    wrong = np.linalg.norm(equal - world, axis=1).mean()
    assert wrong > 0.02
    assert np.linalg.norm(weighted - world, axis=1).mean() < wrong / 50
    weights[2] = 0
    np.testing.assert_allclose(triangulate(pixels, weights, cameras), world, atol=1e-4)


def test_one_view_is_not_enough() -> None:
    cameras = ring(3)
    world, pixels = scene(cameras)
    weights = np.ones(pixels.shape[:2])
    weights[1:, 0] = 0
    pixels[2, 1] = np.nan
    solved = triangulate(pixels, weights, cameras)
    assert np.isnan(solved[0]).all()
    np.testing.assert_allclose(solved[1:], world[1:], atol=1e-4)
    assert np.isnan(reprojection_error(solved, pixels, cameras)[:, 0]).all()


def test_no_points_give_no_points() -> None:
    cameras = ring(3)
    solved = triangulate(np.zeros((3, 0, 2)), np.zeros((3, 0)), cameras)
    assert solved.shape == (0, 3)
    assert reprojection_error(solved, np.zeros((3, 0, 2)), cameras).shape == (3, 0)
    assert held_out_error(np.zeros((3, 0, 2)), np.zeros((3, 0)), cameras).shape == (3, 0)


def test_held_out_error_blames_the_camera_that_is_wrong() -> None:
    cameras = ring()
    _, pixels = scene(cameras)
    weights = np.ones(pixels.shape[:2])
    assert held_out_error(pixels, weights, cameras).max() < 0.05
    pixels[1, :, 0] += 12
    errors = held_out_error(pixels, weights, cameras)
    np.testing.assert_allclose(errors[1], 12, atol=0.1)
    weights[3] = 0
    errors = held_out_error(pixels, weights, cameras)
    assert np.isnan(errors[3]).all()
    np.testing.assert_allclose(errors[1], 12, atol=0.1)


def test_qualisys_file_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "calibration.qca.txt"
    path.write_text(CALIBRATION)
    (camera,) = read_qualisys(path)
    assert camera.name == "left"
    assert camera.size == (640, 480)
    # It stands at (1, 2, 3) m and looks down along -z; lengths are in 1/64 pixel.
    np.testing.assert_allclose(camera.project([[1, 2, 0]]), [[320, 240]])
    np.testing.assert_allclose(camera.project([[1.3, 2, 0]]), [[370, 240]])
    np.testing.assert_allclose(camera.project([[1, 2.3, 0]]), [[320, 190]])


@pytest.mark.parametrize("text", ["not xml", "<calibration/>", "<a><camera serial='x'/></a>"])
def test_what_is_no_calibration_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=r"broken\.txt"):
        read_qualisys(path)
    with pytest.raises(DataError, match=r"absent\.txt"):
        read_qualisys(tmp_path / "absent.txt")


def test_real_cameras_stand_around_the_scene(shared_data: Path) -> None:
    cameras = read_qualisys(shared_data / "video" / "beam_two_people" / "Calib.qca.txt")
    assert [camera.name for camera in cameras] == ["cam01", "cam02", "cam03", "cam04"]
    for camera in cameras:
        assert camera.size == (1088, 1920)
        assert np.linalg.det(camera.rotation) == pytest.approx(1.0, abs=1e-6)
        position = -camera.rotation.T @ camera.translation
        assert 1.5 < position[2] < 2.5  # metres above the floor
        # Each one sees the middle of the scene, in front of it.
        assert (camera.rotation @ [0, 0, 1.0] + camera.translation)[2] > 0
        (pixel,) = camera.project([[0.0, 0, 1.0]])
        assert 0 < pixel[0] < 1088
        assert 0 < pixel[1] < 1920
