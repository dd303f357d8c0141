"""Models and streams go to other processes and are copied: they go on as if nothing had been."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from vidpose.defaults import DEFAULT_MODEL

pytest.importorskip("onnx", reason="the painted networks are built with onnx")

import painted
from vidpose.inference import PoseModel, load_detector
from vidpose.results import FrameResult
from vidpose.tracking import PoseStream
from vidpose.tracking.trackers import TrackerName

SIZE = (220, 400)
ACTORS = [
    painted.Actor(lambda time: (60 + 60 * time, 110), height=100, colour=100),
    painted.Actor(lambda time: (340 - 60 * time, 115), height=100, colour=220),
]
FRAMES = [painted.paint(ACTORS, n / 20, SIZE) for n in range(24)]
HALF = 12


def pickled(stream: PoseStream) -> PoseStream:
    return pickle.loads(pickle.dumps(stream))


def seen(stream: PoseStream, frames: range) -> list[FrameResult]:
    return [stream.step(FRAMES[n], n / 20) for n in frames]


def assert_same(found: list[FrameResult], expected: list[FrameResult]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert (one.index, one.time) == (other.index, other.time)
        assert [(p.id, p.score, p.box) for p in one.people] == [
            (p.id, p.score, p.box) for p in other.people
        ]
        for ours, theirs in zip(one.people, other.people, strict=True):
            np.testing.assert_array_equal(ours.keypoints, theirs.keypoints)


@pytest.mark.parametrize("tracker", get_args(TrackerName))
@pytest.mark.parametrize("copied", [pickled, copy.deepcopy])
def test_a_copy_in_the_middle_goes_on_identically(
    tracker: TrackerName, copied: object, dkd_model: PoseModel
) -> None:
    stream = PoseStream(dkd_model, painted.BodyDetector(), tracker=tracker)
    seen(stream, range(HALF))
    other = copied(stream)
    rest = seen(stream, range(HALF, len(FRAMES)))
    assert any(result.people for result in rest)
    assert_same(seen(other, range(HALF, len(FRAMES))), rest)


def test_a_deep_copy_has_its_own_memory_and_the_same_model(dkd_model: PoseModel) -> None:
    stream = PoseStream(dkd_model, painted.BodyDetector())
    other = copy.deepcopy(stream)
    seen(other, range(3))
    assert seen(stream, range(1))[0].index == 0
    assert other.model.initializer.session is stream.model.initializer.session


def test_a_model_is_pickled_by_its_graphs_without_its_file(tmp_path: Path) -> None:
    path = painted.save_bundle(tmp_path)
    model = PoseModel.load(path, threads=1)
    path.unlink()
    again = pickle.loads(pickle.dumps(model))
    assert (again.name, again.threads, again.skeleton) == (model.name, 1, model.skeleton)
    crops = np.random.default_rng(0).integers(0, 256, (2, *model.initializer.size, 3), np.uint8)
    for ours, theirs in zip(again.initialize(crops), model.initialize(crops), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_openvino_models_too(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    model = PoseModel.load(painted.save_bundle(tmp_path), threads=1, runtime="openvino")
    again = pickle.loads(pickle.dumps(copy.deepcopy(model)))
    crops = np.zeros((1, *model.initializer.size, 3), np.uint8)
    np.testing.assert_array_equal(again.initialize(crops)[0], model.initialize(crops)[0])
    assert again.runtime == "openvino"


def test_a_pool_of_processes_takes_shipped_models_and_gives_results() -> None:
    stream = PoseStream(PoseModel.load(DEFAULT_MODEL, 1), load_detector("finder", 1))
    pictures = [np.random.default_rng(n).integers(0, 256, (90, 120, 3), np.uint8) for n in range(2)]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        results = list(pool.map(partial(stream.step, time=0.5), pictures))
    assert [(result.index, result.time) for result in results] == [(0, 0.5)] * 2
