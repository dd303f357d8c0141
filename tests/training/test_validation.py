"""PCK on kept-out stills, with networks whose answers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vidpose.data.samples import Sample
from vidpose.inference.crop import region_around, to_crop
from vidpose.skeleton import COCO_17
from vidpose.training.validation import keypoint_pck, stills_pck

SIZE = (64, 48)
STRIDE = 4


def _samples(folder: Path, count: int) -> list[Sample]:
    import cv2

    rng = np.random.default_rng(0)
    samples = []
    for number in range(count):
        path = folder / f"{number}.png"
        cv2.imwrite(str(path), np.full((90, 70, 3), number, np.uint8))
        keypoints = np.ones((17, 3), np.float32)
        keypoints[:, :2] = rng.uniform(15, 60, (17, 2))
        samples.append(Sample(path, (10.0, 10.0, 50.0, 60.0), keypoints, f"x/{number}/0"))
    return samples


def _knowing(samples: list[Sample], order: list[int]):
    """A network that recognises each picture by its grey and answers with joints in `order`."""

    def network(crops: np.ndarray) -> np.ndarray:
        maps = []
        for crop in crops:
            sample = samples[int(crop[32, 24, 0])]
            region = region_around(sample.box, aspect=SIZE[1] / SIZE[0])
            points = to_crop(sample.keypoints[order], region, SIZE)[:, :2]
            rows, columns = np.mgrid[: SIZE[0] // STRIDE, : SIZE[1] // STRIDE]
            cells = (points + 0.5) / STRIDE - 0.5
            far = (columns - cells[:, :1, None]) ** 2 + (rows - cells[:, 1:, None]) ** 2
            maps.append(-far / 2)
        return np.stack(maps).astype(np.float32)

    return network


@pytest.mark.parametrize("batch", [2, 7])
def test_a_network_that_knows_is_right(tmp_path: Path, batch: int) -> None:
    samples = _samples(tmp_path, 5)
    scores = stills_pck(_knowing(samples, list(range(17))), samples, SIZE, batch=batch)
    assert scores == {"pck@0.2": 100, "pck@0.1": 100}


def test_sides_are_strict(tmp_path: Path) -> None:
    """Left for right is wrong: only the nose is where it belongs."""
    samples = _samples(tmp_path, 5)
    scores = stills_pck(_knowing(samples, list(COCO_17.flip_index)), samples, SIZE)
    assert scores["pck@0.1"] < 30


def test_people_without_a_torso_do_not_count() -> None:
    truth = np.ones((2, 17, 3), np.float32)
    truth[:, :, :2] = np.random.default_rng(0).uniform(0, 100, (2, 17, 2))
    truth[1, COCO_17.keypoints.index("left_hip"), 2] = 0
    truth[1, COCO_17.keypoints.index("right_hip"), 2] = 0
    predicted = truth[..., :2].copy()
    predicted[1] += 1000
    assert keypoint_pck(predicted, truth)["pck@0.2"] == 100
