"""The networks, applied to one frame."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from vidpose.inference.crop import CropRegion
from vidpose.inference.timing import STAGES, StageTimer
from vidpose.tracking import base
from vidpose.tracking.base import FrameInference

Floats = NDArray[np.float64]


class Unsorted:
    """Three boxes, the best one in the middle."""

    def detect(self, image: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        boxes = np.arange(12, dtype=np.float64).reshape(3, 4)
        return boxes, np.array([0.5, 0.9, 0.7])


def test_detections_come_best_first_and_are_timed() -> None:
    timer = StageTimer()
    frame = FrameInference(np.zeros((20, 30, 3), np.uint8), cast("Any", None), Unsorted(), timer)
    assert frame.size == (20, 30)
    boxes, scores = frame.detect()
    assert scores.tolist() == [0.9, 0.7, 0.5]
    assert boxes[:, 0].tolist() == [4.0, 8.0, 0.0]
    assert timer.milliseconds["detect"] > 0
    assert sum(timer.milliseconds[stage] > 0 for stage in STAGES) == 1


def test_a_one_stage_network_runs_once_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """Detection and initialisation share what it found."""

    class Graph:
        calls = 0

        def everybody(self, image: NDArray[np.uint8]) -> SimpleNamespace:
            self.calls += 1
            return SimpleNamespace(boxes=np.ones((self.calls, 4)), scores=np.ones(self.calls))

    graph = Graph()
    monkeypatch.setattr(base, "OneStageGraph", Graph)
    monkeypatch.setattr(base, "OneStageDetector", Unsorted)
    monkeypatch.setattr(base, "poses_of", lambda found, regions, model: [found])
    model = cast("Any", SimpleNamespace(initializer=graph))
    timer = StageTimer()
    frame = FrameInference(np.zeros((20, 30, 3), np.uint8), model, Unsorted(), timer)
    boxes, scores = frame.detect()
    assert (boxes.shape, scores.tolist()) == ((1, 4), [1.0])
    assert frame.initialize([]) == []
    (found,) = frame.initialize([CropRegion(0, 0, 1, 1)])
    assert cast("Any", found).boxes is boxes
    assert graph.calls == 1
    assert timer.milliseconds["initialize"] > 0
