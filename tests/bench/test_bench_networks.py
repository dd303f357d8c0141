"""Networks in turn: the rounds, the ratios, and what a reference's file must be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vidpose.bench.networks import WARM_UP, alternate, onnx_call, timings
from vidpose.errors import BundleError


def test_rounds_alternate_and_the_first_ones_do_not_count() -> None:
    """A clock that the calls advance: a takes 1 ms, b takes 3 ms, ten times that at first."""
    now, order = [0.0], []

    def call(name: str, milliseconds: float) -> None:
        slow = 10 if order.count(name) < WARM_UP else 1
        now[0] += slow * milliseconds / 1e3
        order.append(name)

    calls = {"a": lambda: call("a", 1.0), "b": lambda: call("b", 3.0)}
    spent = alternate(calls, 4, clock=lambda: now[0])
    assert spent["a"] == pytest.approx([1.0] * 4)
    assert spent["b"] == pytest.approx([3.0] * 4)
    rounds = ["".join(order[i : i + 2]) for i in range(2 * WARM_UP, len(order), 2)]
    assert rounds == ["ab", "ba", "ab", "ba"]


def test_ratios_are_medians_of_the_rounds_ratios() -> None:
    """A machine that slows down tenfold in the last round slows both, so the ratio stays."""
    spent = {
        "initialise": np.array([8.0, 8.0, 80.0]),
        "step": np.array([2.0, 2.0, 20.0]),
        "reference": np.array([4.0, 5.0, 50.0]),
    }
    rows = {row.name: row for row in timings(spent, ("reference",), (0.1, 0.9))}
    assert list(rows) == ["initialise", "step", "reference", "amortised"]
    assert rows["step"].ratios == pytest.approx({"reference": 0.4})
    assert rows["initialise"].ratios == pytest.approx({"reference": 1.6})
    assert rows["reference"].ratios == pytest.approx({"reference": 1.0})
    assert rows["step"].median_ms == 2.0
    assert rows["amortised"].median_ms == pytest.approx(2.6)  # 0.1 * 8 + 0.9 * 2
    assert rows["amortised"].ratios["reference"] == pytest.approx(0.52)  # 2.6 / 5
    without = [row.name for row in timings(spent, (), None)]
    assert without == ["initialise", "step", "reference"]


def test_a_network_of_any_input_is_called(tmp_path: Path) -> None:
    path = tmp_path / "reference.onnx"
    path.write_bytes(_graph("int32[N,4,6,3] picture"))
    onnx_call(path, 1, "onnxruntime")()


def test_a_network_whose_time_depends_on_an_open_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "open.onnx"
    path.write_bytes(_graph("float[1,H,6,3] picture"))
    with pytest.raises(BundleError, match="fixed size"):
        onnx_call(path, 1, "onnxruntime")
    with pytest.raises(BundleError, match="No such file"):
        onnx_call(tmp_path / "none.onnx", 1, "onnxruntime")


def _graph(port: str) -> bytes:
    parser = pytest.importorskip("onnx.parser")
    element = port.partition("[")[0]
    text = f"""<ir_version: 8, opset_import: ["" : 17]>
reference ({port}) => ({element}[N,H,6,3] same) {{ same = Identity(picture) }}"""
    return bytes(parser.parse_model(text).SerializeToString())
