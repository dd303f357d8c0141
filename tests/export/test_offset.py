"""How far a model finds keypoints beside the labels."""

from __future__ import annotations

import numpy as np
import pytest

from vidpose.export.kept_out import spread
from vidpose.export.offset import mean_offset
from vidpose.export.quality import Predictions


def _found(people: int, by: tuple[float, float], wrong: float = 0.0) -> Predictions:
    """Keypoints that lie `by` beside their labels with noise of 2 px, some of them 40 px off."""
    rng = np.random.default_rng(3)
    truth = np.ones((people, 17, 3), np.float32)
    truth[..., :2] = rng.uniform(20, 170, (people, 17, 2))
    points = truth[..., :2] + by + rng.normal(0, 2, (people, 17, 2))
    points[rng.random((people, 17)) < wrong] += 40
    truth[:, 16, 2] = 0
    points[:, 16] += 5  # not labelled, so it does not count
    raw = np.ones((people, 17), np.float32)
    return Predictions(points.astype(np.float32), raw, truth, np.arange(people))


def test_the_offset_is_found_beside_wrong_joints() -> None:
    assert mean_offset(_found(200, (0.8, -0.3), wrong=0.2), 8.0) == pytest.approx(
        (0.8, -0.3), abs=0.1
    )


def test_few_joints_have_no_offset() -> None:
    assert mean_offset(_found(12, (0.8, 0.8)), 8.0) is None  # 192 joints
    assert mean_offset(_found(14, (0.8, 0.8)), 8.0) is not None


def test_people_are_spread_over_the_set() -> None:
    assert spread(list(range(10)), 5) == [0, 2, 4, 6, 8]  # type: ignore[type-var]
    assert spread([1, 2], 5) == [1, 2]  # type: ignore[type-var]
