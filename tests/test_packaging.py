"""What is installed: metadata, files, entry point, and no torch behind inference."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.metadata import entry_points, requires
from pathlib import Path

import vidpose

REPOSITORY = Path(__file__).resolve().parents[1]


def test_version_is_the_projects() -> None:
    declared = f'\nversion = "{vidpose.__version__}"\n'
    assert declared in (REPOSITORY / "pyproject.toml").read_text()


def test_changelog_has_this_version() -> None:
    assert f"## [{vidpose.__version__}]" in (REPOSITORY / "CHANGELOG.md").read_text()


def test_console_script_is_the_table_of_verbs() -> None:
    (script,) = entry_points(group="console_scripts", name="vidpose")
    assert script.value == "vidpose.__main__:main"


def test_every_public_name_exists() -> None:
    for name in vidpose.__all__:
        assert getattr(vidpose, name) is not None


def test_plain_installation_needs_no_training_library() -> None:
    needed = " ".join(line for line in requires("vidpose") or [] if "extra ==" not in line)
    assert "onnxruntime" in needed
    for library in ("torch", "timm", "onnx>", "pydantic", "pycocotools"):
        assert library not in needed


def test_inference_imports_no_training_library() -> None:
    code = (
        "import sys\n"
        "import vidpose.tracking, vidpose.video, vidpose.io, vidpose.metrics, vidpose.bundle\n"
        "import vidpose.pipeline\n"
        "heavy = {'torch', 'torchvision', 'timm', 'onnx', 'pydantic', 'yaml'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_wheel_carries_types_models_and_licence(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("vidpose-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "vidpose/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert any(name.endswith("licenses/NOTICE") for name in names)
    shipped = {path.name for path in (REPOSITORY / "src/vidpose/assets").glob("*.vidpose")}
    assert {Path(name).name for name in names if name.endswith(".vidpose")} == shipped
    assert not [name for name in names if name.startswith(("tests", "recipes", "benchmarks"))]
    assert wheel.stat().st_size < 40e6
