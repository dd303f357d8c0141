"""``vidpose doctor``: what is installed, what works, and why something does not."""

from __future__ import annotations

import os
import platform
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Literal

import typer

from vidpose.cli._errors import FAILED, one_line
from vidpose.cli._options import DebugOption

NEEDED = (
    "numpy",
    "scipy",
    "onnxruntime",
    "opencv-python-headless",
    "av",
    "pillow",
    "pyarrow",
    "pyyaml",
    "typer",
    "rich",
)
OPTIONAL = {
    "openvino": "openvino",
    "matplotlib": "bench",
    "torch": "train",
    "torchvision": "train",
    "timm": "train",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. Only a ``bad`` one makes vidpose unusable."""

    state: Literal["ok", "note", "bad"]
    what: str
    text: str


def doctor(debug: DebugOption = False) -> None:
    """Check this installation: libraries, runtimes, codecs and shipped models.

    Exit code 0 when `vidpose run` can work, 1 otherwise.

    \b
    Example:
      vidpose doctor
    """
    findings: list[Finding] = []
    for check in (
        _system,
        _libraries,
        _opencv_conflicts,
        _runtimes,
        _optional_parts,
        _h264,
        _shipped_models,
    ):
        try:
            findings += check()
        except Exception as error:
            findings.append(Finding("bad", check.__name__.strip("_"), one_line(error)))
    for finding in findings:
        print(f"{finding.state:<5} {finding.what:<24} {finding.text}")
    bad = sum(finding.state == "bad" for finding in findings)
    print("vidpose is usable" if not bad else f"vidpose is not usable: {bad} bad finding(s) above")
    if bad:
        raise typer.Exit(FAILED)


def _system() -> list[Finding]:
    affinity = getattr(os, "sched_getaffinity", None)
    usable = len(affinity(0)) if affinity else os.cpu_count()
    return [
        Finding("ok", "vidpose", version("vidpose")),
        Finding("ok", "python", f"{platform.python_version()} on {platform.platform()}"),
        Finding("ok", "cpu", f"{usable} usable of {os.cpu_count()}, {platform.machine()}"),
    ]


def _libraries() -> list[Finding]:
    findings = []
    for name in NEEDED:
        try:
            findings.append(Finding("ok", name, version(name)))
        except PackageNotFoundError:
            findings.append(Finding("bad", name, f"not installed: pip install {name}"))
    return findings


def _opencv_conflicts() -> list[Finding]:
    """All OpenCV distributions install the same folder, so two of them damage each other."""
    names = {(found.metadata["Name"] or "").lower() for found in distributions()}
    opencv = sorted(name for name in names if name.startswith("opencv-"))
    import cv2

    if len(opencv) > 1:
        return [
            Finding(
                "note",
                "opencv",
                f"{' and '.join(opencv)} share one folder; if images fail to load or draw: "
                f"pip uninstall {' '.join(opencv)}; pip install opencv-python-headless",
            )
        ]
    return [Finding("ok", "opencv", f"{cv2.__version__}, one distribution")]


def _runtimes() -> list[Finding]:
    import onnxruntime

    providers = onnxruntime.get_available_providers()
    state: Literal["ok", "bad"] = "ok" if "CPUExecutionProvider" in providers else "bad"
    return [Finding(state, "onnxruntime providers", ", ".join(providers))]


def _optional_parts() -> list[Finding]:
    findings = []
    for name, extra in OPTIONAL.items():
        try:
            findings.append(Finding("ok", name, version(name)))
        except PackageNotFoundError:
            text = f"not installed (optional: pip install 'vidpose[{extra}]')"
            findings.append(Finding("note", name, text))
    return findings


def _h264() -> list[Finding]:
    """Write a short clip and read it back, both as `vidpose run` does it."""
    import numpy as np

    from vidpose.video import VideoReader, VideoWriter

    encoder, reading = "H.264 encoder (libx264)", "reading video"
    count = 3
    with tempfile.TemporaryDirectory(prefix="vidpose-doctor-") as folder:
        path = Path(folder) / "clip.mp4"
        try:
            with VideoWriter(path, width=64, height=48) as writer:
                for number in range(count):
                    writer.write(np.full((48, 64, 3), 128, np.uint8), number / 25)
        except Exception as error:
            text = f"cannot be written, so no .mp4 outputs: {one_line(error)}"
            return [Finding("bad", encoder, text)]
        written = Finding("ok", encoder, "works")
        try:
            with VideoReader(path) as reader:
                frames = sum(1 for _ in reader)
        except Exception as error:
            return [written, Finding("bad", reading, one_line(error))]
    state: Literal["ok", "bad"] = "ok" if frames == count else "bad"
    return [written, Finding(state, reading, f"{frames} of {count} frames of a file read")]


def _shipped_models() -> list[Finding]:
    from vidpose.bundle import available_models, find_bundle, missing_models_folder, read_bundle
    from vidpose.errors import BundleError

    missing = missing_models_folder()
    findings = [] if missing is None else [Finding("note", "own models", missing)]
    for name in available_models():
        try:
            bundle = read_bundle(find_bundle(name))
            findings.append(Finding("ok", f"model {name}", f"{bundle.kind}, {bundle.version}"))
        except BundleError as error:
            findings.append(Finding("bad", f"model {name}", one_line(error)))
    kinds = {finding.text.partition(",")[0] for finding in findings}
    for kind, use in (("dkd", "pose model"), ("detector", "person finder")):
        if kind not in kinds:
            text = f"no {use} is shipped with this installation; reinstall vidpose"
            findings.append(Finding("bad", use, text))
    return findings
