"""The interval of a figure on one's own labels, against the one of a binomial."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vidpose.data.clips import LabelledClip
from vidpose.evaluation.networks import ClipPoses
from vidpose.evaluation.scoring import INTERVAL, PckScorer
from vidpose.metrics.protocols import OWN_PCK
from vidpose.skeleton import Skeleton

POLE = Skeleton("pole", ("top", "foot"), ((0, 1),), (), (0.1, 0.1))


def test_half_of_a_hundred_people_are_known_to_ten_points() -> None:
    """Both keypoints of a person are hit or missed: 1.96 sqrt(1/4 / 100)."""
    scorer = PckScorer(OWN_PCK, POLE, POLE)
    truth = np.array([[[0.0, 0, 1], [0, 100, 1]]], np.float32)
    for number in range(100):
        clip = LabelledClip(
            str(number), (Path("x.png"),), truth, np.array([[0, 0, 9, 99]], np.float32), POLE
        )
        found = truth + np.float32(50 * (number % 2))
        scorer.add(clip, ClipPoses(found, np.ones(1, np.float32), None))
    figures = scorer.figures()
    assert figures["micro"] == pytest.approx(50)
    assert figures[INTERVAL] == pytest.approx(9.8, abs=0.5)
