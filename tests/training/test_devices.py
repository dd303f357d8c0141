"""Every kind of training on another device, the `meta` one, where nothing of the CPU may meet it,
and every kind's data from two workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from clip_folders import write_jhmdb, write_jhmdb_video, write_penn, write_splits
from stills_folders import lsp_people, write_coco, write_lspet
from trainings import batch_of
from vidpose.data.datasets import lspet
from vidpose.data.pseudo_labels.people_labels import LabelledImage, write_labels
from vidpose.methods.per_frame import map_teachers, pose
from vidpose.nn.checkpoint import save_checkpoint
from vidpose.nn.movenet import PoseNet
from vidpose.training import distil
from vidpose.training.assembly import build_training
from vidpose.training.feeding import batches
from vidpose.training.recipe import Recipe, TaskConfig
from vidpose.training.task import Training

META = torch.device("meta")
BACKBONE = {"name": "test_efficientnet"}
FASTERPOSE = {"kind": "fasterpose", "size": [64, 64], "backbone": BACKBONE}
DKD_NET = {"form": "dkd", "initializer": 18, "encoder": "small-cpm", "hidden": 16}
SIMPLE = {"form": "simple-baseline", "depth": 18}
CLIPS = {
    "kind": "clips",
    "network": DKD_NET,
    "size": [64, 64],
    "frames": 3,
    "loss": "l2",
    "sigma": 1,
}
KINDS: dict[str, dict[str, Any]] = {
    "pose": {"kind": "pose", "size": [64, 64], "movenet": "x.onnx", "sigma": 1,
             "teacher": {"weights": "x.onnx", "size": [128, 128], "weight": 1.0,
                         "label_distance": 12}},
    "pose-video": {"kind": "pose", "size": [64, 64], "movenet": "x.onnx", "sigma": 1,
                   "teacher": {"mixture": [{"weights": "x.onnx", "share": 1, "shares": {"ccp": 0}},
                                           {"weights": "y.onnx", "share": 0.3}],
                               "size": [64, 64], "weight": 1.0}},
    "dkd": {"kind": "dkd", "frames": 3, "sigma": 1, "teacher_weight": 1.0, "label_distance": 12},
    "dkd-recorded": {"kind": "dkd", "frames": 3, "sigma": 1, "teacher_weight": 1.0, "recorded": 2},
    "dkd-video": {"kind": "dkd", "frames": 3, "sigma": 1, "teacher_weight": 1.0,
                  "kernels": "static"},
    "clips": {**CLIPS, "adversarial": {"width": 4}},
    "clips-lstm": {**CLIPS, "network": {"form": "lstm-pm"}, "size": [32, 32]},
    "clips-lite": {**CLIPS, "network": {"form": "lstm-lite"}, "size": [256, 192],
                   "loss": "cross-entropy"},
    "clips-video": {**CLIPS, "skeleton": "penn13", "network": SIMPLE},
    "finder": {"kind": "finder", "canvas": 64, "input_size": 64, "width": 8},
    "fasterpose": FASTERPOSE,
    "okdhp": {"kind": "okdhp", "size": [64, 64], "network": {"backbone": BACKBONE, "width": 8},
              "ramp_steps": 1, "contrast": 0.025},
    "distilpose": {"kind": "distilpose", "size": [64, 64], "network": "student-s", "stem": 8,
                   "encoder": {"width": 16, "depth": 1, "heads": 4, "patch": [4, 4]}},
    "distil": {"kind": "distil", "student": FASTERPOSE, "weights": {"maps": 1.0}},
}  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kinds")


@pytest.fixture(scope="module")
def train_kind(home: Path) -> Callable[[str], Training]:
    """A training of a kind on made data, from untrained networks."""
    stills = write_lspet(home / "lspet", lsp_people(12))
    made: dict[str, Training] = {}

    def frames(name: str, size: list[int], section: dict[str, Any], network: nn.Module) -> Path:
        (home / name).mkdir(exist_ok=True)
        weights = {f"network.{k}": v for k, v in network.state_dict().items()}
        section = {**section, "size": size, "data": {}}
        return save_checkpoint(
            home / name, {"step": 1, "recipe": {"task": section}, "averaged": weights}
        )

    def files(name: str) -> dict[str, Any]:
        if name.startswith("dkd"):
            video = {"video": _video_section(home)} if name == "dkd-video" else {}
            pose_run = {"kind": "pose", "movenet": "x.onnx", "sigma": 1}
            return {
                "initializer": frames("first", [256, 192], pose_run, PoseNet()),
                "encoder": frames("later", [160, 120], pose_run, PoseNet()),
                "cache": home / "cache",
                **video,
            }
        if name == "pose-video":
            return {"video": _video_section(home), "cache": home / "cache"}
        if name == "distil":
            student = TypeAdapter(TaskConfig).validate_python({**FASTERPOSE, "data": {}})
            network = distil.load_frame_model.__globals__["build_network"](student)
            return {"teacher": {"path": frames("teacher", [64, 64], FASTERPOSE, network)}}
        if name == "clips-video":
            x = np.linspace(40.0, 80, 13) * np.ones((4, 1))
            for clip, flag in (("0001", 1), ("0002", -1)):
                write_penn(home / "penn", clip, train=flag, x=x, y=2 * x - 60)
            return {"video": {"set": "penn_action", "path": home / "penn", "incomplete": True}}
        if name == "finder":
            return _finder_files(home)
        return {}

    def build(name: str) -> Training:
        if name not in made:
            torch.manual_seed(0)
            section = {**KINDS[name], **files(name)}
            data = {"lspet": stills}
            if name == "distil":
                section["student"] = {**section["student"], "data": data}
            elif name not in ("finder", "clips-video"):
                section["data"] = data
            values = {"name": "x", "steps": 1, "batch_size": 2, "learning_rate": 1, "task": section}
            made[name] = build_training(Recipe.model_validate(values))
        return made[name]

    return build


def _video_section(home: Path) -> dict[str, Any]:
    root = home / "jhmdb"
    write_jhmdb(root, "catch", "made", 8, images=False)
    write_jhmdb_video(root, "made", 8)
    write_splits(root, {"made": (1, 1, 1)})
    return {"jhmdb": root, "share": 0.9}


def _finder_files(home: Path) -> dict[str, Any]:
    root = write_coco(home / "coco", "val2017", [{}])
    root = write_coco(root, "train2017", [{}])
    image = next((root / "train2017").glob("*.jpg"))
    box, none = np.array([[10, 10, 40, 60]], np.float32), np.zeros((0, 4), np.float32)
    row = LabelledImage("coco", f"train2017/{image.name}", box, none)
    write_labels(home / "finder.json", [row], ["made"])
    for folder, suffix in (("photos", "jpg"), ("masks", "png")):
        (home / folder).mkdir(exist_ok=True)
        content = np.zeros((60, 40, 3), np.uint8)
        content[10:50, 10:30] = 255
        import cv2

        cv2.imwrite(str(home / folder / f"a.{suffix}"), content)
    return {
        "labels": home / "finder.json",
        "roots": {"coco": root},
        "weights": {"coco": 1.0},
        "cutout_photos": home / "photos",
        "cutout_masks": home / "masks",
        "coco_val": root,
    }


@pytest.fixture(autouse=True)
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start weights of others are not at hand."""
    monkeypatch.setattr(lspet, "KEPT_OUT", 2)
    monkeypatch.setattr(distil, "check_teacher", lambda *_: None)
    monkeypatch.setattr(pose, "movenet_start", lambda *_: PoseNet())
    for module in (pose, map_teachers):
        monkeypatch.setattr(module, "load_one", lambda *_: _teacher())


def _teacher() -> map_teachers.CropTeacher:
    network = PoseNet()
    return map_teachers.by_mass(lambda images: network.to(images.device)(images.float()))


@pytest.fixture
def meta_reads_as_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes back from the device, where an evaluation needs numbers."""
    real = Tensor.cpu
    monkeypatch.setattr(
        Tensor, "cpu", lambda x: torch.zeros(x.shape, dtype=x.dtype) if x.is_meta else real(x)
    )


@pytest.mark.parametrize("name", KINDS)
def test_two_workers_give_what_none_gives(train_kind: Callable[[str], Training], name: str) -> None:
    training = train_kind(name)
    (found,) = batches(training.data, 2, 2, range(1), torch.device("cpu"))
    expected = batch_of(training.data, 2)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in found)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.usefixtures("meta_reads_as_zeros")
def test_nothing_stays_on_the_cpu(train_kind: Callable[[str], Training], name: str) -> None:
    training = train_kind(name)
    batch = {key: value.to(META) for key, value in batch_of(training.data, 2).items()}
    task = training.task.to(META).train()
    loss, figures = task.loss(batch)
    assert loss.is_meta
    assert all(value.is_meta for value in figures.values())
    loss.backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is None or p.grad.is_meta for p in task.parameters())
    if name != "okdhp":  # whose choice of a branch is a number
        assert isinstance(training.evaluate(task.network.eval()), dict)
