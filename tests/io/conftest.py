"""What the tests of result files share."""

from __future__ import annotations

import numpy as np
import pytest

from vidpose.io import RESULT_SUFFIXES
from vidpose.results import FrameResult, Person, ResultHeader, SourceInfo
from vidpose.skeleton import Skeleton

TRIANGLE = Skeleton(
    name="triangle",
    keypoints=("top", "left_corner", "right_corner"),
    edges=((0, 1), (1, 2), (2, 0)),
    flip_pairs=((1, 2),),
    sigmas=(0.05, 0.1, 0.1),
)


@pytest.fixture(params=RESULT_SUFFIXES)
def suffix(request: pytest.FixtureRequest) -> str:
    """Each result format in turn."""
    return str(request.param)


@pytest.fixture(scope="session")
def header() -> ResultHeader:
    """A header with a skeleton of three joints."""
    source = SourceInfo("vidéo, 1.mp4", 640, 480, 29.97, 100, None, False)
    return ResultHeader("0.1.0", "dkd-small", TRIANGLE, source)


@pytest.fixture(scope="session")
def frames() -> list[FrameResult]:
    """Two people, an empty frame, and one person with a missing keypoint after a gap."""
    one = Person(1, 0.97, (10, 20.5, 30, 40), [[1, 2, 0.9], [3.25, 4, 0.8], [5, 6.1, 1]])
    two = Person(2, 0.5, (-1, 0, 3, 4), [[0.1, 0.2, 0.3], [1e-5, 2, 0], [639.5, 479.5, 0.25]])
    missing = Person(1, 0.9, (11, 20, 30, 40), [[np.nan, np.nan, 0], [7, 8, 0.5], [9, 10, 0.5]])
    return [
        FrameResult(0, 0.0, (one, two)),
        FrameResult(1, 1 / 30),
        FrameResult(4, 0.1334, (missing,)),
    ]
