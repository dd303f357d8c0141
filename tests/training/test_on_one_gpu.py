"""recipes/on_one_gpu.sh from made start weights, tiny and for a second each, on the CPU; twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from made_networks import brightest
from stills_folders import write_coco
from vidpose.methods.dkd.light import Sizes, build_light_dkd
from vidpose.nn.checkpoint import load_checkpoint, save_checkpoint
from vidpose.nn.movenet import PoseNet

ROOT = Path(__file__).resolve().parents[2]
SIZE, SMALL = (64, 48), (32, 24)


def _start(home: Path, name: str, network: nn.Module, task: dict[str, Any]) -> None:
    folder = home / "runs" / "start" / name
    folder.mkdir(parents=True)
    weights = {f"network.{key}": value for key, value in network.state_dict().items()}
    save_checkpoint(folder, {"step": 1, "recipe": {"task": task}, "averaged": weights})


def _run(home: Path, minutes: float) -> str:
    step = "task.size=[64,48] task.frames=2 task.penn_action=null workers=0"
    teacher = f"task.teacher.mixture=null task.teacher.weights={home / 'teacher.onnx'}"
    environment = {
        "SHARED": str(home / "nothing"),
        "PYTHON": sys.executable,
        "VIDPOSE": f"{sys.executable} -m vidpose",
        "PYTHONPATH": str(ROOT / "src"),
        "INITIALIZER": f"task.size=[64,48] task.teacher.size=[64,48] {teacher} workers=0",
        "BASE": f"{step} task.step_size=[64,48]",
        "LITE": f"{step} task.step_size=[32,24]",
    }
    everywhere = [
        "batch_size=2", "warmup_steps=0", "precision=float32", "task.video=null",
        f"task.data={{coco: {home / 'coco'}}}",
    ]  # fmt: skip
    command = ["bash", str(ROOT / "recipes" / "on_one_gpu.sh"), str(minutes), str(minutes)]
    done = subprocess.run(
        [*command, *everywhere],
        cwd=home,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def _steps(home: Path) -> dict[str, int]:
    names = ("dkd-initializer", "dkd-base", "dkd-lite", "dkd-base-static")
    return {name: load_checkpoint(home / "runs" / name)["step"] for name in names}


@pytest.mark.skipif(
    "VIDPOSE_SLOW" not in os.environ, reason="a minute of CPU; VIDPOSE_SLOW=1 runs it"
)
def test_the_family_is_trained_by_the_clock_and_goes_on(tmp_path: Path) -> None:
    write_coco(tmp_path / "coco", "train2017", [{}] * 3)
    brightest(tmp_path / "teacher.onnx", SIZE)
    _start(tmp_path, "dkd-initializer", PoseNet(), {"kind": "pose", "size": [*SIZE]})
    for name, size in (("dkd-base", SIZE), ("dkd-lite", SMALL)):
        network = build_light_dkd(sizes=Sizes(SIZE, size))
        _start(tmp_path, name, network, {"kind": "dkd", "step_size": [*size]})
    _run(tmp_path, 0.005)
    first = _steps(tmp_path)
    assert min(first.values()) > 0
    assert first["dkd-base-static"] == first["dkd-base"]
    again = _run(tmp_path, 0.005)
    assert again.count("already done") == 4
    assert _steps(tmp_path) == first
