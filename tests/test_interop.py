from __future__ import annotations

import sys

import numpy as np
import pytest

from movements import pose
from vidpose.errors import VidposeError
from vidpose.interop import to_supervision, to_supervision_detections
from vidpose.results import FrameResult, Person


def frame() -> FrameResult:
    points = pose()
    points[4] = (np.nan, np.nan, 0)
    return FrameResult(0, 0.0, (Person(7, 0.75, (80, 5, 45, 210), points),))


def test_supervision_holds_points_ids_and_corners() -> None:
    pytest.importorskip("supervision", reason="supervision is not installed")
    keypoints = to_supervision(frame())
    assert keypoints.xy.shape == (1, 17, 2)
    assert keypoints.xy[0, 0].tolist() == [104, 20]
    assert keypoints.xy[0, 4].tolist() == [0, 0]
    assert keypoints.data["id"].tolist() == [7]
    found = to_supervision_detections(frame())
    assert found.xyxy.tolist() == [[80, 5, 125, 215]]
    assert (found.tracker_id.tolist(), found.confidence.tolist()) == ([7], [0.75])


def test_supervision_without_people_is_empty() -> None:
    pytest.importorskip("supervision", reason="supervision is not installed")
    assert len(to_supervision(FrameResult(0, 0.0))) == 0
    assert len(to_supervision_detections(FrameResult(0, 0.0))) == 0


def test_without_supervision_the_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(VidposeError, match=r"vidpose\[supervision\]"):
        to_supervision(frame())
