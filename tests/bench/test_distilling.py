"""The share of distilling in a profile."""

from __future__ import annotations

from typing import Any

import pytest

from vidpose.bench.distilling import distilling_share, share_of
from vidpose.bundle import find_bundle, read_bundle
from vidpose.defaults import DEFAULT_MODEL
from vidpose.errors import BundleError
from vidpose.inference import PoseModel


def node(name: str, duration: int) -> dict[str, Any]:
    return {"cat": "Node", "name": f"{name}_kernel_time", "dur": duration}


def test_the_share_is_that_of_the_medians() -> None:
    """Convolution 30 and distilling 10 us; one round each was disturbed."""
    rounds = [node("/encoder/Conv", 30)] * 3 + [node("/distillator/MatMul", 10)] * 3
    rounds += [node("/encoder/Conv", 900), node("/distillator/MatMul", 700)]
    rounds += [{"cat": "Session", "name": "model_run", "dur": 5000}]
    rounds += [{"cat": "Node", "name": "/encoder/Conv_fence_before", "dur": 5000}]
    assert share_of(rounds) == pytest.approx(0.25)


def test_nothing_distils_in_another_graph() -> None:
    assert share_of([node("/encoder/Conv", 30)]) is None
    assert share_of([]) is None


def test_the_shipped_model_distils_a_small_part_of_the_time() -> None:
    try:
        path = find_bundle(DEFAULT_MODEL)
    except BundleError as error:
        pytest.skip(str(error))
    model = PoseModel.load(path, threads=1)
    share = distilling_share(read_bundle(path).graphs["step"], model, people=1, threads=1)
    assert share is not None
    assert 0 < share < 0.5
