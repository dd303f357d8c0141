"""``vidpose train`` on bad input: one clear line before training starts, and no run folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import Ended, Vidpose

pytest.importorskip("torch", reason="a part of the training side")

import torch
from torchvision.models import resnet18

from clip_folders import write_jhmdb, write_penn, write_splits
from stills_folders import write_coco, write_mpii
from vidpose.nn.checkpoint import save_checkpoint
from vidpose.nn.movenet import PoseNet
from vidpose.nn.simple_baseline import SimpleBaseline

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
SMALL = ["task.size=[64, 64]", "task.network.depth=18"]

Refused = Callable[..., str]


@pytest.fixture
def refused(vidpose: Vidpose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Refused:
    """What a training that must not start says, in its one line."""
    monkeypatch.chdir(tmp_path)

    def run(recipe: str, *overrides: str, code: int = 1) -> str:
        ended: Ended = vidpose("train", RECIPES / f"{recipe}.yaml", "workers=0", *overrides)
        assert ended.returncode == code, ended
        assert ended.stderr.startswith("vidpose: ")
        assert ended.stderr.count("\n") == 1
        assert "internal error" not in ended.stderr
        assert not (tmp_path / "runs").exists()
        return ended.stderr

    return run


def penn(root: Path, *more: str) -> list[str]:
    return [f"task.video.path={root}", "task.network.start=null", *SMALL, *more]


@pytest.mark.parametrize(
    ("recipe", "key", "said"),
    [
        ("dkd-penn", "task.video.path", "give the folder 'Penn_Action' with labels/ and frames/"),
        ("dkd-jhmdb", "task.video.path", "sub_splits is missing"),
        ("fasterpose-r50-coco", "task.data.coco", "annotations/person_keypoints_train2017.json is"),
        ("okdhp-4hg-mpii", "task.data.mpii", "annot/train.json is missing"),
        ("dkd-overfit", "task.data.lspet", "give the folder of|the folder of Leeds"),
    ],
)
def test_a_wrong_folder(refused: Refused, tmp_path: Path, recipe: str, key: str, said: str) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "nowhere"):
        message = refused(recipe, f"{key}={folder}")
        assert str(folder) in message
        assert any(part in message for part in said.split("|")), message
        if folder.name == "empty" or "lspet" not in key:
            assert "http" in message


def test_label_files_that_are_missing(refused: Refused, tmp_path: Path) -> None:
    write_penn(tmp_path / "penn", "0001", train=1)
    message = refused("simple-baseline-penn", *penn(tmp_path / "penn"))
    assert "labels of 1,257 of 1,258 clips are missing" in message
    assert "vidpose data check penn_action" in message
    assert "task.video.incomplete=true" in message
    write_jhmdb(tmp_path / "jhmdb", "catch", "a")
    write_splits(tmp_path / "jhmdb", {"a": (1, 1, 1), "b": (1, 1, 1)}, folder="sub_splits")
    message = refused("dkd-jhmdb", f"task.video.path={tmp_path / 'jhmdb'}", "task.video.split=3")
    assert "sub-JHMDB, split 3 train: labels of 1 of 2 clips are missing" in message


def test_images_that_are_missing(refused: Refused, tmp_path: Path) -> None:
    write_penn(tmp_path / "penn", "0001", train=1, images=False)
    path = penn(tmp_path / "penn", "task.video.incomplete=true")
    message = refused("simple-baseline-penn", *path)
    assert "of 1 clips 0 are there with labels and images" in message
    root = write_coco(tmp_path / "coco", "train2017", [{}, {}])
    (root / "train2017" / "000000000002.jpg").unlink()
    message = refused("fasterpose-r50-coco", f"task.data.coco={root}")
    assert "1 of 2 labelled images are missing, the first" in message
    assert "000000000002.jpg" in message
    root = write_mpii(tmp_path / "mpii")
    (root / "images" / "000000007.jpg").unlink()  # of the validation split
    message = refused("fasterpose-r50-mpii", f"task.data.mpii={root}")
    assert "1 of 3 labelled images are missing" in message


def test_another_number_of_labels_than_frames(refused: Refused, tmp_path: Path) -> None:
    write_penn(tmp_path, "0001", train=1)
    (tmp_path / "frames" / "0001" / "000004.jpg").unlink()
    message = refused("simple-baseline-penn", *penn(tmp_path, "task.video.incomplete=true"))
    assert "clip 0001: 4 frames are labelled, 3 of them are there" in message
    write_penn(tmp_path, "0001", train=1)
    (tmp_path / "frames" / "0001" / "000005.jpg").write_bytes(b"one more")
    message = refused("simple-baseline-penn", *penn(tmp_path, "task.video.incomplete=true"))
    assert "clip 0001: 4 frames are labelled, but" in message
    assert "holds 5 images" in message


def test_visible_joints_without_a_position(refused: Refused, tmp_path: Path) -> None:
    x = np.full((4, 13), 61.0)
    x[1, 9] = np.nan
    write_penn(tmp_path / "penn", "0001", train=1, x=x)
    message = refused("simple-baseline-penn", *penn(tmp_path / "penn"))
    assert "clip 0001: 1 joints are marked visible but have no position (NaN)" in message
    assert "right_knee in frame 1" in message
    keypoints = [20.0, 30.0, 2] * 17
    keypoints[3 * 7] = float("nan")
    write_coco(tmp_path / "coco", "train2017", [{}, {"keypoints": keypoints}])
    message = refused("fasterpose-r50-coco", f"task.data.coco={tmp_path / 'coco'}")
    assert "person_keypoints_train2017.json, annotation 102: keypoints: " in message
    assert "left_elbow is marked visible but has no position (NaN)" in message
    root = write_mpii(tmp_path / "mpii")
    labels = root / "annot" / "train.json"
    people = json.loads(labels.read_text())
    people[2]["joints"][9][1] = float("nan")
    labels.write_text(json.dumps(people))
    message = refused("okdhp-4hg-mpii", f"task.data.mpii={root}")
    assert "000000002.jpg" in message
    assert "head_top is marked visible" in message


@pytest.fixture
def one_clip(tmp_path: Path) -> Path:
    return write_penn(tmp_path / "penn", "0001", frames=5, train=1)


def _pose_file(path: Path, joints: int, depth: Any = 18) -> Path:
    names = {"encoder.trunk.": "", "encoder.deconvolutions.": "deconv_layers."}
    named = {}
    for name, value in SimpleBaseline(joints, depth).state_dict().items():
        for own, theirs in {**names, "head.": "final_layer."}.items():
            name = name.replace(own, theirs)
        if not name.startswith("encoder."):
            named[name] = value
    torch.save(named, path)
    return path


def test_a_start_of_another_skeleton(refused: Refused, tmp_path: Path, one_clip: Path) -> None:
    start = _pose_file(tmp_path / "mpii.pth", 16)
    path = penn(one_clip, "task.video.incomplete=true")
    section = f"task.network.start={{kind: pose, file: {start}}}"
    message = refused("simple-baseline-penn", *path, section)
    assert "mpii.pth: has 16 keypoints, this network has 13" in message
    weights = {f"network.{key}": value for key, value in PoseNet(16).state_dict().items()}
    recipe = {"task": {"kind": "pose", "skeleton": "mpii16"}}
    (tmp_path / "first").mkdir()
    save_checkpoint(tmp_path / "first", {"step": 1, "recipe": recipe, "averaged": weights})
    root = write_coco(tmp_path / "coco", "train2017", [{}])
    message = refused(
        "dkd-lite",
        f"task.initializer={tmp_path / 'first'}",
        f"task.data={{coco: {root}}}",
        "task.penn_action=null",
    )
    assert "first: its network has the joints of mpii16, not coco17" in message


def test_a_start_of_another_depth(refused: Refused, tmp_path: Path, one_clip: Path) -> None:
    torch.save(resnet18().state_dict(), tmp_path / "resnet18.pth")
    path = penn(one_clip, "task.video.incomplete=true", "task.network.depth=34")
    for kind, file in (
        ("imagenet", tmp_path / "resnet18.pth"),
        ("pose-encoder", _pose_file(tmp_path / "pose18.pth", 16)),
    ):
        section = f"task.network.start={{kind: {kind}, file: {file}}}"
        message = refused("simple-baseline-penn", *path, section)
        assert f"{file.name}: holds a ResNet-18, this network is a ResNet-34" in message
    root = write_coco(tmp_path / "coco", "train2017", [{}])
    weights = f"task.backbone.weights={tmp_path / 'resnet18.pth'}"
    message = refused("fasterpose-r50-coco", f"task.data.coco={root}", weights)
    assert "resnet18.pth: " in message
    assert "weights do not fit the network" in message


def test_a_start_that_is_missing_or_no_weights(
    refused: Refused, tmp_path: Path, one_clip: Path
) -> None:
    path = penn(one_clip, "task.video.incomplete=true")
    (tmp_path / "text.pth").write_text("no weights")
    for name, said in (("gone.pth", "is missing"), ("text.pth", "cannot be read")):
        section = f"task.network.start={{kind: pose-encoder, file: {tmp_path / name}}}"
        message = refused("simple-baseline-penn", *path, section)
        assert name in message
        assert said in message


def test_a_skeleton_that_the_labels_cannot_teach(refused: Refused, one_clip: Path) -> None:
    path = penn(one_clip, "task.video.incomplete=true", "task.skeleton=mpii16")
    message = refused("simple-baseline-penn", *path)
    assert "skeleton mpii16: clips labelled with penn13 have no upper_neck, head_top" in message
    assert "take skeleton: penn13" in message


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_image_on_the_way(
    vidpose: Vidpose, tmp_path: Path, one_clip: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    """Images are not opened before training; the line is as clear when it comes from a worker."""
    monkeypatch.chdir(tmp_path)
    for image in (one_clip / "frames" / "0001").iterdir():
        image.write_bytes(b"no image")
    path = penn(one_clip, "task.video.incomplete=true", "steps=1", f"workers={workers}")
    ended = vidpose("train", RECIPES / "simple-baseline-penn.yaml", *path)
    assert ended.returncode == 1
    (line,) = [one for one in ended.stderr.splitlines() if one.startswith("vidpose: ")]
    assert line.startswith(f"vidpose: {one_clip / 'frames' / '0001'}")
    assert line.endswith(".jpg: the image is missing or damaged")


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["task.video.split=test"], "split of penn_action: train, not test"),
        (["task.data={lspet: x}"], "give one of video (labelled clips) and data (stills)"),
        (["task.video=null"], "give one of video (labelled clips) and data (stills)"),
        (["optimizer=lion"], "optimizer"),
        (["schedule={at: [9, 3]}"], "ascending"),
        (["momentum=0.9"], "momentum is of sgd, rmsprop has none"),
    ],
)
def test_settings_that_do_not_fit(refused: Refused, overrides: list[str], said: str) -> None:
    assert said in refused("dkd-penn", *overrides, code=2)


def test_a_recipe_that_is_wrong_is_wrong_usage(refused: Refused, vidpose: Vidpose) -> None:
    said = refused("dkd-penn", "learning_rat=1", code=2)
    assert "learning_rat: unknown key; did you mean learning_rate?" in said
    assert "does not name a folder inside runs/" in refused("dkd-penn", "name=../x", code=2)
    ended = vidpose("train", "gone.yaml")
    assert (ended.returncode, ended.stderr) == (
        2,
        "vidpose: gone.yaml: not found; give the YAML file of a recipe\n",
    )
