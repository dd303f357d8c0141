"""The painted world's models, loaded once."""

from __future__ import annotations

import pytest

from vidpose.runtime import PoseModel


@pytest.fixture(scope="session")
def dkd_model(tmp_path_factory: pytest.TempPathFactory) -> PoseModel:
    """The painted world's model with memory."""
    painted = pytest.importorskip("painted", reason="the painted networks are built with onnx")
    return PoseModel.load(painted.save_bundle(tmp_path_factory.mktemp("dkd")), threads=1)


@pytest.fixture(scope="session")
def frame_model(tmp_path_factory: pytest.TempPathFactory) -> PoseModel:
    """The painted world's model without memory."""
    painted = pytest.importorskip("painted", reason="the painted networks are built with onnx")
    path = painted.save_bundle(tmp_path_factory.mktemp("frame"), memory=False)
    return PoseModel.load(path, threads=1)
