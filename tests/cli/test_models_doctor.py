"""``vidpose models`` and ``vidpose doctor``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command import Vidpose

import vidpose.bundle.file as bundle_file
from vidpose.bundle import Bundle, DetectorSettings, write_bundle
from vidpose.cli import doctor as doctor_verb


@pytest.fixture
def shipped(tmp_path: Path, models: list[str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation that ships the small pose model and one detector."""
    assets = tmp_path / "assets"
    assets.mkdir()
    (assets / "middle.vidpose").write_bytes(Path(models[1]).read_bytes())
    finder = Bundle(
        "finder",
        "detector",
        "3",
        "Apache-2.0",
        DetectorSettings(input_size=64),
        {"detector": b"x" * 100},
        card="# finder\nTrained on photographs.",
        metrics={"parameters": 1_200_000, "detector_mmacs": 98.76, "AP50": 61.5},
    )
    write_bundle(assets / "finder.vidpose", finder)
    monkeypatch.setattr(bundle_file, "_assets", lambda: assets)
    return assets


def test_models_shows_size_cost_accuracy_and_licence(vidpose: Vidpose, shipped: Path) -> None:
    ended = vidpose("models")
    assert ended.returncode == 0
    assert ended.stdout.startswith(
        "finder  detector, float32, version 3, Apache-2.0\n"
        "  size      0.0 MB, 1.20 M parameters\n"
        "  MMACs     detector 98.8\n"
        "  measured  AP50 61.5\n"
    )
    assert "middle  frame, coco17, float32, version 1, Apache-2.0\n" in ended.stdout


def test_models_shows_the_card_of_one(vidpose: Vidpose, shipped: Path) -> None:
    assert vidpose("models", "finder").stdout == "# finder\nTrained on photographs.\n"


def test_unknown_model_is_one_line_that_names_the_shipped_ones(
    vidpose: Vidpose, shipped: Path
) -> None:
    ended = vidpose("models", "nothing")
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "finder, middle" in ended.stderr


def test_doctor_finds_a_broken_model(vidpose: Vidpose, shipped: Path) -> None:
    (shipped / "finder.vidpose").write_bytes(b"half a file")
    ended = vidpose("doctor")
    assert ended.returncode == 1
    assert re.search(r"^bad +model finder +.*damaged", ended.stdout, flags=re.MULTILINE)
    assert "vidpose is not usable" in ended.stdout


def test_doctor_reports_libraries_and_codecs(vidpose: Vidpose, shipped: Path) -> None:
    shown = vidpose("doctor").stdout
    for line in (r"python +3\.", r"onnxruntime +\d", r"H\.264 encoder \(libx264\) +works"):
        assert re.search(rf"^ok +{line}", shown, flags=re.MULTILINE), line


def test_doctor_says_why_a_library_fails(
    vidpose: Vidpose, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_verb, "NEEDED", ("numpy", "no-such-library"))
    ended = vidpose("doctor")
    assert ended.returncode == 1
    assert "not installed: pip install no-such-library" in ended.stdout


def test_doctor_warns_of_two_opencv_distributions(
    vidpose: Vidpose, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Distribution:
        def __init__(self, name: str) -> None:
            self.metadata = {"Name": name}

    both = [Distribution("opencv-python"), Distribution("opencv-python-headless")]
    monkeypatch.setattr(doctor_verb, "distributions", lambda: both)
    assert "opencv-python and opencv-python-headless share one folder" in vidpose("doctor").stdout


def test_models_of_one_s_own_folder_are_called_by_name(
    vidpose: Vidpose,
    shipped: Path,
    models: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They stand beside the shipped ones and go before one of the same name."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "mine.vidpose").write_bytes(Path(models[1]).read_bytes())
    (own / "finder.vidpose").write_bytes(Path(models[1]).read_bytes())
    assert "mine" not in vidpose("models", "mine").stderr.partition("there are:")[2]
    monkeypatch.setenv("VIDPOSE_MODELS", str(own))
    assert bundle_file.available_models() == ("finder", "middle", "mine")
    assert bundle_file.find_bundle("mine") == own / "mine.vidpose"
    assert bundle_file.find_bundle("finder") == own / "finder.vidpose"
    assert bundle_file.find_bundle("middle") == shipped / "middle.vidpose"
    assert vidpose("models", "mine").returncode == 0


def test_doctor_reads_a_file_as_run_does(
    vidpose: Vidpose, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyAV once changed its own ``open``: no video could be read, and the doctor saw nothing."""

    def changed(*arguments: object, **options: object) -> None:
        raise TypeError("open() got an unexpected keyword argument")

    assert re.search(r"^ok +reading video +3 of 3 frames", vidpose("doctor").stdout, re.MULTILINE)
    monkeypatch.setattr("vidpose.video.container.open_container", changed)
    ended = vidpose("doctor")
    assert ended.returncode == 1
    assert re.search(r"^bad +reading video +.*unexpected keyword", ended.stdout, re.MULTILINE)


def test_doctor_knows_every_library_that_is_needed() -> None:
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    declared = project.partition("\ndependencies = [")[2].partition("\n]")[0]
    assert sorted(re.findall(r'"([a-z-]+)>=', declared)) == sorted(doctor_verb.NEEDED)


def test_a_bad_bundle_hides_no_other(
    vidpose: Vidpose, shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "a_stranger.vidpose").write_bytes(b"half a file")
    monkeypatch.setenv("VIDPOSE_MODELS", str(own))
    ended = vidpose("models")
    assert ended.returncode == 1
    assert "finder  detector" in ended.stdout
    assert "middle  frame" in ended.stdout
    assert ended.stderr.count("\n") == 1
    assert "a_stranger.vidpose: not a vidpose bundle" in ended.stderr


def test_a_folder_of_models_that_is_not_there_is_said(
    vidpose: Vidpose, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDPOSE_MODELS", "/no/such/place")
    said = "VIDPOSE_MODELS=/no/such/place: there is no such folder"
    listed = vidpose("models")
    assert (listed.returncode, listed.stderr) == (1, f"vidpose: {said}\n")
    assert "finder  detector" in listed.stdout
    assert said in vidpose("models", "mine").stderr
    assert said in vidpose("doctor").stdout
