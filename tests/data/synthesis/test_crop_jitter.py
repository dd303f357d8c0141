"""The clip's camera and tracker."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vidpose.data.synthesis.crop_jitter import CameraPath, CropJitter, Crops, Shake, person_boxes
from vidpose.inference.crop import CropRegion, region_around, to_crop

REST = CameraPath(50 + 60j, np.ones(3, complex), np.zeros(3, complex), mirror=False)


def drawn(seed: int, mirror: bool) -> CameraPath:
    rng = np.random.default_rng(seed)
    zoom_roll, pan = Shake(0.1, 0.2, 20).path(rng, 4, 2)
    return CameraPath(50 + 60j, zoom_roll, pan * 100, mirror)


@given(seed=st.integers(0, 1000), mirror=st.booleans())
def test_the_way_to_the_frame_and_back(seed: int, mirror: bool) -> None:
    camera = drawn(seed, mirror)
    points = np.random.default_rng(seed).normal(size=(4, 5, 2)) @ [100, 100j]
    np.testing.assert_allclose(camera.to_still(camera.to_frame(points)), points)


def test_a_mirror_mirrors_about_the_centre() -> None:
    camera = CameraPath(50 + 60j, np.ones(1, complex), np.zeros(1, complex), mirror=True)
    np.testing.assert_allclose(camera.to_frame(np.array([[40 + 70j]])), [[60 + 70j]])


def test_crops_agree_with_the_runtimes() -> None:
    regions = np.array([[3.0, -7, 60, 80], [10.5, 20.25, 30, 40]])
    crops = Crops(regions, (256, 192))
    points = np.array([[12.0 + 30j, 0], [5.5 + 8.25j, 100 - 3j]])
    found = crops.to_crop(points)
    for index, region in enumerate(regions):
        both = np.stack([points[index].real, points[index].imag], axis=-1).astype(np.float32)
        expected = to_crop(both, CropRegion(*region), (256, 192))
        np.testing.assert_allclose(found[index].real, expected[:, 0], atol=1e-4)
        np.testing.assert_allclose(found[index].imag, expected[:, 1], atol=1e-4)
    np.testing.assert_allclose(crops.to_frame(found), points)


def test_crops_contain_their_pixels() -> None:
    crops = Crops(np.array([[0.0, 0, 3, 4]]), (4, 3))
    points = np.array([[-0.5 - 0.5j, 2.4 + 3.4j, 2.5 + 1j, 1 + 3.5j, -0.6 + 0j]])
    np.testing.assert_array_equal(crops.contain(points), [[True, True, False, False, False]])


def test_at_rest_a_person_keeps_the_given_box() -> None:
    joints = np.array([30 + 40j, 70 + 90j, 50 + 20j])
    box = (20.0, 10.0, 70.0, 95.0)
    boxes = person_boxes(np.tile(joints, (3, 1)), joints, box, REST)
    np.testing.assert_allclose(boxes, [box] * 3)


def test_a_mirrored_box_changes_its_margins() -> None:
    joints = np.array([30 + 40j, 70 + 90j])
    camera = CameraPath(50 + 60j, np.ones(1, complex), np.zeros(1, complex), mirror=True)
    boxes = person_boxes(camera.to_frame(joints[None]), joints, (20.0, 10.0, 70.0, 95.0), camera)
    # edges 20 and 90 lie 30.5 left and 39.5 right of the centre's 50.5
    np.testing.assert_allclose(boxes[0], [11, 10, 70, 95])


def test_a_turned_box_turns_its_margins() -> None:
    joints = np.array([30 + 40j, 70 + 90j])
    box = (20.0, 10.0, 70.0, 95.0)
    for quarter in range(4):
        turn = 1j**quarter
        camera = CameraPath(50 + 60j, np.array([2 * turn]), np.zeros(1, complex), mirror=False)
        boxes = person_boxes(camera.to_frame(joints[None]), joints, box, camera)
        # the corners turned with the camera: edge coordinates lie half a pixel further
        corners = np.array([20 + 10j, 90 + 105j]) - (0.5 + 0.5j)
        turned = (corners - camera.center) * 2 * turn + camera.center
        x, y = turned.real, turned.imag
        # joints' extents are half a pixel off edges, whatever the zoom
        np.testing.assert_allclose(boxes[0, :2], [x.min() + 0.5, y.min() + 0.5], atol=1.1)
        np.testing.assert_allclose(boxes[0, 2:], [np.ptp(x), np.ptp(y)], atol=1.1)


def test_a_perfect_tracker_is_one_frame_late() -> None:
    boxes = np.array([[10.0, 20, 40, 80], [14, 20, 40, 80], [20, 22, 44, 88]])
    tracker = CropJitter(shift=0, scale=0, lag=0)
    regions = tracker.regions(np.random.default_rng(0), boxes, aspect=0.75, zoom=1.0)
    for region, box in zip(regions, boxes[[0, 0, 1]], strict=True):
        expected = region_around((box[0], box[1], box[2], box[3]), aspect=0.75, padding=1.25)
        np.testing.assert_allclose(region, [expected.x, expected.y, expected.w, expected.h])


def test_errors_of_the_tracker_stay_within_their_strengths() -> None:
    boxes = np.tile([10.0, 20, 40, 80], (200, 1))
    for seed in range(10):
        regions = CropJitter(shift=0.05, scale=0.1, lag=0.5).regions(
            np.random.default_rng(seed), boxes, aspect=0.75, zoom=1.2
        )
        size = regions[:, 3] / (80 * 1.25 * 1.2)
        assert 0.9 <= size.min() < size.max() <= 1.1
        center = regions[:, :2] + regions[:, 2:] / 2 - [30, 60]
        assert np.std(center) < 0.05 * 80 * 1.2
        np.testing.assert_allclose(regions[:, 2] / regions[:, 3], 0.75)


def test_a_tripod_does_not_move() -> None:
    zoom_roll, pan = Shake(pan=0, zoom=0, roll_deg=0).path(np.random.default_rng(0), 5, 1)
    np.testing.assert_array_equal(zoom_roll, 1)
    np.testing.assert_array_equal(pan, 0)
