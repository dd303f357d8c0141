"""Light, occluders and degradation of clips."""

from __future__ import annotations

import numpy as np
import pytest

from clip_stills import NO_LIGHT, noise_image
from vidpose.data.synthesis.photometry import Degradation, Light, Occluders

CLIP = np.stack([noise_image(seed, (128, 96)) for seed in range(4)])
CLEAR = Degradation(low_resolution=0, noise=0, compression=0)
EFFECTS = {
    "light": lambda rng, clip: Light().apply(rng, clip, 2),
    "occluders": lambda rng, clip: Occluders(probability=1).apply(rng, clip),
    "low resolution": lambda rng, clip: Degradation(1, noise=0, compression=0).apply(rng, clip),
    "noise": lambda rng, clip: Degradation(0, noise=1, compression=0).apply(rng, clip),
    "compression": lambda rng, clip: Degradation(0, noise=0, compression=1).apply(rng, clip),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_every_effect_keeps_the_form_and_the_original_and_repeats_itself(name: str) -> None:
    before = CLIP.copy()
    one, other = (EFFECTS[name](np.random.default_rng(5), CLIP) for _ in range(2))
    assert one.dtype == np.uint8
    assert one.shape == CLIP.shape
    np.testing.assert_array_equal(CLIP, before)
    np.testing.assert_array_equal(one, other)
    assert (one != CLIP).any()


def test_no_strength_no_change() -> None:
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(NO_LIGHT.apply(rng, CLIP, 1), CLIP)
    np.testing.assert_array_equal(Occluders(probability=0).apply(rng, CLIP), CLIP)
    np.testing.assert_array_equal(CLEAR.apply(rng, CLIP), CLIP)


def test_light_of_a_clip_is_one_light_with_a_slow_drift() -> None:
    same = np.stack([CLIP[0]] * 8)
    steps, spreads = [], []
    for seed in range(30):
        lit = Light(drift=0.05).apply(np.random.default_rng(seed), same, 1).astype(float)
        means = lit.mean(axis=(1, 2, 3))
        steps.append(np.abs(np.diff(means)).mean())
        spreads.append(means.mean())
    assert 0 < np.mean(steps) < 0.2 * np.std(spreads)


def test_saturation_zero_is_grey() -> None:
    light = Light(brightness=0, contrast=0, saturation=1, white_balance=0, drift=0)
    colour = CLIP.max(axis=-1).astype(int) - CLIP.min(axis=-1)
    ranges = []
    for seed in range(40):
        lit = light.apply(np.random.default_rng(seed), CLIP, 1)
        ranges.append((lit.max(axis=-1).astype(int) - lit.min(axis=-1)).mean() / colour.mean())
    assert min(ranges) < 0.1


def test_occluders_cover_a_part_and_move() -> None:
    plain = np.full((6, 128, 96, 3), 77, np.uint8)
    moved = 0
    for seed in range(20):
        painted = Occluders(probability=1, count=1, speed=0.05).apply(
            np.random.default_rng(seed), plain
        )
        changed = (painted != 77).any(axis=-1)
        assert changed.mean() < 0.2
        if changed[0].any() and changed[-1].any():
            moved += (changed[0] != changed[-1]).any()
    assert moved > 5


def test_noise_has_the_drawn_strength_and_differs_between_frames() -> None:
    grey = np.full((5, 128, 96, 3), 128, np.uint8)
    sensor = Degradation(low_resolution=0, noise=1, noise_sigma=(8, 8), compression=0)
    noisy = sensor.apply(np.random.default_rng(0), grey).astype(float)
    assert 7.5 < noisy.std() < 8.5
    assert abs(np.corrcoef(noisy[0].ravel(), noisy[1].ravel())[0, 1]) < 0.1


def test_lower_quality_and_fewer_pixels_lose_more() -> None:
    def loss(degradation: Degradation) -> float:
        out = degradation.apply(np.random.default_rng(0), CLIP)
        return float(np.abs(out.astype(float) - CLIP).mean())

    jpeg = [loss(Degradation(0, noise=0, compression=1, quality=(q, q))) for q in (10, 50, 95)]
    assert jpeg[0] > jpeg[1] > jpeg[2] > 0
    small = [loss(Degradation(1, (f, f), noise=0, compression=0)) for f in (0.2, 0.6)]
    assert small[0] > small[1] > 0
