"""``vidpose import`` and what other verbs make of its bundles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import NewClip, Vidpose

pytest.importorskip("onnx", reason="the networks are built with onnx")

from made_networks import brightest, fixed, person

SAID = ("--skeleton", "coco17", "--normalise", "unit", "--colour", "rgb", "--padding", "1.25")


def test_what_is_missing_is_asked_for(vidpose: Vidpose, tmp_path: Path) -> None:
    network = brightest(tmp_path / "a.onnx", (64, 48))
    ended = vidpose("import", network, "--out", tmp_path / "a.vidpose", "--colour", "rgb")
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "heatmaps, 17 keypoints, input 64 x 48 float32 NCHW" in ended.stderr
    assert "--skeleton coco17|h36m17|FILE; --normalise" in ended.stderr
    assert "--colour" not in ended.stderr
    assert not (tmp_path / "a.vidpose").exists()


def test_a_bundle_is_made_listed_and_shown(
    vidpose: Vidpose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = brightest(tmp_path / "a.onnx", (64, 48))
    (tmp_path / "MIT.txt").write_text("Permission is hereby granted\n")
    licence = ("--licence", "MIT", "--licence-file", tmp_path / "MIT.txt")
    ended = vidpose("import", network, *SAID, *licence, "--out", tmp_path / "a.vidpose")
    assert ended.returncode == 0, ended.stderr
    assert "px of the raw network's" in ended.stdout
    assert "confidences: not calibrated" in ended.stdout
    assert vidpose("import", network, *SAID, "--out", tmp_path / "b.vidpose").returncode == 0
    monkeypatch.setenv("VIDPOSE_MODELS", str(tmp_path))
    listed = vidpose("models").stdout
    assert "a  imported, coco17, float32" in listed
    assert "confidences not calibrated" in listed
    assert "licence   MIT, its text is in the bundle" in listed
    assert "licence   unknown, its text is not in the bundle" in listed
    assert "Permission is hereby granted" in vidpose("models", "a").stdout


ULTRALYTICS = {"task": "pose", "kpt_shape": "[17, 3]", "names": "{0: 'person'}"}


def _one_stage(form: str, path: Path) -> Path:
    """One person with joint 0 at (20, 8) of a picture of 64 x 48; the rest is empty. YOLO's
    networks see it 8 pixels lower, in the middle of 64 x 64."""
    low, top = person(17, 20, 16), person(17, 20, 8)
    if form == "yolo":
        table = np.zeros((1, 56, 84))
        table[0, :5, 3] = [28, 32, 17, 33, 0.9]
        table[0, 5:, 3] = low.ravel()
        return fixed(path, {"out": table}, (1, 3, 64, 64), metadata=ULTRALYTICS)
    if form == "yolo of two numbers":
        table = np.zeros((1, 39, 84))
        table[0, :, 3] = [28, 32, 17, 33, 0.9, *low[:, :2].ravel()]
        metadata = ULTRALYTICS | {"kpt_shape": "[17, 2]"}
        return fixed(path, {"out": table}, (1, 3, 64, 64), metadata=metadata)
    if form == "yolo-nms":
        rows = np.zeros((1, 20, 57))
        rows[0, 0] = [19.5, 15.5, 36.5, 48.5, 0.9, 0, *low.ravel()]
        return fixed(path, {"out": rows}, (1, 3, 64, 64), metadata=ULTRALYTICS)
    if form == "rtmo":
        boxes, keypoints = np.zeros((1, 20, 5)), np.zeros((1, 20, 17, 3))
        boxes[0, 4], keypoints[0, 4] = [19.5, 7.5, 36.5, 40.5, 0.9], top
        return fixed(path, {"dets": boxes, "keypoints": keypoints}, (1, 3, 64, 64))
    rows = np.zeros((1, 6, 56))
    parts = np.stack([(top[:, 1] + 0.5) / 64, (top[:, 0] + 0.5) / 64, top[:, 2]], axis=1)
    rows[0, 2] = [*parts.ravel(), 8 / 64, 20 / 64, 41 / 64, 37 / 64, 0.9]
    return fixed(path, {"out": rows}, (1, 64, 64, 3), element="int32")


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("yolo", ()),
        ("yolo-nms", ()),
        ("yolo of two numbers", ()),
        ("rtmo", ("--skeleton", "coco17", "--normalise", "none", "--colour", "bgr")),
        ("multipose", ()),
    ],
)
def test_a_video_with_a_one_stage_network(
    vidpose: Vidpose, tmp_path: Path, new_clip: NewClip, form: str, options: tuple[str, ...]
) -> None:
    """No detector runs: the network says where people are."""
    network = _one_stage(form, tmp_path / "a.onnx")
    made = vidpose("import", network, *options, "--out", tmp_path / "a.vidpose")
    assert made.returncode == 0, made.stderr
    frames = _frames(vidpose, new_clip("clip.mp4"), tmp_path, ())
    assert all([each["id"] for each in frame["people"]] == [1] for frame in frames)
    assert frames[0]["people"][0]["keypoints"][0][:2] == pytest.approx([20, 8], abs=0.02)


def _for_a_crop(form: str, path: Path) -> Path:
    """Every joint at pixel (96, 128) of a crop of 256 x 192."""
    if form == "heatmaps":
        maps = np.zeros((1, 17, 64, 48))
        maps[:, :, 32, 24] = 0.9
        return fixed(path, {"maps": maps}, (1, 3, 256, 192))
    if form == "simcc":
        x, y = np.zeros((1, 17, 384)), np.zeros((1, 17, 512))
        x[:, :, 192], y[:, :, 256] = 0.9, 0.9
        return fixed(path, {"simcc_x": x, "simcc_y": y}, ("N", 3, 256, 192))
    places = np.tile([128.5 / 256, 96.5 / 192, 0.9], (1, 1, 17, 1))
    return fixed(path, {"out": places}, (1, 256, 192, 3), element="int32")


@pytest.mark.parametrize("form", ["heatmaps", "simcc", "coordinates"])
def test_a_video_with_a_network_for_a_crop(
    vidpose: Vidpose, tmp_path: Path, new_clip: NewClip, models: list[str], form: str
) -> None:
    """The finder's box lies around (32, 24), so the crop's pixel (96, 128) half a pixel of the
    crop right of and below that."""
    network = _for_a_crop(form, tmp_path / "a.onnx")
    said = ("--padding", "1.25") if form == "coordinates" else SAID
    made = vidpose("import", network, *said, "--out", tmp_path / "a.vidpose")
    assert made.returncode == 0, made.stderr
    frames = _frames(vidpose, new_clip("clip.mp4"), tmp_path, tuple(models[2:4]))
    assert all([each["id"] for each in frame["people"]] == [1] for frame in frames)
    half = 0.5 * 32 * 1.25 / 192
    x, y, _ = frames[0]["people"][0]["keypoints"][0]
    assert [x, y] == pytest.approx([31.5 + half, 23.5 + half], abs=0.06)


def _frames(
    vidpose: Vidpose, clip: Path, folder: Path, detector: tuple[str, ...]
) -> list[dict[str, Any]]:
    out = folder / "out.jsonl"
    ended = vidpose("run", clip, "--model", folder / "a.vidpose", *detector, "--out", out)
    assert ended.returncode == 0, ended.stderr
    _, *frames = (json.loads(line) for line in out.read_text().splitlines())
    assert frames
    return frames


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--out", "a.vidpose", "--padding", "100"), "--padding"),
        (("--out", "a.bundle"), "a bundle's name ends in '.vidpose'"),
        (("--out", "a.vidpose", "--size", "256"), "give HEIGHTxWIDTH in pixels, as 256x192"),
        (("--out", "a.vidpose", "--data", "coco"), "give NAME:PATH"),
        (("--out", "a.vidpose", "--split", "val"), "--split says which part of --data"),
        (("--out", "a.vidpose", "--licence-file", "no.txt"), "--licence-file no.txt: cannot be"),
    ],
)
def test_wrong_usage(
    vidpose: Vidpose, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    ended = vidpose("import", tmp_path / "a.onnx", *arguments)
    assert ended.returncode == 2
    assert message in ended.stderr


def test_an_unknown_skeleton_names_those_at_hand(vidpose: Vidpose, tmp_path: Path) -> None:
    out = tmp_path / "a.vidpose"
    ended = vidpose("import", tmp_path / "a.onnx", "--skeleton", "coco", "--out", out)
    assert ended.returncode == 1
    assert "skeleton 'coco' is not known" in ended.stderr
