"""What all tests share: where the optional real data lie, and hypothesis' pace."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from shared_folder import shared_root
from vidpose.inference import PoseModel

# Examples are drawn the same way in every run, and a slow machine is no failure.
settings.register_profile(
    "vidpose",
    deadline=None,
    derandomize=True,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("vidpose")


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Folder with real data and other projects' models; skips where there is none."""
    root = shared_root()
    if not root.is_dir():
        pytest.skip(f"no shared data at {root} (set VIDPOSE_SHARED to the folder that has it)")
    return root


@pytest.fixture(scope="session")
def shared_data(shared_dir: Path) -> Path:
    """Folder with the data sets and clips."""
    root = shared_dir / "data"
    if not root.is_dir():
        pytest.skip(f"no data sets at {root}")
    return root


@pytest.fixture(scope="session")
def shared_models(shared_dir: Path) -> Path:
    """Folder with the teachers' and other projects' models."""
    root = shared_dir / "models"
    if not root.is_dir():
        pytest.skip(f"no models at {root}")
    return root


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
