"""Nothing leaves the machine: no library reports to anybody, and HOME stays as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest

from shared_folder import FLOAT_MODEL
from vidpose.defaults import DEFAULT_MODEL

ENTRIES = {
    "the package": "import vidpose; vidpose.PoseModel",
    "a module": "import vidpose.inference.backends.ort",
    "the command": "from vidpose.cli.doctor import doctor; doctor()",
}


def run(code: str, home: Path | str, **more: str) -> subprocess.CompletedProcess[str]:
    """The code in a process of its own that knows no other place of the user's than HOME."""
    ours = {k: v for k, v in os.environ.items() if k not in ("ORT_DISABLE_TELEMETRY",)}
    places: Mapping[str, str] = {k: v for k, v in ours.items() if not k.startswith("XDG_")}
    environment = {**places, "HOME": str(home), **more}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True)


@pytest.mark.parametrize("entry", ENTRIES)
def test_no_entry_leaves_a_file_in_home(entry: str, tmp_path: Path) -> None:
    run(f"{ENTRIES[entry]}\nimport onnxruntime", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_cannot_be_written_is_no_reason_for_a_warning() -> None:
    code = f"from vidpose import PoseModel\nPoseModel.load('{DEFAULT_MODEL}', 1)"
    assert run(code, "/proc/nowhere").stderr == ""


def test_openvino_leaves_nothing_in_home_either(tmp_path: Path) -> None:
    if find_spec("openvino") is None:
        pytest.skip("OpenVINO is not installed")
    code = f"from vidpose import PoseModel\nPoseModel.load('{FLOAT_MODEL}', 1, 'openvino')"
    assert run(code, tmp_path).stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_the_user_s_own_word_counts(tmp_path: Path) -> None:
    code = "import os, vidpose; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    assert run(code, tmp_path, ORT_DISABLE_TELEMETRY="0").stdout == "0\n"
