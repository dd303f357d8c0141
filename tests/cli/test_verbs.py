"""The verbs as a user meets them: help, versions, wrong usage, missing extras."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest
from command import Vidpose

from vidpose.__main__ import VERBS
from vidpose.cli._errors import needs_extra, one_line
from vidpose.errors import InputError, VidposeError


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_explains_itself_with_an_example(vidpose: Vidpose, verb: str) -> None:
    done = vidpose(verb, "--help")
    assert done.returncode == 0
    assert "Example" in done.stdout
    assert f"vidpose {verb}" in done.stdout
    assert "--debug" in done.stdout


def test_help_names_every_verb(vidpose: Vidpose) -> None:
    done = vidpose("--help")
    assert done.returncode == 0
    assert all(verb in done.stdout for verb in VERBS)


def test_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "vidpose", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"vidpose {version('vidpose')}\n"


@pytest.mark.parametrize(
    "arguments", [["dance"], ["run"], ["run", "a.mp4", "--no-such-option"], ["train"]]
)
def test_wrong_usage_is_exit_code_2(vidpose: Vidpose, arguments: list[str]) -> None:
    done = vidpose(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_help_needs_no_heavy_library() -> None:
    code = (
        "import sys; from vidpose.__main__ import app; "
        "print([name for name in ('numpy', 'cv2', 'av', 'onnxruntime', 'torch') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_missing_extra_says_what_to_install() -> None:
    with pytest.raises(VidposeError, match=r"pip install 'vidpose\[train\]'"), needs_extra("train"):
        raise ModuleNotFoundError("No module named 'torch'", name="torch.nn")


def test_a_missing_module_of_vidpose_itself_is_a_bug_and_stays_one() -> None:
    with pytest.raises(ModuleNotFoundError), needs_extra("train"):
        raise ModuleNotFoundError("No module named 'vidpose.x'", name="vidpose.x")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (InputError("a.mp4: not a video"), "a.mp4: not a video"),
        (InputError("two\n  lines"), "two lines"),
        (OSError(28, "No space left on device", "x.csv"), "x.csv: No space left on device"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (KeyError("k"), "internal error, KeyError: 'k' (--debug shows where)"),
    ],
)
def test_errors_are_one_line(error: Exception, line: str) -> None:
    assert one_line(error) == line
