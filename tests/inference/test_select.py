"""Which runtime is timed on what; that the faster one is taken is shown in test_backends.py."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from vidpose.inference.backends import select


class Calls:
    """A model or a detector that notes the shapes that it is given."""

    def __init__(self, *, memory: bool = True) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.initializer = SimpleNamespace(size=(20, 10))
        self.stepper = SimpleNamespace(size=(8, 4)) if memory else None

    def initialize(self, crops: Any) -> tuple[Any, Any]:
        self.shapes.append(crops.shape)
        return None, "memory" if self.stepper else None

    def step(self, crops: Any, kernels: Any) -> None:
        assert kernels == "memory"
        self.shapes.append(crops.shape)

    def detect(self, image: Any) -> None:
        assert image.dtype == np.uint8
        self.shapes.append(image.shape)


@pytest.mark.parametrize(("memory", "shape"), [(True, (1, 8, 4, 3)), (False, (1, 20, 10, 3))])
def test_a_model_is_timed_by_its_usual_network_on_one_person(
    memory: bool, shape: tuple[int, ...]
) -> None:
    model = Calls(memory=memory)
    call = select._pose_call(cast("Any", model))
    assert model.shapes == [(1, 20, 10, 3)]
    call()
    assert model.shapes[1:] == [shape]


def test_detectors_are_timed_alternately_on_one_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, Calls] = {}

    def load(name: str | Path, threads: int | None, runtime: str) -> Calls:
        assert (name, threads) == ("some", 2)
        return made.setdefault(runtime, Calls())

    monkeypatch.setattr(select, "load_detector", load)
    monkeypatch.setattr(select, "has_openvino", lambda: True)
    detector, made_choice = select.load_faster_detector("some", 2)
    assert list(made) == ["onnxruntime", "openvino"]
    for each in made.values():
        assert each.shapes == [(360, 640, 3)] * 18  # 3 to warm up and 15 rounds
    assert cast("Any", detector) is made[made_choice.runtime]
    assert set(made_choice.milliseconds) == set(made)
