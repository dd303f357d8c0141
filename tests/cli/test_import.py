"""``vidpose import`` and what other verbs make of its bundles."""

from __future__ import annotations

import json
from pathlib import Path

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


def test_a_video_with_a_one_stage_network(
    vidpose: Vidpose, tmp_path: Path, new_clip: NewClip
) -> None:
    """No detector runs: the network says where people are."""
    import numpy as np

    table = np.zeros((1, 56, 84))
    table[0, :5, 3] = [28, 32, 17, 33, 0.9]
    table[0, 5:, 3] = person(17, 20, 16).ravel()
    metadata = {"task": "pose", "kpt_shape": "[17, 3]", "names": "{0: 'person'}"}
    network = fixed(tmp_path / "a.onnx", {"out": table}, (1, 3, 64, 64), metadata=metadata)
    made = vidpose("import", network, "--out", tmp_path / "yolo.vidpose")
    assert made.returncode == 0, made.stderr
    out = tmp_path / "out.jsonl"
    clip = new_clip("clip.mp4")
    ended = vidpose("run", clip, "--model", tmp_path / "yolo.vidpose", "--out", out)
    assert ended.returncode == 0, ended.stderr
    _, *frames = (json.loads(line) for line in out.read_text().splitlines())
    assert frames
    assert all([each["id"] for each in frame["people"]] == [1] for frame in frames)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--out", "a.bundle"), "a bundle's name ends in '.vidpose'"),
        (("--out", "nowhere/a.vidpose"), "there is no folder nowhere"),
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
