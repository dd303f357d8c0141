"""Clips made of stills: what is painted on a joint stays under its keypoint."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from clip_stills import CLEAN, TRIPOD, noise_image, person
from vidpose.data.datasets.penn_action import read_track
from vidpose.data.synthesis.limb_motion import MotionBank
from vidpose.data.synthesis.stills_to_clips import Clip, ClipConfig, render_clip
from vidpose.errors import DataError
from vidpose.inference.crop import CropRegion, crop_image
from vidpose.skeleton import COCO_17, LSP_14, map_keypoints

SIZE = (256, 192)
LEFT_WRIST = COCO_17.keypoints.index("left_wrist")
DISC = 4.0  # radius of the painted discs in the stills' pixels


def make(
    seed: int,
    config: ClipConfig,
    image: NDArray[np.uint8] | None = None,
    keypoints: NDArray[np.float32] | None = None,
    frames: int = 6,
) -> Clip:
    drawn, box = person(seed)
    return render_clip(
        noise_image(seed) if image is None else image,
        drawn if keypoints is None else keypoints,
        box,
        frames=frames,
        size=SIZE,
        rng=np.random.default_rng(seed),
        config=config,
        motion=None,
    )


def paint(shape: tuple[int, int], center: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A white disc on black."""
    image = np.zeros((*shape, 3), np.uint8)
    x, y = (round(float(value) * 256) for value in center[:2])
    cv2.circle(image, (x, y), round(DISC * 256), (255, 255, 255), -1, cv2.LINE_AA, 8)
    return image


def disc_errors(clip: Clip, joint: int) -> list[float]:
    """Distances of the only thing in sight, a disc, from the keypoint, where it is whole."""
    errors = []
    for image, keypoint in zip(clip.images, clip.keypoints[:, joint], strict=True):
        rows, columns = np.nonzero(image[..., 0])
        weight = image[rows, columns, 0].astype(float)
        whole = weight.sum() > 0 and (
            min(rows.min(), columns.min()) > 0
            and rows.max() < SIZE[0] - 1
            and columns.max() < SIZE[1] - 1
        )
        if keypoint[2] > 0 and whole:
            center = np.array([columns @ weight, rows @ weight]) / weight.sum()
            errors.append(float(np.hypot(*(center - keypoint[:2]))))
    return errors


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), joint=st.integers(0, 16))
def test_a_disc_on_a_joint_stays_under_its_keypoint(seed: int, joint: int) -> None:
    keypoints, _ = person(seed)
    clip = make(seed, replace(CLEAN, flip=0.0), paint((560, 440), keypoints[joint]), keypoints)
    assert all(error < 0.5 for error in disc_errors(clip, joint))


def test_discs_are_seen_in_most_frames_and_mean_errors_are_small() -> None:
    errors: list[float] = []
    for seed in range(12):
        keypoints, _ = person(seed)
        joint = seed % 17
        clip = make(seed, replace(CLEAN, flip=0.0), paint((560, 440), keypoints[joint]), keypoints)
        errors += disc_errors(clip, joint)
    assert len(errors) > 50
    assert np.mean(errors) < 0.15


def test_a_mirrored_clip_swaps_the_sides() -> None:
    keypoints, _ = person(3)
    keypoints[:, 2] = 0.0
    keypoints[[5, 6, LEFT_WRIST], 2] = (0.5, 0.6, 0.7)
    config = replace(TRIPOD, flip=1.0)
    clip = make(3, config, paint((560, 440), keypoints[LEFT_WRIST]), keypoints)
    right_wrist = COCO_17.flip_index[LEFT_WRIST]
    assert (clip.keypoints[:, LEFT_WRIST] == 0).all()
    np.testing.assert_allclose(np.unique(clip.keypoints[:, right_wrist, 2]), 0.7)
    np.testing.assert_allclose(np.unique(clip.keypoints[:, [5, 6], 2], axis=0), [[0.6, 0.5]])
    assert max(disc_errors(clip, right_wrist)) < 0.5


def test_without_warp_and_camera_the_crops_are_the_runtimes() -> None:
    image = noise_image(1)
    clip = make(1, TRIPOD.still(), image)
    for crop, region in zip(clip.images, clip.regions, strict=True):
        expected = crop_image(image, CropRegion(*map(float, region)), SIZE)
        # both interpolate linearly, OpenCV on a grid of 1/32 pixel
        assert np.abs(crop.astype(int) - expected).mean() < 1


def test_limbs_move_against_each_other_unless_told_not_to() -> None:
    def lengthening(config: ClipConfig) -> float:
        clip = make(2, config)
        hand = clip.keypoints[:, LEFT_WRIST, :2] - clip.keypoints[:, 12, :2]
        zoom = clip.regions[:, 3] / SIZE[0]
        return float(np.ptp(np.hypot(*hand.T) * zoom))

    assert lengthening(TRIPOD) > 5
    assert lengthening(TRIPOD.still()) < 0.01
    assert make(2, TRIPOD.still()).articulation == 0


def test_same_state_same_clip() -> None:
    one, other = make(4, ClipConfig()), make(4, ClipConfig())
    np.testing.assert_array_equal(one.images, other.images)
    np.testing.assert_array_equal(one.keypoints, other.keypoints)
    assert (make(5, ClipConfig()).keypoints != one.keypoints).any()


def test_the_form_of_a_clip() -> None:
    clip = make(0, ClipConfig(), frames=1)
    assert clip.images.shape == (1, *SIZE, 3)
    assert clip.images.dtype == np.uint8
    assert clip.keypoints.shape == (1, 17, 3)
    assert clip.keypoints.dtype == clip.regions.dtype == np.float32
    assert clip.regions.shape == (1, 4)
    assert pickle.loads(pickle.dumps(ClipConfig())) == ClipConfig()


def test_unknown_joints_and_joints_outside_have_no_weight() -> None:
    keypoints, _ = person(0)
    keypoints[LEFT_WRIST, 2] = 0
    clip = make(0, replace(CLEAN, flip=0.0, scale=(0.5, 0.5)), keypoints=keypoints)
    assert (clip.keypoints[:, LEFT_WRIST] == 0).all()
    outside = clip.keypoints[..., 2] == 0
    assert outside[:, [15, 16]].any()  # the regions end above the feet
    assert (clip.keypoints[outside] == 0).all()
    x, y = clip.keypoints[~outside, 0], clip.keypoints[~outside, 1]
    assert (x >= -0.5).all()
    assert (x < SIZE[1] - 0.5).all()
    assert (y >= -0.5).all()
    assert (y < SIZE[0] - 0.5).all()


def test_half_a_person_and_a_lone_joint_are_enough() -> None:
    for known in ([0, 1, 2, 5], [9], [11, 13, 15], [6, 8, 10, 12]):
        keypoints, _ = person(0)
        keypoints[np.setdiff1d(np.arange(17), known), 2] = 0
        clip = make(1, ClipConfig(), keypoints=keypoints)
        assert (clip.keypoints[..., 2] > 0).any()


def test_stills_that_cannot_become_clips_are_refused() -> None:
    keypoints, _ = person(0)
    with pytest.raises(DataError, match="at least one keypoint"):
        make(0, ClipConfig(), keypoints=keypoints * np.float32([1, 1, 0]))
    with pytest.raises(DataError, match="positive width"):
        render_clip(
            noise_image(0),
            keypoints,
            (0.0, 0.0, 0.0, 10.0),
            frames=2,
            size=SIZE,
            rng=np.random.default_rng(0),
            config=ClipConfig(),
            motion=None,
        )


def test_limbs_that_would_tear_the_image_are_weakened() -> None:
    """Two wrists on one spot cannot go different ways."""
    shares = []
    for seed in range(8):
        keypoints, _ = person(seed)
        keypoints[10, :2] = keypoints[LEFT_WRIST, :2] + 2
        shares.append(make(seed, TRIPOD, keypoints=keypoints).articulation)
        clip = make(seed, TRIPOD, keypoints=keypoints)
        apart = clip.keypoints[:, LEFT_WRIST, :2] - clip.keypoints[:, 10, :2]
        assert np.hypot(*apart.T).max() < 12
    assert min(shares) < 1


def test_large_stills_are_averaged_not_skipped() -> None:
    """One-pixel stripes are grey from far away."""
    image = np.zeros((2400, 2000, 3), np.uint8)
    image[:, ::2] = 255
    keypoints, box = person(0, scale=10.0)
    clip = render_clip(
        image,
        keypoints,
        box,
        frames=2,
        size=SIZE,
        rng=np.random.default_rng(0),
        config=TRIPOD.still(),
        motion=None,
    )
    middle = clip.images[:, 100:150, 80:110].astype(int)
    assert middle.min() > 100
    assert middle.max() < 155


def test_motion_blur_smears_but_keeps_the_place() -> None:
    keypoints, _ = person(6)
    disc = paint((560, 440), keypoints[LEFT_WRIST])
    sharp = replace(CLEAN, flip=0.0)
    blurred = replace(sharp, motion_blur=1.0, exposure=(1.0, 1.0))
    clips = [make(6, config, disc, keypoints) for config in (sharp, blurred)]
    np.testing.assert_array_equal(clips[0].keypoints, clips[1].keypoints)
    assert clips[1].images.max() <= clips[0].images.max()
    assert (clips[1].images > 0).sum() > (clips[0].images > 0).sum()
    assert max(disc_errors(clips[1], LEFT_WRIST)[1:-1]) < 1.0


def test_discs_on_real_stills_with_real_motion(shared_data: Path) -> None:
    labels = sorted((shared_data / "penn_action" / "Penn_Action" / "labels").glob("*.mat"))
    bank = MotionBank([read_track(path) for path in labels[::40]])
    joints = scipy.io.loadmat(shared_data / "lspet" / "joints.mat")["joints"]
    labelled = np.flatnonzero(np.isfinite(joints[:, :2]).all(axis=(0, 1)))
    rng = np.random.default_rng(0)
    errors: list[float] = []
    shares = []
    for index in rng.choice(labelled, 25, replace=False):
        path = shared_data / "lspet" / "images" / f"im{index + 1:05d}.jpg"
        height, width = cv2.imread(str(path)).shape[:2]
        lsp = np.column_stack([joints[:, :2, index], np.ones(14)])
        keypoints = np.nan_to_num(map_keypoints(lsp, LSP_14, COCO_17)).astype(np.float32)
        # twice the size, so that a disc of a few pixels is round
        keypoints[:, :2] = (keypoints[:, :2] + 0.5) * 2 - 0.5
        low, high = lsp[:, :2].min(axis=0) * 2, lsp[:, :2].max(axis=0) * 2
        joint = int(rng.choice(np.flatnonzero(keypoints[:, 2] > 0)))
        clip = render_clip(
            paint((height * 2, width * 2), keypoints[joint]),
            keypoints,
            (low[0], low[1], high[0] - low[0], high[1] - low[1]),
            frames=8,
            size=SIZE,
            rng=rng,
            config=replace(CLEAN, flip=0.0),
            motion=bank,
        )
        errors += disc_errors(clip, joint)
        shares.append(clip.articulation)
    assert len(errors) > 100
    # a disc that the warp bends has its centroid a little off its centre
    assert np.mean(np.array(errors) < 0.5) > 0.98
    assert np.median(errors) < 0.1
    assert np.mean(shares) > 0.5
