"""Every shipped recipe builds and takes a training step: shrunken, on a few real or made images.

Real are, where the shared data are, Penn Action's clip 0502 (of the test part: its label is
rewritten as one of training), JHMDB's one clip, COCO's 26 images, and the weights of
MoveNet and TinyPose.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import loadmat, savemat

from clip_folders import write_jhmdb, write_penn, write_splits
from shared_folder import shared_root
from stills_folders import write_coco, write_mpii
from vidpose.data.pseudo_labels.people_labels import LabelledImage, write_labels
from vidpose.nn.checkpoint import load_checkpoint, save_checkpoint
from vidpose.nn.movenet import PoseNet
from vidpose.nn.simple_baseline import SimpleBaseline
from vidpose.training import distil
from vidpose.training.loop import run_recipe

ROOT = Path(__file__).resolve().parents[2]
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))
SHARED = shared_root() / "data"

STEP = [
    "steps=1", "batch_size=2", "workers=0", "log_every=1", "evaluate_every=1", "warmup_steps=0",
]  # fmt: skip
LIGHT_HRNET = "hrnet_w18_small"
ENCODER = "{width: 16, depth: 1, heads: 4}"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recipes")


@pytest.fixture(scope="module")
def penn(home: Path) -> Path:
    real = SHARED / "penn_action" / "Penn_Action"
    root = write_penn(home / "penn", "0001", frames=6)
    if not (real / "frames" / "0502").is_dir():
        return write_penn(root, "0002", frames=6, train=1)
    labels = {k: v for k, v in loadmat(real / "labels" / "0502.mat").items() if k[0] != "_"}
    savemat(root / "labels" / "0502.mat", {**labels, "train": 1})
    (root / "frames" / "0502").symlink_to(real / "frames" / "0502")
    return root


@pytest.fixture(scope="module")
def jhmdb(home: Path) -> Path:
    root = write_jhmdb(home / "jhmdb", "catch", "made", frames=6)
    parts = {"made": (1, 2, 1)}
    clips = sorted((SHARED / "jhmdb" / "Rename_Images" / "catch").glob("*/"))
    for folder in clips[:1]:
        for part in ("Rename_Images", "joint_positions"):
            (root / part / "catch" / folder.name).symlink_to(
                SHARED / "jhmdb" / part / "catch" / folder.name
            )
        parts[folder.name] = (2, 1, 2)
    return write_splits(root, parts, folder="sub_splits")


@pytest.fixture(scope="module")
def coco(home: Path) -> Path:
    if (SHARED / "coco" / "annotations").is_dir():
        return SHARED / "coco"
    root = write_coco(home / "coco", "train2017", [{}] * 6)
    return write_coco(root, "val2017", [{}] * 2)


@pytest.fixture(scope="module")
def mpii(home: Path) -> Path:
    return write_mpii(home / "mpii")


@pytest.fixture(scope="module")
def pose_weights(home: Path) -> Path:
    """A Simple Baseline of depth 18 for MPII's joints, by the authors' names."""
    torch.manual_seed(0)
    named = {
        name.replace("encoder.trunk.", "")
        .replace("encoder.deconvolutions.", "deconv_layers.")
        .replace("head.", "final_layer."): value
        for name, value in SimpleBaseline(16, 18).state_dict().items()
        if name not in ("encoder.mean", "encoder.deviation")
    }
    torch.save(named, home / "pose.pth")
    return home / "pose.pth"


@pytest.fixture(scope="module")
def frame_checkpoint(home: Path) -> Callable[[list[int]], Path]:
    """An untrained per-frame network as if trained at a size."""

    def checkpoint(size: list[int]) -> Path:
        torch.manual_seed(0)
        weights = {f"network.{key}": value for key, value in PoseNet().state_dict().items()}
        task = {"kind": "pose", "movenet": "x.onnx", "sigma": 1.0, "size": size, "data": {}}
        folder = home / f"frame-{size[0]}"
        folder.mkdir(exist_ok=True)
        return save_checkpoint(folder, {"step": 1, "recipe": {"task": task}, "averaged": weights})

    return checkpoint


@pytest.fixture(scope="module")
def finder_labels(home: Path, coco: Path) -> Path:
    images = sorted((coco / "train2017").glob("*.jpg"))
    boxes, none = np.array([[10, 10, 40, 60]], np.float32), np.zeros((0, 4), np.float32)
    rows = [LabelledImage("coco", f"train2017/{path.name}", boxes, none) for path in images]
    write_labels(home / "finder.json", rows, ["made"])
    return home / "finder.json"


@pytest.fixture
def shrunken(request: pytest.FixtureRequest) -> Callable[[str], list[str]]:
    """The overrides that make a recipe small, by its name."""

    def value(name: str) -> Path:
        found = request.getfixturevalue(name)
        assert isinstance(found, Path)
        return found

    def movenet() -> Path:
        return value("shared_models") / "movenet_lightning.onnx"

    def video(root: str) -> list[str]:
        return [f"task.video.path={value(root)}", "task.video.incomplete=true", "batch_size=1"]

    def stills(section: str, data: str, size: str = "[64, 64]") -> list[str]:
        return [f"{section}.data={{{data}: {value(data)}}}", f"{section}.size={size}"]

    def dkd(root: str) -> list[str]:
        start = f"{{kind: pose-encoder, file: {value('pose_weights')}}}"
        network = ["initializer=18", "encoder=resnet18", "hidden=16"]
        network += [f"initializer_start={start}", f"encoder_start={start}"]
        return [
            *video(root),
            "task.size=[96, 96]",
            "task.frames=2",
            "task.adversarial.width=4",
            *(f"task.network.{one}" for one in network),
        ]

    def student(name: str) -> list[str]:
        teacher = value("home") / "teacher.vidpose-run"
        if not teacher.exists():
            recipe = ROOT / "recipes" / "distilpose-teacher-coco.yaml"
            small = [*STEP, *shrunk("distilpose-teacher-coco"), f"name={teacher.name}"]
            run_recipe(recipe, small, teacher.parent)
        section = "task.student"
        changes = [
            *stills(section, "coco", "[64, 96]"),
            f"{section}.encoder={ENCODER}",
            f"{section}.stem=8",
        ]
        changes += [f"{section}.hrnet={LIGHT_HRNET}", f"task.teacher.path={teacher}"]
        return changes + ([f"{section}.start={teacher}"] if name == "distilpose-l-coco" else [])

    def finder() -> list[str]:
        ccp = value("shared_data") / "ccp"
        cutouts = [f"task.cutout_photos={ccp / 'photos'}", f"task.cutout_masks={ccp / 'masks'}"]
        small = ["task.canvas=64", "task.input_size=64", "task.width=8", "task.weights={coco: 1}"]
        sets = [f"task.labels={value('finder_labels')}", f"task.roots={{coco: {value('coco')}}}"]
        return [
            "task.rtmdet=null", f"task.coco_val={value('coco')}", *cutouts, *small, *sets,
        ]  # fmt: skip

    def light(section: str) -> list[str]:
        return [*stills(section, "coco"), f"{section}.network.backbone.movenet={movenet()}"]

    def small_distillation() -> list[str]:
        changes = stills("task.student", "coco", "[128, 96]")
        changes += [f"task.student.backbone.movenet={movenet()}"]
        return [*changes, f"task.teacher.path={value('shared_models') / 'tinypose_256x192.onnx'}"]

    def dkd_light(size: list[int], step_size: list[int]) -> list[str]:
        checkpoint = request.getfixturevalue("frame_checkpoint")
        starts = [
            f"task.initializer={checkpoint(size)}", f"task.encoder={movenet()}",
            f"task.size={size}", f"task.step_size={step_size}",
            "task.start=null", "task.video=null", "precision=float32",
        ]  # fmt: skip
        data = [f"task.data={{coco: {value('coco')}}}", "task.penn_action=null"]
        kept = [f"task.cache={value('home') / 'cache'}", "task.recorded=2"]
        return [*starts, *data, *kept, "task.frames=2", "batch_size=1"]

    hourglasses = ["task.network={shared: 1, branches: [1, 1], channels: 8, depth: 2}"]
    backbone = ["task.backbone.name=test_efficientnet"]
    bundle = ROOT / "models" / "dkd-base.vidpose"
    table: dict[str, Callable[[], list[str]]] = {
        "distil-small": small_distillation,
        "distilpose-l-coco": lambda: student("distilpose-l-coco"),
        "distilpose-s-coco": lambda: student("distilpose-s-coco"),
        "distilpose-small": lambda: [
            *stills("task.student", "coco", "[128, 96]"), f"task.student.movenet={movenet()}",
            f"task.teacher.path={bundle}",
        ],
        "distilpose-teacher-coco": lambda: [
            *stills("task", "coco", "[64, 96]"), f"task.encoder={ENCODER}",
            f"task.hrnet={LIGHT_HRNET}",
        ],
        "dkd-jhmdb": lambda: dkd("jhmdb"),
        "dkd-lite": lambda: dkd_light([64, 64], [32, 32]),
        "dkd-base": lambda: dkd_light([64, 64], [64, 64]),
        "dkd-light-jhmdb": lambda: [
            *video("jhmdb"), "task.video.set=sub_jhmdb", "task.frames=2",
            f"task.network.movenet={movenet()}",
        ],
        "dkd-nano-clips": lambda: [
            f"task.data={{coco: {value('coco')}}}", f"task.network.movenet={movenet()}",
            f"task.cache={value('home') / 'cache'}", "task.penn_action=null", "task.recorded=2",
            "task.frames=2", "batch_size=1",
        ],
        "dkd-initializer": lambda: [
            *stills("task", "coco"), "task.start=null", "task.video=null", "precision=float32",
            f"task.movenet={value('shared_models') / 'movenet_thunder.onnx'}",
            f"task.teacher={{weights: {movenet()}, size: [64, 64], weight: 2}}", "batch_size=2",
        ],
        "dkd-overfit": lambda: [f"task.data={{coco: {value('coco')}}}", "batch_size=1"],
        "dkd-penn": lambda: dkd("penn"),
        "fasterpose-r50-coco": lambda: stills("task", "coco") + backbone,
        "fasterpose-r50-mpii": lambda: stills("task", "mpii") + backbone,
        "fasterpose-small": lambda: [
            *stills("task", "coco"), f"task.backbone.movenet={movenet()}",
        ],
        "finder": finder,
        "lstm-pm-penn": lambda: [*video("penn"), "task.size=[64, 64]"],
        "okdhp-4hg-coco": lambda: stills("task", "coco") + hourglasses,
        "okdhp-4hg-mpii": lambda: stills("task", "mpii") + hourglasses,
        "okdhp-small": lambda: light("task"),
        "sdpose-s-coco": lambda: [
            *stills("task", "coco", "[64, 96]"), f"task.encoder={ENCODER}", "task.stem=8",
        ],
        "sdpose-small": lambda: [
            *stills("task", "coco", "[64, 96]"), f"task.movenet={movenet()}",
        ],
        "simple-baseline-penn": lambda: [
            *video("penn"), "task.size=[64, 64]", "task.network.depth=18",
            f"task.network.start.file={value('pose_weights')}",
        ],
    }  # fmt: skip

    def shrunk(name: str) -> list[str]:
        return table[name]()

    return shrunk


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_shrunken_recipe_takes_a_step(
    tmp_path: Path,
    path: Path,
    shrunken: Callable[[str], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if path.stem in ("distilpose-l-coco", "distilpose-s-coco"):
        # Their teacher has taken one step and would rightly be refused.
        monkeypatch.setattr(distil, "check_teacher", lambda *_: None)
    state = load_checkpoint(run_recipe(path, [*STEP, *shrunken(path.stem)], tmp_path))
    assert state["step"] == 1
    trained = [value for value in state["task"].values() if value.is_floating_point()]
    assert all(value.isfinite().all() for value in trained)
    lines = [json.loads(x) for x in (tmp_path / path.stem / "log.jsonl").read_text().splitlines()]
    assert np.isfinite(lines[0]["loss"])
    assert lines[0]["loss"] > 0
