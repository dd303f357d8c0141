"""A pass over a painted film: how often each stage ran is known beforehand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

painted = pytest.importorskip("painted", reason="the painted networks are built with onnx")
import cv2  # noqa: E402

from vidpose.bench.measure import gmacs_per_person  # noqa: E402
from vidpose.bench.stages import LATENCY, NAMES, Pass, run_stages  # noqa: E402
from vidpose.errors import InputError  # noqa: E402
from vidpose.inference import PoseModel  # noqa: E402
from vidpose.video import VideoReader  # noqa: E402

ACTORS = [
    painted.Actor(lambda time: (100.0 + 30 * time, 110.0)),
    painted.Actor(lambda time: (300.0, 120.0), colour=250),
]


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A folder of 20 images, 1/30 s apart, with two people."""
    folder = tmp_path / "film"
    folder.mkdir()
    for index in range(20):
        image = painted.paint(ACTORS, index / 30, (240, 400))
        cv2.imwrite(str(folder / f"{index:03}.png"), image[:, :, ::-1])
    return folder


def test_stages_and_initialisations_are_counted(film: Path, tmp_path: Path) -> None:
    """Two people in ten frames: two initialisations, 18 steps, one detection."""
    model = PoseModel.load(painted.save_bundle(tmp_path), threads=1)
    made, results = run_stages(film, model, painted.BodyDetector(), 10, tmp_path / "drawn.mp4")
    assert len(results) == made.frames == 10
    assert (made.person_frames, made.people) == (20, 2.0)
    assert (made.initialised, made.stepped) == (2, 18)
    assert (made.initialise_rate, made.step_rate) == (0.1, 0.9)
    stages = {stage.name: stage for stage in made.stages}
    assert list(stages) == list(NAMES.values())
    shares = {name: stage.share for name, stage in stages.items()}
    assert shares.pop("detect") == shares.pop("initialise") == 0.1
    assert shares.pop("step, with distilling") == 0.9
    assert set(shares.values()) == {1.0}
    for stage in made.stages:
        assert 0 < stage.median_ms <= stage.p95_ms
    inside = ("detect", "crop", "initialise", "step, with distilling", "decode maps", "track")
    assert sum(stages[name].mean_ms for name in inside) < stages[LATENCY].mean_ms
    pose = stages["initialise"].mean_ms + stages["step, with distilling"].mean_ms
    assert made.pose_ms_per_person == pytest.approx(10 * pose / 20)
    with VideoReader(tmp_path / "drawn.mp4") as drawn:
        assert len(list(drawn)) == 10


def test_a_model_without_memory_initialises_in_every_frame(film: Path, tmp_path: Path) -> None:
    """The detector runs on frames 0 and 15."""
    model = PoseModel.load(painted.save_bundle(tmp_path, memory=False), threads=1)
    made, _ = run_stages(film, model, painted.BodyDetector(), 99, tmp_path / "drawn.mp4")
    assert made.frames == 20
    assert (made.initialised, made.stepped) == (40, 0)
    stages = {stage.name: stage for stage in made.stages}
    assert stages["step, with distilling"].share == 0.0
    assert stages["detect"].share == 0.1


def test_a_source_without_frames_is_an_error(tmp_path: Path) -> None:
    model = PoseModel.load(painted.save_bundle(tmp_path), threads=1)
    with pytest.raises(InputError):
        run_stages(tmp_path / "none.mp4", model, painted.BodyDetector(), 5, tmp_path / "d.mp4")


def test_multiply_adds_follow_the_rate_of_initialisations() -> None:
    """50 initialisations at 400 and 450 steps at 80 for 500 people: 40 + 72 million each."""
    made = Pass(250, 500, initialised=50, stepped=450, pose_ms=0.0, stages=())
    figures = {"initializer_mmacs": 400.0, "step_mmacs": 80}
    assert gmacs_per_person(made, figures) == pytest.approx(0.112)
    every = Pass(250, 500, initialised=500, stepped=0, pose_ms=0.0, stages=())
    assert gmacs_per_person(every, {"frame_mmacs": 300.0}) == pytest.approx(0.3)
    assert gmacs_per_person(made, {}) is None
    empty = Pass(250, 0, initialised=3, stepped=0, pose_ms=0.0, stages=())
    assert gmacs_per_person(empty, figures) is None
    assert np.isfinite(empty.pose_ms_per_person)
