"""Milliseconds by stage."""

from __future__ import annotations

import pytest

from vidpose.inference import timing
from vidpose.inference.timing import STAGES, StageTimer


def test_times_of_a_stage_add_up_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 10.5, 20.0, 20.25, 30.0, 31.0])
    monkeypatch.setattr(timing, "perf_counter", lambda: next(clock))
    timer = StageTimer()
    for stage in ("crop", "crop"):
        with timer.stage(stage):
            pass
    with pytest.raises(ValueError, match="no"), timer.stage("step"):
        raise ValueError("no")
    assert timer.milliseconds == {**dict.fromkeys(STAGES, 0.0), "crop": 750.0, "step": 1000.0}
