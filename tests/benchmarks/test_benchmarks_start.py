"""Every benchmark starts: its imports exist, its options parse, its help says how to run it."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="some benchmarks measure torch networks")

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
