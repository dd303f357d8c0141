"""The package's front door: every name is there, and opening it costs nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

import vidpose


@pytest.mark.parametrize("name", vidpose.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(vidpose, name) is not None
    assert name in dir(vidpose)


def test_a_wrong_name_is_an_ordinary_error() -> None:
    with pytest.raises(AttributeError, match="PoseSteam"):
        vidpose.PoseSteam  # noqa: B018


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("vidpose", ["numpy", "onnxruntime", "cv2", "av"]),
        ("vidpose.pipeline", ["torch", "onnx", "scipy.signal", "pyarrow", "rich"]),
        ("vidpose.tracking", ["torch", "torchvision", "timm", "onnx", "av", "pyarrow", "pydantic"]),
    ],
)
def test_importing_brings_nothing_along_that_is_not_needed(module: str, absent: list[str]) -> None:
    code = f"import sys, {module}; print([m for m in {absent} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_the_pages_call_by_its_module_is_there() -> None:
    """After `import vidpose` alone, and without the libraries that they are for."""
    names = "vidpose.interop.to_supervision, vidpose.video.FileObject, vidpose.skeleton.Skeleton"
    code = f"import sys, vidpose; print({names}); assert 'supervision' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_results_are_analysed_and_shown_from_the_package_itself() -> None:
    names = "vidpose.analysis.lowpass.__module__, vidpose.write_report.__module__"
    code = f"import vidpose; print({names})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    analysis, report = done.stdout.split()
    assert analysis == "vidpose.analysis.filtering"
    assert report.startswith("vidpose.report")
