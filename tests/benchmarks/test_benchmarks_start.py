"""Every benchmark starts: its imports exist, its options parse, its help says how to run it."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch", reason="some benchmarks measure torch networks")

import painted
from vidpose.video import VideoWriter

SIZE = (220, 400)
WALKER = painted.Actor(lambda time: (60 + 60 * time, 110), height=100, colour=100)
FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.py") if "__main__" in path.read_text())


def start(name: str, *arguments: object) -> None:
    """Run a benchmark as a script of its own."""
    patch = pytest.MonkeyPatch()
    with patch.context() as context:
        context.setattr(sys, "argv", [name, *map(str, arguments)])
        runpy.run_path(str(FOLDER / name), run_name="__main__")


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_shows_the_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        start(name, "--help")
    assert ended.value.code in (0, None)
    assert f"python benchmarks/{name}" in capsys.readouterr().out


class BlueDetector:
    """Finds the one person by the blue, whatever the codec made of it."""

    def detect(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        box = cv2.boundingRect((image[:, :, 2] > 60).astype(np.uint8))
        return np.array([box], np.float64), np.ones(1)


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A painted film of 16 frames."""
    path = tmp_path_factory.mktemp("film") / "walk.mp4"
    with VideoWriter(path, width=SIZE[1], height=SIZE[0]) as video:
        for index in range(16):
            video.write(painted.paint([WALKER], index / 30, SIZE), index / 30)
    return path


@pytest.mark.parametrize("name", ["tracking.py", "tracker_ablation.py"])
def test_trackers_on_a_clip(
    name: str, walk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one person of a painted film keeps one id."""
    monkeypatch.setattr("vidpose.inference.load_detector", lambda *_: BlueDetector())
    model, out = painted.save_bundle(tmp_path), tmp_path / "figures.json"
    start(name, "--clip", walk, "--model", model, "--json", out)
    rows = json.loads(out.read_text())["walk.mp4"]
    for row in rows.values():
        assert (row["ids"], row["lasting"]) == (1, 1)
