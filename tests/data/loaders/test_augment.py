"""Augmented crops: pixels and keypoints stay together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from stills_folders import standing_person
from vidpose.data.loaders.augment import AugmentConfig, augmented_crop, mirror, weight_outside
from vidpose.data.samples import Sample
from vidpose.skeleton import COCO_17

SIZE = (128, 96)
GEOMETRY = AugmentConfig(colour=0, blur=0, cut_out=0, half_body=0)
JOINT = COCO_17.keypoints.index("left_wrist")


def _marked(folder: Path, height: float) -> Sample:
    """A black picture with a white disc on the left wrist of a person `height` px tall."""
    side = int(1.6 * height)
    keypoints = standing_person(x=side / 2, y=side / 2, height=height)
    image = np.zeros((side, side, 3), np.uint8)
    x, y = (int(v) for v in keypoints[JOINT, :2].round())
    keypoints[JOINT, :2] = x, y
    cv2.circle(image, (x, y), max(3, int(height / 40)), (255, 255, 255), -1)
    path = folder / "marked.png"
    cv2.imwrite(str(path), image)
    box = (side / 2 - 0.22 * height, side / 2 - height / 2, 0.44 * height, height)
    return Sample(path, box, keypoints, "test/marked.png/0")


def _brightest(crop: np.ndarray) -> np.ndarray:
    mass = crop[..., 0].astype(np.float64)
    rows, columns = np.mgrid[: crop.shape[0], : crop.shape[1]]
    return np.array([(mass * columns).sum(), (mass * rows).sum()]) / mass.sum()


@pytest.mark.parametrize("flip", [0.0, 1.0])
@pytest.mark.parametrize("height", [60, 150, 700])
def test_a_painted_joint_stays_under_its_keypoint(
    tmp_path: Path, flip: float, height: float
) -> None:
    """Enlarged, shrunk, and shrunk so much that the picture is averaged first; flips too."""
    sample = _marked(tmp_path, height)
    joint = COCO_17.flip_index[JOINT] if flip else JOINT  # the label of the mirrored wrist
    rng = np.random.default_rng(int(height))
    seen = 0
    for _ in range(25):
        crop, points = augmented_crop(sample, SIZE, rng, replace(GEOMETRY, flip=flip))
        x, y, weight = points[joint]
        if weight and 8 < x < SIZE[1] - 9 and 8 < y < SIZE[0] - 9:
            seen += 1
            assert np.linalg.norm(_brightest(crop) - [x, y]) < 0.6
    assert seen >= 15


def test_crops_are_as_the_random_state_says(tmp_path: Path) -> None:
    sample = _marked(tmp_path, 100)
    one, two, other = (
        augmented_crop(sample, SIZE, np.random.default_rng(seed), AugmentConfig())
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    assert (one[1] != other[1]).any()


def test_everything_switched_on_keeps_shapes_and_the_sample(tmp_path: Path) -> None:
    sample = _marked(tmp_path, 100)
    before = sample.keypoints.copy()
    config = AugmentConfig(half_body=0.5, blur=0.8, cut_out=0.8, scale=(0.4, 2.0), shift=0.3)
    rng = np.random.default_rng(0)
    for _ in range(40):
        crop, points = augmented_crop(sample, SIZE, rng, config)
        assert crop.shape == (*SIZE, 3)
        assert crop.dtype == np.uint8
        assert points.shape == (17, 3)
        assert points.dtype == np.float32
        x, y = points[points[:, 2] > 0, :2].T
        assert ((x > -0.5) & (x < SIZE[1] - 0.5) & (y > -0.5) & (y < SIZE[0] - 0.5)).all()
    np.testing.assert_array_equal(sample.keypoints, before)


def test_mirroring_exchanges_sides() -> None:
    crop = np.zeros((20, 30, 3), np.uint8)
    crop[5, 4] = 255
    keypoints = np.zeros((17, 3), np.float32)
    keypoints[JOINT] = 4, 5, 0.8
    flipped, points = mirror(crop, keypoints)
    right = COCO_17.keypoints.index("right_wrist")
    np.testing.assert_allclose(points[right], [25, 5, 0.8])
    assert flipped[5, 25].all()
    assert flipped.sum() == crop.sum()
    again, back = mirror(flipped, points)
    np.testing.assert_array_equal(again, crop)
    np.testing.assert_allclose(back[:, 2], keypoints[:, 2])
    np.testing.assert_allclose(back[JOINT], keypoints[JOINT])
    assert points[0, 0] == 29  # the nose has no other side


def test_weights_end_at_the_crop_s_edges() -> None:
    """Edges are half a pixel beyond the outer pixels' centres."""
    points = np.ones((5, 3), np.float32)
    points[:, :2] = [[-0.4, 0], [-0.6, 0], [95.4, 127.4], [95.6, 0], [0, 127.6]]
    np.testing.assert_array_equal(weight_outside(points, SIZE)[:, 2], [1, 0, 1, 0, 0])


def test_a_skeleton_without_flip_pairs_is_never_mirrored(tmp_path: Path) -> None:
    sample = _marked(tmp_path, 150)
    always = replace(GEOMETRY, flip=1.0)
    crops = [
        augmented_crop(sample, SIZE, np.random.default_rng(0), config, skeleton)[0]
        for config, skeleton in (
            (always, replace(COCO_17, flip_pairs=())),
            (replace(GEOMETRY, flip=0.0), COCO_17),
        )
    ]
    np.testing.assert_array_equal(*crops)
