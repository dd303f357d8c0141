"""A small world for batches: networks as files that worker processes can read, and short clips."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="the painted networks are built with onnx")

from walkers import film

import painted
from vidpose.batch.settings import Settings


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Networks that are quick; the finder sees nobody in painted clips."""
    return Settings(model=str(painted.save_bundle(tmp_path_factory.mktemp("models"))))


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    return [film(tmp_path / "clips" / f"{name}.mp4") for name in "abc"]
