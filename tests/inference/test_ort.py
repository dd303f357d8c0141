"""How ONNX Runtime's sessions are set up: threads must not spin on while others work."""

from __future__ import annotations

import pytest

pytest.importorskip("onnx", reason="the painted networks are built with onnx")

import painted
from vidpose.inference.backends.ort import OnnxRuntimeSession


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_work_within_a_call_and_sleep_after_it(threads: int) -> None:
    session = OnnxRuntimeSession(painted.step_graph(), "step", threads)
    options = session.inference.get_session_options()
    assert options.intra_op_num_threads == threads
    assert options.inter_op_num_threads == 1
    assert options.log_severity_level == 3
    assert options.get_session_config_entry("session.force_spinning_stop") == "1"
    assert session.inference.get_providers() == ["CPUExecutionProvider"]


def test_ports_have_numpys_names_and_open_sides() -> None:
    session = OnnxRuntimeSession(painted.step_graph(), "step", 1)
    image, kernels = session.inputs
    assert (image.name, image.element, image.shape) == ("image", "uint8", (None, 96, 72, 3))
    assert (kernels.element, kernels.shape) == ("float32", (None, 5, 2, 1, 1))
    assert [port.name for port in session.outputs] == ["maps", "next_kernels"]
